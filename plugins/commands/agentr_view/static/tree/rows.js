// A tree and what of it is open, made into the rows that are drawn: one a node; siblings that were not played together
// in one row; a chain of steps without a played alternative in one row.
import { outcome } from "./model.js";

/**
 * @typedef {import("./model.js").Node} Node
 * @typedef {import("./folding.js").Folds} Folds
 * @typedef {{key: string, kind: "node"|"group"|"chain", node: Node, nodes: Node[], level: number, position: number,
 *   siblings: number, parent: string|null, parts: boolean, open: boolean}} Row
 *   `node` is the first of `nodes`; for a group, their parent. `parts`: there is something to open.
 * @typedef {{evaluated: boolean, until: number|null, cuts: Set<number>}} Showing
 *   without what was not played; only what was made until a simulation; nodes where a critic cuts
 */

/** The least number of steps that are drawn as one. */
const CHAIN = 3;

/** The children of a node that are shown at all. */
export function shownChildren(/** @type {Node} */ node, /** @type {Showing} */ { evaluated, until }) {
  return node.children.filter((child) => (until === null || child.simulation <= until) && !(evaluated && outcome(child) === "unplayed"));
}

/** @returns {Row[]} the rows from the root down */
export function rowsOf(/** @type {Node|null} */ root, /** @type {Folds} */ folds, /** @type {Showing} */ showing) {
  /** @type {Row[]} */
  const rows = [];
  const one = (/** @type {Node} */ node, /** @type {Partial<Row>} */ where) => {
    const chain = chainFrom(node, folds, showing);
    if (chain.length >= CHAIN) {
      const key = `c${node.id}`;
      const last = chain[chain.length - 1];
      const next = shownChildren(last, showing).find((child) => outcome(child) !== "unplayed" || showing.cuts.has(child.id));
      rows.push(/** @type {Row} */ ({ ...where, key, kind: "chain", node, nodes: chain, parts: true, open: true }));
      if (next) one(next, { level: (where.level ?? 1) + 1, position: 1, siblings: 1, parent: key });
      return;
    }
    const key = `n${node.id}`;
    const parts = shownChildren(node, showing).length > 0;
    const open = parts && folds.open.has(node.id);
    rows.push(/** @type {Row} */ ({ ...where, key, kind: "node", node, nodes: [node], parts, open }));
    if (open) below(node, key, (where.level ?? 1) + 1);
  };
  const below = (/** @type {Node} */ node, /** @type {string} */ parent, /** @type {number} */ level) => {
    const children = shownChildren(node, showing);
    const quiet = children.filter((child) => outcome(child) === "unplayed" && !showing.cuts.has(child.id));
    const alone = quiet.length > 1 ? children.filter((child) => !quiet.includes(child)) : children;
    const siblings = alone.length + (quiet.length > 1 ? 1 : 0);
    alone.forEach((child, at) => one(child, { level, position: at + 1, siblings, parent }));
    if (quiet.length > 1) group(node, quiet, { level, position: siblings, siblings, parent });
  };
  const group = (/** @type {Node} */ node, /** @type {Node[]} */ nodes, /** @type {any} */ where) => {
    const open = folds.groups.has(node.id);
    const key = `g${node.id}`;
    rows.push({ ...where, key, kind: "group", node, nodes, parts: true, open });
    const each = { level: where.level + 1, siblings: nodes.length, parent: key, kind: /** @type {const} */ ("node"), parts: false, open: false };
    if (open) nodes.forEach((child, at) => rows.push({ ...each, key: `n${child.id}`, node: child, nodes: [child], position: at + 1 }));
  };
  if (root) one(root, { level: 1, position: 1, siblings: 1, parent: null });
  return rows;
}

/**
 * The steps from a node on that are open, are not cut and have one child that was played on; without the step where
 * they part. Children that were not played are told with the chain.
 */
function chainFrom(/** @type {Node} */ node, /** @type {Folds} */ folds, /** @type {Showing} */ showing) {
  const chain = [];
  for (let at = node; at.parent !== null && folds.open.has(at.id) && !folds.spelled.has(at.id) && !showing.cuts.has(at.id); ) {
    const children = shownChildren(at, showing).filter((child) => outcome(child) !== "unplayed" || showing.cuts.has(child.id));
    if (children.length !== 1) break;
    chain.push(at);
    at = children[0];
  }
  return chain;
}
