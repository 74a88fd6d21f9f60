// One tree on the page: what is open, where the reader is, which critic's marks are shown, up to which simulation. The
// treegrid and the overview both draw this and change this, so they never disagree.
import { computed, signal } from "@preact/signals";
import { atFirst, revealed, toDepth, turned } from "./folding.js";
import { bestEnd, grown, outcome } from "./model.js";
import { rowsOf } from "./rows.js";

/**
 * @typedef {import("./model.js").Tree} Tree
 * @typedef {import("./model.js").Node} Node
 * @typedef {import("./rows.js").Row} Row
 * @typedef {{verdicts: Map<number, string>, cuts: Map<number, number>}} Marks  labels and numbers of cuts, by node
 */

/** @returns {Marks} */
export function marksOf(/** @type {any} */ answer) {
  const pairs = (/** @type {any[]} */ list, /** @type {string} */ what) => new Map((list ?? []).map((each) => [each.node, each[what]]));
  return { verdicts: pairs(answer?.verdicts, "label"), cuts: pairs(answer?.cuts, "count") };
}

export class TreeState {
  constructor(/** @type {Record<string, any[]>} */ columns) {
    this.tree = signal(grown(null, columns));
    this.folds = signal(atFirst(this.tree.value, []));
    this.marks = signal(marksOf(null));
    this.beside = signal(/** @type {Marks|null} */ (null));
    this.evaluated = signal(false);
    this.until = signal(/** @type {number|null} */ (null));
    this.active = signal(this.tree.value.root ? `n${this.tree.value.root.id}` : "");
    /** Grows when the treegrid's row, not only its marking, should have the focus. */
    this.focus = signal(0);
    this.touched = false;
    this.showing = computed(() => ({ evaluated: this.evaluated.value, until: this.until.value, cuts: this.cuts() }));
    this.rows = computed(() => rowsOf(this.tree.value.root, this.folds.value, this.showing.value));
    this.row = computed(() => this.rows.value.find((row) => row.key === this.active.value) ?? this.rows.value[0]);
    this.selected = computed(() => (this.row.value?.node ?? this.tree.value.root)?.id ?? 0);
  }

  /** The nodes where a critic that is shown cuts; they keep a row of their own. */
  cuts() {
    return new Set([...this.marks.value.cuts.keys(), ...(this.beside.value?.cuts.keys() ?? [])]);
  }

  /**
   * What is new of a tree that grows, or the whole of it; what is open stays, and what the reader has not touched opens
   * to the best.
   * @param {Record<string, any[]>} columns
   * @param {boolean} whole
   */
  grow(columns, whole) {
    if (columns.node.length || whole) this.tree.value = grown(whole ? null : this.tree.value, columns);
    if (!this.touched) this.fold();
  }

  /** A critic's marks; the way to each of its cuts is open. */
  mark(/** @type {Marks} */ marks, /** @type {Marks|null} */ beside) {
    this.marks.value = marks;
    this.beside.value = beside;
    if (!this.touched) this.fold();
    else for (const id of marks.cuts.keys()) this.folds.value = revealed(this.folds.value, this.tree.value, id);
  }

  /** Folded as at first. */
  fold() {
    const folds = atFirst(this.tree.value, this.cuts());
    const row = this.row.value;
    this.folds.value = row?.kind === "node" ? revealed(folds, this.tree.value, row.node.id) : folds;
  }

  /** As at first: folded so, and after the last simulation. */
  begin() {
    this.until.value = null;
    this.touched = false;
    this.fold();
  }

  /** Everything down to a depth. */
  depth(/** @type {number} */ depth) {
    this.touched = true;
    this.folds.value = toDepth(this.tree.value, depth);
    if (!this.rows.value.some((row) => row.key === this.active.value)) this.goTo(this.rows.value[0]?.key ?? "");
  }

  /** Open or close a row. */
  turn(/** @type {Row} */ row, /** @type {boolean} */ on) {
    this.touched = true;
    if (row.kind === "node") this.folds.value = turned(this.folds.value, [row.node.id], on);
    else if (row.kind === "group") this.folds.value = { ...this.folds.value, groups: changed(this.folds.value.groups, row.node.id, on) };
    else {
      this.folds.value = { ...this.folds.value, spelled: new Set([...this.folds.value.spelled, ...row.nodes.map((node) => node.id)]) };
      this.active.value = `n${row.node.id}`;
    }
  }

  /** Open all rows beside this one. */
  openSiblings(/** @type {Row} */ row) {
    this.touched = true;
    const beside = this.rows.value.filter((each) => each.kind === "node" && each.parent === row.parent && each.parts);
    this.folds.value = turned(this.folds.value, beside.map((each) => each.node.id), true);
  }

  /** Go to a row. */
  goTo(/** @type {string} */ key, focus = true) {
    this.active.value = key;
    if (focus) this.focus.value += 1;
  }

  /** Go to a node, wherever it is folded away. */
  reveal(/** @type {number} */ id, focus = true) {
    if (!this.tree.value.nodes.has(id)) return;
    if (!this.rows.value.some((row) => row.key === `n${id}`)) this.folds.value = revealed(this.folds.value, this.tree.value, id);
    this.goTo(`n${id}`, focus);
  }

  /** The best end. */
  best() {
    const best = bestEnd(this.tree.value);
    if (best) this.reveal(best.id);
  }

  /** The next cut, or the next end of an outcome, after where the reader is; round and round. */
  next(/** @type {"cut"|"solved"|"failed"} */ what) {
    const ids = what === "cut"
      ? [...this.cuts()]
      : this.tree.value.ends.filter((node) => (what === "solved") === (outcome(node) === "solved")).map((node) => node.id);
    const order = inOrder(this.tree.value.root);
    const sorted = ids.filter((id) => order.has(id)).sort((a, b) => Number(order.get(a)) - Number(order.get(b)));
    const here = order.get(this.selected.value) ?? 0;
    const next = sorted.find((id) => Number(order.get(id)) > here) ?? sorted[0];
    if (next !== undefined) this.reveal(next);
  }

  /** Move by rows. */
  move(/** @type {number} */ by) {
    const rows = this.rows.value;
    const at = rows.findIndex((row) => row.key === this.active.value);
    const row = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
    if (row) this.goTo(row.key);
  }

  /** One simulation on or back; beyond the last one everything is shown. */
  scrub(/** @type {number} */ by) {
    const last = this.tree.value.simulations;
    const at = (this.until.value ?? last) + by;
    this.until.value = at >= last ? null : Math.max(0, at);
  }
}

function changed(/** @type {Set<number>} */ ids, /** @type {number} */ id, /** @type {boolean} */ on) {
  const next = new Set(ids);
  if (on) next.add(id);
  else next.delete(id);
  return next;
}

/** The place of each node when the tree is read from top to bottom. */
function inOrder(/** @type {Node|null} */ root) {
  const order = new Map();
  const stack = root ? [root] : [];
  while (stack.length) {
    const node = /** @type {Node} */ (stack.pop());
    order.set(node.id, order.size);
    stack.push(...node.children.slice().reverse());
  }
  return order;
}
