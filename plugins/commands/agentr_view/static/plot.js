// Plots. Any plot the server knows is drawn: numbers along x as curves with whiskers where there are intervals,
// categories as bars. Each has its numbers as a table beneath it.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { html } from "./html.js";
import { figure } from "./format.js";
import { Line, plain } from "./text.js";
import { Table } from "./table.js";

/**
 * @typedef {{name: string, x: number[], y: (number|null)[], low?: (number|null)[], high?: (number|null)[]}} Series
 * @typedef {{id: string, title: string, kind?: string, x: {label: string, categories?: string[]|null},
 *   y: {label: string, unit?: string}, series: Series[], stacked?: boolean, notes?: string[]}} PlotData
 *   of bars, x are numbers of `categories`; the unit "%" is of shares
 */

const HEIGHT = 220;
const HUES = 6;
const DASHES = [[], [6, 4], [2, 3]];

/** @param {{plot: PlotData}} props */
export function Plot({ plot }) {
  const empty = !plot.series.some((each) => each.y.some((value) => value !== null));
  return html`<figure class="plot" id=${plot.id}>
    <figcaption><${Line} text=${plot.title} /></figcaption>
    ${empty ? html`<p class="dim">Nothing yet.</p>` : plot.x.categories ? html`<${Bars} plot=${plot} />` : html`<${Curves} plot=${plot} />`}
    ${plot.notes?.map((note) => html`<p class="note"><${Line} text=${note} limit=${1000} /></p>`)}
    ${!empty && html`<details><summary>Numbers</summary><${Table} table=${numbers(plot)} heading=${false} /></details>`}
  </figure>`;
}

function shown(/** @type {PlotData} */ plot, /** @type {number|null|undefined} */ value) {
  if (value === null || value === undefined) return "–";
  if (plot.y.unit === "%") return `${figure(100 * value)}%`;
  return plot.y.unit ? `${figure(value)} ${plot.y.unit}` : figure(value);
}

/** The x of all series, sorted, each once. */
function places(/** @type {PlotData} */ plot) {
  return [...new Set(plot.series.flatMap((each) => each.x))].sort((a, b) => a - b);
}

function called(/** @type {PlotData} */ plot, /** @type {number} */ x) {
  return plot.x.categories?.[x] ?? figure(x);
}

/** @returns {import("./table.js").TableData} */
function numbers(/** @type {PlotData} */ plot) {
  const rows = places(plot).map((x) => [
    called(plot, x),
    ...plot.series.map((each) => {
      const at = each.x.indexOf(x);
      if (at < 0) return "–";
      const interval = each.low?.[at] != null ? ` (${shown(plot, each.low[at])} to ${shown(plot, each.high?.[at])})` : "";
      return shown(plot, each.y[at]) + interval;
    }),
  ]);
  return { id: `${plot.id}-numbers`, title: `Numbers of ${plot.title}`, columns: [plot.x.label, ...plot.series.map((each) => each.name)], rows };
}

/** Horizontal bars, a category a row; shares of one whole in one bar. */
function Bars(/** @type {{plot: PlotData}} */ { plot }) {
  const value = (/** @type {Series} */ each, /** @type {any} */ x) => each.y[each.x.indexOf(x)] ?? 0;
  const wholes = places(plot).map((x) => plot.series.map((each) => value(each, x)));
  const most = Math.max(...wholes.map((row) => (plot.stacked ? row.reduce((a, b) => a + b, 0) : Math.max(...row))), 1e-9);
  const bar = (/** @type {Series} */ each, /** @type {any} */ x, /** @type {number} */ hue) => html`<span
    class=${`bar hue${hue % HUES}`} title=${plain(`${each.name}: ${shown(plot, value(each, x))}`)}
    style=${{ width: `${(100 * value(each, x)) / most}%` }}></span>`;
  return html`<div class="bars">
    ${places(plot).map((x) => html`<div class="bar-row">
      <span class="bar-name"><${Line} text=${called(plot, x)} /></span>
      ${plot.stacked
        ? html`<span class="bar-line stacked">${plot.series.map((each, hue) => bar(each, x, hue))}</span>`
        : html`<span class="bar-group">${plot.series.map((each, hue) => html`<span class="bar-line">${bar(each, x, hue)}<span class="bar-value">${shown(plot, value(each, x))}</span></span>`)}</span>`}
    </div>`)}
    ${plot.series.length > 1 && html`<div class="legend">${plot.series.map((each, hue) => html`<span><i class=${`swatch hue${hue % HUES}`}></i><${Line} text=${each.name} /></span>`)}</div>`}
  </div>`;
}

/** Curves on a canvas, as wide as there is room, in the colours of the theme. */
function Curves(/** @type {{plot: PlotData}} */ { plot }) {
  const box = useRef(/** @type {HTMLDivElement|null} */ (null));
  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (box.current);
    let drawn = /** @type {uPlot|null} */ (null);
    const draw = () => {
      drawn?.destroy();
      drawn = new uPlot(options(plot, element), data(plot), element);
    };
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const watcher = new ResizeObserver(() => drawn?.setSize({ width: Math.max(200, element.clientWidth), height: HEIGHT }));
    draw();
    watcher.observe(element);
    dark.addEventListener("change", draw);
    return () => {
      watcher.disconnect();
      dark.removeEventListener("change", draw);
      drawn?.destroy();
    };
  }, [plot]);
  return html`<div class="curves" ref=${box} role="img" aria-label=${plain(`${plot.title}; its numbers are in the table below`)}></div>`;
}

function data(/** @type {PlotData} */ plot) {
  const xs = places(plot);
  const along = (/** @type {Series} */ each, /** @type {any} */ values) => {
    const at = new Map(each.x.map((x, index) => [x, values?.[index] ?? null]));
    return xs.map((x) => at.get(x) ?? null);
  };
  return /** @type {any} */ ([xs, ...plot.series.map((each) => along(each, each.y))]);
}

function options(/** @type {PlotData} */ plot, /** @type {HTMLElement} */ element) {
  const style = getComputedStyle(element);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const xs = places(plot);
  const whole = xs.every(Number.isInteger);
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: `11px ${style.fontFamily}`, labelFont: `11px ${style.fontFamily}`, labelSize: 18 };
  const scale = plot.y.unit === "%" ? 100 : 1;
  const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000, 500000, 1e6];
  return /** @type {any} */ ({
    width: Math.max(200, element.clientWidth),
    height: HEIGHT,
    scales: { x: { time: false, range: () => spread(plot) }, y: { range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => heights(plot, low, high) } },
    cursor: { drag: { x: false, y: false } },
    legend: { show: plot.series.length > 1 },
    axes: [
      { ...axis, label: plain(plot.x.label), size: 30, incrs: whole ? steps.filter((each) => each >= 1) : steps, values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((x) => figure(x)) },
      { ...axis, label: plain(plot.y.label), size: 66, values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((y) => figure(y * scale) + (plot.y.unit === "%" ? "%" : "")) },
    ],
    series: [
      { label: plain(plot.x.label), value: (/** @type {any} */ _, /** @type {number|null} */ x) => (x === null ? "–" : figure(x)) },
      ...plot.series.map((each, at) => ({
        label: plain(each.name, 40),
        stroke: colour(`--hue${at % HUES}`),
        dash: DASHES[Math.floor(at / HUES) % DASHES.length],
        width: 1.5,
        spanGaps: true,
        points: { show: each.x.length <= 60, size: 6, fill: colour(`--hue${at % HUES}`) },
        value: (/** @type {any} */ _, /** @type {number|null} */ y) => shown(plot, y),
      })),
    ],
    hooks: { draw: [(/** @type {any} */ u) => whiskers(u, plot, colour)] },
  });
}

/** A little air on both sides, and room for a single point. */
function spread(/** @type {PlotData} */ plot) {
  const all = plot.series.flatMap((each) => each.x);
  const low = Math.min(...all), high = Math.max(...all);
  const air = high > low ? (high - low) * 0.04 : 0.5;
  return [low - air, high + air];
}

/** From zero to all for shares; else around what there is, intervals included. */
function heights(/** @type {PlotData} */ plot, /** @type {number} */ low, /** @type {number} */ high) {
  if (plot.y.unit === "%") return [0, 1];
  const all = plot.series.flatMap((each) => [...(each.low ?? []), ...(each.high ?? [])]).filter((each) => each !== null);
  const bottom = Math.min(low ?? 0, ...all);
  const top = Math.max(high ?? 1, ...all);
  const air = (top - bottom || Math.abs(top) || 1) * 0.08;
  return [bottom >= 0 ? Math.max(0, bottom - air) : bottom - air, top + air];
}

/** Intervals as vertical lines; series beside each other are moved apart by a few pixels. */
function whiskers(/** @type {any} */ u, /** @type {PlotData} */ plot, /** @type {(name: string) => string} */ colour) {
  const { ctx } = u;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  plot.series.forEach((each, number) => {
    if (!each.low || !u.series[number + 1].show) return;
    ctx.strokeStyle = colour(`--hue${number % HUES}`);
    ctx.lineWidth = 1.25 * ratio;
    each.x.forEach((x, at) => {
      const low = each.low?.[at], high = each.high?.[at];
      if (low == null || high == null) return;
      const left = u.valToPos(x, "x", true), [y0, y1] = [u.valToPos(low, "y", true), u.valToPos(high, "y", true)];
      ctx.beginPath();
      for (const y of [y0, y1]) { ctx.moveTo(left - 4 * ratio, y); ctx.lineTo(left + 4 * ratio, y); }
      ctx.moveTo(left, y0);
      ctx.lineTo(left, y1);
      ctx.stroke();
    });
  });
  ctx.restore();
}
