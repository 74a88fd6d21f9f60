// Drawing the overview: edges as wide as they were visited, in the colour of Q; shapes for outcomes; a cut across its
// edge; the selected node in a ring, and the way to it.
import { plain } from "../text.js";
import { between } from "./overview_layout.js";
import { ramp } from "./colour.js";
import { actionOf, outcome, path } from "./model.js";

/**
 * @typedef {import("./overview_layout.js").Point} Point
 * @typedef {import("./overview_layout.js").Layout} Layout
 * @typedef {import("./overview.js").View} View
 */

/** From this height of a row on there is room for words, in pixels. */
const WORDS = 12;

/**
 * Draw the tree, unless it is drawn already on `base`; then the selection above it, which changes with every key.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement} base as large, out of sight
 * @param {boolean} stale whether anything but the selection has changed
 */
export function paint(canvas, base, stale, /** @type {Layout} */ layout, /** @type {View} */ view, /** @type {import("./state.js").TreeState} */ state) {
  const style = getComputedStyle(canvas);
  const of = (/** @type {string} */ name) => style.getPropertyValue(name);
  const colours = { of: ramp(style), ink: of("--ink"), dim: of("--dim"), ground: of("--ground"), focus: of("--focus"), cut: of("--cut") };
  const { clientWidth: width, clientHeight: height } = canvas;
  const x = (/** @type {Point} */ point) => view.left + point.x * view.step;
  const y = (/** @type {Point} */ point) => view.top + point.y * view.row;
  const pens = { x, y, colours, view, width, height };
  if (stale) paintTree({ ...pens, context: cleared(base, canvas) }, layout, state);
  const context = cleared(canvas, canvas);
  if (canvas.width && canvas.height) context.drawImage(base, 0, 0, width, height);
  for (const node of path(state.tree.value, state.selected.value)) {
    const point = layout.byNode.get(node.id);
    if (point) edge(point, { ...pens, context }, true);
  }
  ring(layout.byNode.get(state.selected.value), { ...pens, context });
}

/** The pen of an empty canvas, in the page's pixels. */
function cleared(/** @type {HTMLCanvasElement} */ canvas, /** @type {HTMLCanvasElement} */ like) {
  if (canvas.width !== like.width) canvas.width = like.width;
  if (canvas.height !== like.height) canvas.height = like.height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const ratio = devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  return context;
}

function paintTree(/** @type {any} */ pens, /** @type {Layout} */ layout, /** @type {import("./state.js").TreeState} */ state) {
  const { view, height } = pens;
  const seen = between(layout, (-40 - view.top) / view.row, (height + 40 - view.top) / view.row);
  for (const point of seen) edge(point, pens, false);
  for (const point of seen) shape(point, pens, state);
  if (view.row >= WORDS) for (const point of seen) word(point, pens);
  if (layout.rows * view.row > height * 1.05) minimap(layout, pens, height);
}

function edge(/** @type {Point} */ point, /** @type {any} */ { context, x, y, colours }, /** @type {boolean} */ on) {
  if (!point.from) return;
  const [x0, y0, x1, y1] = [x(point.from), y(point.from), x(point), y(point)];
  context.beginPath();
  context.moveTo(x0, y0);
  context.bezierCurveTo(x0 + (x1 - x0) * 0.55, y0, x0 + (x1 - x0) * 0.45, y1, x1, y1);
  context.strokeStyle = on ? colours.focus : colours.of(point.node.value);
  context.globalAlpha = point.node.visits || on ? 0.9 : 0.45;
  context.lineWidth = Math.min(7, 0.6 + Math.log1p(point.node.visits) * 0.75) + (on ? 0.8 : 0);
  context.stroke();
  context.globalAlpha = 1;
}

function shape(/** @type {Point} */ point, /** @type {any} */ pens, /** @type {import("./state.js").TreeState} */ state) {
  const { context, x, y, colours, view } = pens;
  const [left, top] = [x(point), y(point)];
  const size = Math.max(1.6, Math.min(4.5, view.row * 0.42));
  const came = outcome(point.node);
  context.lineWidth = size > 3 ? 1.6 : 1.1;
  context.strokeStyle = context.fillStyle = came === "unplayed" ? colours.dim : colours.of(came ? point.node.reward : point.node.value);
  context.beginPath();
  if (came === "failed") cross(context, left, top, size);
  else if (came === "horizon") context.fillRect(left - size * 0.85, top - size * 0.85, size * 1.7, size * 1.7);
  else {
    context.arc(left, top, came === "solved" ? size : came ? size * 0.7 : size * 0.5, 0, 2 * Math.PI);
    if (came === "unplayed") context.stroke();
    else context.fill();
  }
  const cut = [state.marks.value, state.beside.value].some((marks) => marks?.cuts.has(point.node.id));
  if (cut) scissors(pens, left, top);
}

function cross(/** @type {any} */ context, /** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ size) {
  context.moveTo(x - size, y - size);
  context.lineTo(x + size, y + size);
  context.moveTo(x + size, y - size);
  context.lineTo(x - size, y + size);
  context.stroke();
}

function scissors(/** @type {any} */ { context, colours, view }, /** @type {number} */ x, /** @type {number} */ y) {
  const half = Math.max(5, Math.min(9, view.row * 0.6));
  context.strokeStyle = context.fillStyle = colours.cut;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x + 7, y - half);
  context.lineTo(x + 7, y + half);
  context.stroke();
  context.font = "12px system-ui, sans-serif";
  context.fillText("✂", x + 9, y - half + 3);
}

function ring(/** @type {Point|undefined} */ point, /** @type {any} */ { context, x, y, colours }) {
  if (!point) return;
  context.beginPath();
  context.arc(x(point), y(point), 8, 0, 2 * Math.PI);
  context.strokeStyle = colours.focus;
  context.lineWidth = 2;
  context.stroke();
}

/** What was done, behind the node; as far as nothing else is on its line. */
function word(/** @type {Point} */ point, /** @type {any} */ { context, x, y, colours, view, width }) {
  const room = Math.min(point.leaf ? width - x(point) : view.step, point.room * view.step) - 14;
  const letters = Math.floor(room / 6.2);
  if (letters < 4) return;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = point.leaf ? "middle" : "bottom";
  context.fillStyle = outcome(point.node) === "unplayed" ? colours.dim : colours.ink;
  const text = plain(point.nodes.length > 1 ? `+${point.nodes.length} not played` : actionOf(point.node), Math.min(letters, 60));
  context.fillText(text, x(point) + 8, y(point) + (point.leaf ? 0 : -1));
  context.textBaseline = "alphabetic";
}

/** Where in the whole the view is, in the corner. */
function minimap(/** @type {Layout} */ layout, /** @type {any} */ { context, colours, view, width }, /** @type {number} */ height) {
  const [w, h, left, top] = [84, Math.min(110, height - 20), width - 94, 10];
  const scale = { x: (w - 8) / Math.max(1, layout.depth), y: (h - 8) / Math.max(1, layout.rows) };
  context.globalAlpha = 0.92;
  context.fillStyle = colours.ground;
  context.fillRect(left, top, w, h);
  context.globalAlpha = 1;
  for (const point of layout.points) {
    context.fillStyle = colours.of(point.node.value);
    context.fillRect(left + 4 + point.x * scale.x, top + 4 + point.y * scale.y, 1.5, 1.5);
  }
  context.strokeStyle = colours.dim;
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, top + 0.5, w, h);
  context.strokeStyle = colours.focus;
  const y0 = Math.max(0, -view.top / view.row), y1 = Math.min(layout.rows, (height - view.top) / view.row);
  const x0 = Math.max(0, -view.left / view.step), x1 = Math.min(layout.depth, (width - view.left) / view.step);
  context.strokeRect(left + 2 + x0 * scale.x, top + 2 + y0 * scale.y, (x1 - x0) * scale.x + 4, (y1 - y0) * scale.y + 4);
}
