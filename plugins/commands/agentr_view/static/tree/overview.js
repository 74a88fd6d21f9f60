// The whole tree at a glance, on a canvas: the same tree, the same marks and the same selection as the treegrid, which
// is its accessible twin. Ctrl and the wheel zoom, dragging pans, a click goes to a node.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { plain } from "../text.js";
import { between, laidOut } from "./overview_layout.js";
import { paint } from "./overview_paint.js";
import { SHAPES, actionOf, outcome } from "./model.js";
import { number } from "../format.js";

/**
 * @typedef {import("./state.js").TreeState} TreeState
 * @typedef {{row: number, step: number, top: number, left: number}} View
 *   pixels a row and a step; and where the layout's beginning lies
 */

/** Pixels around the drawing, a row that is comfortable to read, and the least and the widest step. */
const AIR = 14;
const TALL = 18;
const STEP = [10, 150];

/** @param {{state: TreeState}} props */
export function Overview({ state }) {
  const canvas = useRef(/** @type {HTMLCanvasElement|null} */ (null));
  const [told, tell] = useState("");
  const drawn = useRef(/** @type {Drawing|null} */ (null));
  useEffect(() => {
    const drawing = new Drawing(/** @type {HTMLCanvasElement} */ (canvas.current), state, tell);
    drawn.current = drawing;
    return () => drawing.end();
  }, [state]);
  useEffect(() => drawn.current?.layOut(), [state.tree.value, state.showing.value]);
  useEffect(() => drawn.current?.follow(), [state.selected.value]);
  useEffect(() => drawn.current?.draw(), [state.marks.value, state.beside.value]);
  return html`<div class="overview">
    <canvas ref=${canvas} aria-hidden="true"></canvas>
    <div class="overview-tools">
      <button class="small" title="fit the whole tree" aria-label="fit the overview" onClick=${() => drawn.current?.fit()}>fit</button>
      <button class="small" title="zoom in (ctrl and wheel)" aria-label="zoom into the overview" onClick=${() => drawn.current?.zoom(1.6)}>+</button>
      <button class="small" title="zoom out (ctrl and wheel)" aria-label="zoom out of the overview" onClick=${() => drawn.current?.zoom(1 / 1.6)}>−</button>
    </div>
    <p class="overview-told" aria-hidden="true">${told}</p>
  </div>`;
}

/** What keeps a canvas up to date; made once for an element. */
class Drawing {
  constructor(/** @type {HTMLCanvasElement} */ canvas, /** @type {TreeState} */ state, /** @type {(text: string) => void} */ tell) {
    this.canvas = canvas;
    this.state = state;
    this.tell = tell;
    this.view = /** @type {View} */ ({ row: TALL, step: 60, top: AIR, left: AIR });
    this.fitted = true;
    this.base = document.createElement("canvas");
    this.stale = true;
    this.asked = 0;
    this.layout = laidOut(null, state.showing.value);
    this.ended = new AbortController();
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(canvas);
    const { signal } = this.ended;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(), { signal });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
    canvas.addEventListener("pointerdown", (event) => this.press(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.hover(event), { signal });
    this.layOut();
  }

  end() {
    this.ended.abort();
    this.watcher.disconnect();
    cancelAnimationFrame(this.asked);
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    if (this.fitted) this.fit();
    else this.draw();
  }

  layOut() {
    this.layout = laidOut(this.state.tree.value.root, this.state.showing.value);
    if (this.fitted) this.fit();
    else this.draw();
  }

  /** The whole tree in view. */
  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const { depth, rows } = this.layout;
    const row = Math.min(TALL, Math.max(0.2, (height - 2 * AIR) / Math.max(1, rows)));
    const step = Math.min(STEP[1], Math.max(STEP[0], (width - 2 * AIR - 60) / Math.max(1, depth)));
    this.view = { row, step, left: AIR, top: (height - rows * row) / 2 };
    this.fitted = true;
    this.draw();
  }

  /** Larger or smaller around a point, the middle if none is said. */
  zoom(/** @type {number} */ by, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const { view } = this;
    const row = Math.min(2 * TALL, Math.max(0.2, view.row * by));
    const step = Math.min(STEP[1], Math.max(STEP[0], row >= TALL / 2 ? Math.max(view.step * Math.sqrt(by), STEP[0]) : view.step));
    this.view = { row, step, top: y - ((y - view.top) * row) / view.row, left: x - ((x - view.left) * step) / view.step };
    this.fitted = false;
    this.draw();
  }

  /** Have the selected node in view. */
  follow() {
    const point = this.layout.byNode.get(this.state.selected.value);
    const before = { ...this.view };
    if (point && !this.fitted) {
      const { view, canvas } = this;
      const x = view.left + point.x * view.step, y = view.top + point.y * view.row;
      if (x < AIR || x > canvas.clientWidth - 80) view.left += canvas.clientWidth / 3 - x;
      if (y < AIR || y > canvas.clientHeight - AIR) view.top += canvas.clientHeight / 2 - y;
    }
    const moved = before.left !== this.view.left || before.top !== this.view.top;
    this.draw(moved);
  }

  /** In the next frame; only the selection if nothing else has changed. */
  draw(stale = true) {
    this.stale ||= stale;
    cancelAnimationFrame(this.asked);
    this.asked = requestAnimationFrame(() => {
      paint(this.canvas, this.base, this.stale, this.layout, this.view, this.state);
      this.stale = false;
    });
  }

  wheel(/** @type {WheelEvent} */ event) {
    if (!event.ctrlKey && this.fitted) return; // the page scrolls
    event.preventDefault();
    if (event.ctrlKey) this.zoom(Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
    else this.pan(-event.deltaX, -event.deltaY);
  }

  pan(/** @type {number} */ x, /** @type {number} */ y) {
    this.view = { ...this.view, left: this.view.left + x, top: this.view.top + y };
    this.fitted = false;
    this.draw();
  }

  press(/** @type {PointerEvent} */ event) {
    const ended = new AbortController();
    let moved = 0;
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.addEventListener("pointermove", (each) => {
      moved += Math.abs(each.movementX) + Math.abs(each.movementY);
      if (moved > 4) this.pan(each.movementX, each.movementY);
    }, { signal: ended.signal });
    this.canvas.addEventListener("pointerup", (each) => {
      ended.abort();
      const point = moved > 4 ? null : this.at(each.offsetX, each.offsetY);
      if (point) this.state.reveal(point.node.id);
    }, { signal: ended.signal });
    this.canvas.addEventListener("pointercancel", () => ended.abort(), { signal: ended.signal });
  }

  hover(/** @type {PointerEvent} */ event) {
    const point = event.buttons ? null : this.at(event.offsetX, event.offsetY);
    this.canvas.classList.toggle("over", point !== null);
    this.tell(point ? described(point) : "");
  }

  /** The point under the pointer, or the nearest within a few pixels. */
  at(/** @type {number} */ x, /** @type {number} */ y) {
    const { row, step, top, left } = this.view;
    const reach = Math.max(8, row / 2);
    let best = null, least = 14;
    for (const point of between(this.layout, (y - top - reach) / row, (y - top + reach) / row)) {
      const far = Math.hypot(left + point.x * step - x, (top + point.y * row - y) * 1.5);
      if (far < least) [best, least] = [point, far];
    }
    return best;
  }
}

function described(/** @type {import("./overview_layout.js").Point} */ { node, nodes }) {
  if (nodes.length > 1) return `${nodes.length} not played`;
  const [shape, name] = SHAPES[outcome(node)] ?? ["", ""];
  return `${shape} ${plain(actionOf(node), 80)}  N ${number(node.visits)}  Q ${number(node.value)}  ${name}`;
}
