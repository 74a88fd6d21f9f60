// What of a tree is open. At first: the best path, the path of the best failed attempt, and the way to every cut.
import { bestEnd, bestFailure, path } from "./model.js";

/**
 * @typedef {import("./model.js").Tree} Tree
 * @typedef {import("./model.js").Node} Node
 * @typedef {{open: Set<number>, groups: Set<number>, spelled: Set<number>}} Folds
 *   nodes whose children are shown; nodes whose children that were not played are shown one by one; nodes that are never
 *   drawn together with others as a chain
 */

/** @returns {Folds} */
export function atFirst(/** @type {Tree} */ tree, /** @type {Iterable<number>} */ cuts) {
  const open = new Set(tree.root ? [tree.root.id] : []);
  const ends = [bestEnd(tree)?.id, bestFailure(tree)?.id, ...cuts];
  for (const id of ends) {
    if (id !== undefined) openPath(tree, open, id);
  }
  return { open, groups: new Set(), spelled: new Set() };
}

function openPath(/** @type {Tree} */ tree, /** @type {Set<number>} */ open, /** @type {number} */ id) {
  for (const node of path(tree, id).slice(0, -1)) open.add(node.id);
}

/** @returns {Folds} the same with the way to a node open, and the node a row of its own */
export function revealed(/** @type {Folds} */ folds, /** @type {Tree} */ tree, /** @type {number} */ id) {
  const open = new Set(folds.open);
  openPath(tree, open, id);
  const parent = tree.nodes.get(id)?.parent;
  const groups = parent == null ? folds.groups : new Set(folds.groups).add(parent);
  return { open, groups, spelled: new Set(folds.spelled).add(id) };
}

/** @returns {Folds} every node above a depth open, all others closed */
export function toDepth(/** @type {Tree} */ tree, /** @type {number} */ depth) {
  const nodes = [...tree.nodes.values()].filter((node) => node.depth < depth && node.children.length);
  return { open: new Set(nodes.map((node) => node.id)), groups: new Set(), spelled: new Set(nodes.map((node) => node.id)) };
}

/** @returns {Folds} some nodes opened or closed */
export function turned(/** @type {Folds} */ folds, /** @type {Iterable<number>} */ ids, /** @type {boolean} */ on) {
  const open = new Set(folds.open);
  for (const id of ids) {
    if (on) open.add(id);
    else open.delete(id);
  }
  return { ...folds, open };
}
