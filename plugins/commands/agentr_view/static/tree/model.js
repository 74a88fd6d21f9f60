// A search tree as the server sends it (columns of equal length) made into nodes that know their children, and what
// each of them came to. Nothing is drawn here.

/** Sums in `flags`, as in the column nodes.flags of the database. */
const TERMINATED = 1;
const TRUNCATED = 2;
const INVALID = 4;
const ENDED = 8;

/**
 * @typedef {{id: number, parent: number|null, depth: number, children: Node[], visits: number, value: number|null,
 *   reward: number, copies: number|null, simulation: number, flags: number, action: string|null, line: string|null}} Node
 * @typedef {"solved"|"failed"|"horizon"|"unplayed"|""} Outcome
 * @typedef {{nodes: Map<number, Node>, root: Node|null, simulations: number, ends: Node[]}} Tree
 *   `ends` are the nodes where an attempt ended, in the order they were made
 */

/** What an outcome looks like, and what it is called. */
export const SHAPES = /** @type {Record<string, [string, string]>} */ ({
  solved: ["●", "solved"],
  failed: ["✕", "failed"],
  horizon: ["■", "ended by a limit"],
  unplayed: ["○", "not played"],
  cut: ["✂", "cut"],
});

/**
 * The tree with what is new in it: nodes that were there take their new figures, the rest is added.
 * @param {Tree|null} before
 * @param {Record<string, any[]>} columns
 * @returns {Tree}
 */
export function grown(before, columns) {
  const nodes = new Map(before?.nodes);
  const names = Object.keys(columns);
  for (let at = 0; at < columns.node.length; at += 1) {
    const row = /** @type {any} */ ({});
    for (const name of names) row[name] = columns[name][at];
    const { node: id, ...rest } = row;
    nodes.set(id, { ...rest, id, depth: 0, children: [] });
  }
  return linked(nodes);
}

/** @returns {Tree} */
function linked(/** @type {Map<number, Node>} */ nodes) {
  let root = /** @type {Node|null} */ (null);
  const ordered = [...nodes.values()].sort((a, b) => a.id - b.id); // a parent is made before its children
  for (const node of ordered) node.children = [];
  for (const node of ordered) {
    const parent = node.parent === null ? undefined : nodes.get(node.parent);
    node.depth = parent ? parent.depth + 1 : 0;
    if (parent) parent.children.push(node);
    else root ??= node;
  }
  const simulations = ordered.reduce((most, node) => Math.max(most, node.simulation), 0);
  return { nodes, root, simulations, ends: ordered.filter(isEnd) };
}

/** Whether an attempt ended here. */
export function isEnd(/** @type {Node} */ node) {
  return (node.flags & ENDED) !== 0;
}

/** Whether the turn was refused or had no action. */
export function isInvalid(/** @type {Node} */ node) {
  return (node.flags & INVALID) !== 0;
}

/** @returns {Outcome} what a node came to; "" for one that was played on */
export function outcome(/** @type {Node} */ node) {
  if (isEnd(node)) {
    if (node.reward >= 1) return "solved";
    return (node.flags & TRUNCATED) !== 0 || (node.flags & TERMINATED) === 0 ? "horizon" : "failed";
  }
  return node.visits === 0 && node.children.length === 0 && node.parent !== null ? "unplayed" : "";
}

/** The nodes from the root to this one. */
export function path(/** @type {Tree} */ tree, /** @type {number} */ id) {
  const found = [];
  for (let node = tree.nodes.get(id); node; node = node.parent === null ? undefined : tree.nodes.get(node.parent)) found.unshift(node);
  return found;
}

function better(/** @type {Node} */ a, /** @type {Node} */ b) {
  return b.reward - a.reward || b.visits - a.visits || a.id - b.id;
}

/** The end with the highest reward; of equals the one visited most. */
export function bestEnd(/** @type {Tree} */ tree) {
  return [...tree.ends].sort(better)[0] ?? null;
}

/** The end that came nearest without being solved. */
export function bestFailure(/** @type {Tree} */ tree) {
  return tree.ends.filter((node) => outcome(node) !== "solved").sort(better)[0] ?? null;
}

/** How a node's step is called in a list: its action, or what it said instead. */
export function actionOf(/** @type {Node} */ node) {
  if (node.parent === null) return "the task";
  return node.action ?? "(no action)";
}
