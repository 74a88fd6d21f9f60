// Where the nodes of the overview lie: depth to the right, siblings beneath each other, in units of one row and one
// step. Siblings that were not played are one point, so that they do not take the room of those that were.
import { hierarchy, tree as tidy } from "d3-hierarchy";
import { outcome } from "./model.js";
import { shownChildren } from "./rows.js";

/**
 * @typedef {import("./model.js").Node} Node
 * @typedef {{node: Node, nodes: Node[], x: number, y: number, from: Point|null, leaf: boolean, room: number}} Point
 *   `x` in steps, `y` in rows; `nodes` has several where they stand for siblings that were not played; `room` is how
 *   many steps to the right are free for words
 * @typedef {{points: Point[], byNode: Map<number, Point>, depth: number, rows: number}} Layout  points by y
 */

/** Points less than this apart are on one line of words, in rows. */
const BESIDE = 0.75;

/** @returns {Layout} */
export function laidOut(/** @type {Node|null} */ root, /** @type {import("./rows.js").Showing} */ showing) {
  if (!root) return { points: [], byNode: new Map(), depth: 0, rows: 0 };
  const parts = (/** @type {{node: Node, nodes: Node[]}} */ { node, nodes }) => (nodes.length > 1 ? [] : below(node, showing));
  const top = tidy().nodeSize([1, 1]).separation(() => 1)(hierarchy(/** @type {any} */ ({ node: root, nodes: [root] }), /** @type {any} */ (parts)));
  let least = Infinity, most = -Infinity, depth = 0;
  top.each((/** @type {any} */ each) => {
    least = Math.min(least, each.x);
    most = Math.max(most, each.x);
    depth = Math.max(depth, each.depth);
  });
  const made = new Map();
  const byNode = new Map();
  top.each((/** @type {any} */ each) => {
    const point = { ...each.data, x: each.depth, y: each.x - least, from: made.get(each.parent) ?? null, leaf: !each.children, room: Infinity };
    made.set(each, point);
    for (const node of point.nodes) byNode.set(node.id, point);
  });
  const points = [...made.values()].sort((a, b) => a.y - b.y);
  points.forEach((point, at) => makeRoom(points, point, at));
  return { points, byNode, depth, rows: most - least };
}

/** Words end where the next point on nearly the same row begins. */
function makeRoom(/** @type {Point[]} */ points, /** @type {Point} */ point, /** @type {number} */ at) {
  for (let next = at + 1; next < points.length && points[next].y - point.y < BESIDE; next += 1) {
    const [left, right] = points[next].x < point.x ? [points[next], point] : [point, points[next]];
    if (right.x > left.x) left.room = Math.min(left.room, right.x - left.x);
  }
}

function below(/** @type {Node} */ node, /** @type {import("./rows.js").Showing} */ showing) {
  const children = shownChildren(node, showing);
  const quiet = children.filter((child) => outcome(child) === "unplayed" && !showing.cuts.has(child.id));
  const alone = quiet.length > 1 ? children.filter((child) => !quiet.includes(child)) : children;
  const each = alone.map((child) => ({ node: child, nodes: [child] }));
  return quiet.length > 1 ? [...each, { node: quiet[0], nodes: quiet }] : each;
}

/** The points whose y lies between two rows, found by halving. */
export function between(/** @type {Layout} */ { points }, /** @type {number} */ low, /** @type {number} */ high) {
  return points.slice(firstFrom(points, low), firstFrom(points, high));
}

function firstFrom(/** @type {Point[]} */ points, /** @type {number} */ y) {
  let from = 0, until = points.length;
  while (from < until) {
    const middle = (from + until) >> 1;
    if (points[middle].y < y) from = middle + 1;
    else until = middle;
  }
  return from;
}
