// The indented tree: a WAI-ARIA treegrid of rows of one height, of which only those in sight (and the one with the
// focus) are in the document. One row can be reached by Tab; the arrows go from row to row.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { classes, html } from "../html.js";
import { number } from "../format.js";
import { Line, plain } from "../text.js";
import { enabled } from "../keys.js";
import { tint } from "./colour.js";
import { SHAPES, actionOf, isEnd, isInvalid, outcome } from "./model.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./state.js").TreeState} TreeState
 * @typedef {{label: string, of: (state: TreeState) => import("./state.js").Marks|null}} Critic
 */

/** The height of a row, in pixels; the stylesheet says the same. */
export const ROW = 26;
const AROUND = 8;
const VERDICTS = /** @type {Record<string, string>} */ ({ good: "✓ good", bad: "✗ bad", uncertain: "? uncertain" });

/** @param {{state: TreeState, critics: Critic[], label: string}} props */
export function Treegrid({ state, critics, label }) {
  const box = useRef(/** @type {HTMLDivElement|null} */ (null));
  const [view, setView] = useState({ top: 0, height: 600 });
  const rows = state.rows.value;
  const active = Math.max(0, rows.findIndex((row) => row.key === state.active.value));
  const focus = state.focus.value;
  const inSight = useRef(true); // rows that come above the active one do not push it out
  const at = useRef(0);
  at.current = active;

  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (box.current);
    const look = () => {
      const top = at.current * ROW;
      inSight.current = top + ROW > element.scrollTop && top < element.scrollTop + element.clientHeight;
      setView({ top: element.scrollTop, height: element.clientHeight });
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      watcher.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  useLayoutEffect(() => {
    inSight.current = true;
  }, [state.active.value, focus]);
  useLayoutEffect(() => {
    if (inSight.current) scrollTo(box.current, active);
  }, [state.active.value, focus, active]);
  useLayoutEffect(() => {
    const row = /** @type {HTMLElement|null|undefined} */ (box.current?.querySelector('[tabindex="0"]'));
    if (focus) row?.focus({ preventScroll: true });
  }, [focus]);

  const first = Math.max(0, Math.floor(view.top / ROW) - AROUND);
  const last = Math.min(rows.length - 1, Math.ceil((view.top + view.height) / ROW) + AROUND);
  const drawn = rows.slice(first, last + 1).map((row, at) => /** @type {[Row, number]} */ ([row, first + at]));
  if (rows[active] && (active < first || active > last)) drawn.push([rows[active], active]);
  const titles = ["step", "N", "Q", "reward", ...critics.map((each) => each.label), "observation"];
  return html`<div class=${`treegrid critics-${critics.length}`} role="treegrid" aria-label=${plain(label)} aria-rowcount=${rows.length + 1}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => pressed(event, state)}>
    <div role="rowgroup"><div class="tree-head" role="row" aria-rowindex="1">
      ${titles.map((title) => html`<span role="columnheader" class=${heading(title)} title=${plain(title)}><${Line} text=${title} limit=${24} /></span>`)}
    </div></div>
    <div class="tree-scroll" role="rowgroup" ref=${box}>
      <div class="tree-room" role="presentation" style=${{ height: `${rows.length * ROW}px` }}></div>
      ${drawn.map(([row, at]) => html`<${One} key=${row.key} row=${row} at=${at} state=${state} critics=${critics} active=${at === active} />`)}
    </div>
  </div>`;
}

function heading(/** @type {string} */ title) {
  return { N: "num", Q: "num", reward: "num", step: "step", observation: "seen" }[title] ?? "verdict";
}

/** Have a row in sight, a little away from the edge. */
function scrollTo(/** @type {HTMLDivElement|null} */ box, /** @type {number} */ at) {
  if (!box) return;
  const air = Math.min(2 * ROW, box.clientHeight / 4);
  if (at * ROW < box.scrollTop + air) box.scrollTop = Math.max(0, at * ROW - air);
  else if ((at + 1) * ROW > box.scrollTop + box.clientHeight - air) box.scrollTop = (at + 1) * ROW - box.clientHeight + air;
}

/** @param {{row: Row, at: number, state: TreeState, critics: Critic[], active: boolean}} props */
function One({ row, at, state, critics, active }) {
  const { node, kind } = row;
  const came = kind === "group" ? "unplayed" : outcome(node);
  const fresh = state.until.value !== null && kind === "node" && node.simulation === state.until.value;
  const name = classes({ "tree-row": true, active, fresh, [kind]: true, [`is-${came}`]: came });
  const turn = (/** @type {Event} */ event) => {
    event.stopPropagation();
    state.goTo(row.key);
    state.turn(row, kind === "chain" || !row.open);
  };
  return html`<div class=${name} role="row" style=${{ top: `${at * ROW}px` }} tabindex=${active ? 0 : -1}
      aria-level=${row.level} aria-posinset=${row.position} aria-setsize=${row.siblings} aria-rowindex=${at + 2}
      aria-expanded=${row.parts ? row.open : undefined} aria-selected=${active} data-key=${row.key}
      onClick=${() => state.goTo(row.key)} onDblClick=${turn}>
    <span role="gridcell" class="step" style=${{ paddingLeft: `calc(var(--indent) * ${row.level - 1})` }}>
      <span class="turner" aria-hidden="true" onClick=${row.parts ? turn : undefined}>${row.parts ? (kind === "chain" ? "⋯" : row.open ? "▾" : "▸") : ""}</span>
      <${Glyph} came=${came} value=${node.value} />
      <${Title} row=${row} />
    </span>
    ${kind === "group" ? html`<span role="gridcell"></span><span role="gridcell"></span><span role="gridcell"></span>` : html`
      <span role="gridcell" class="num">${number(node.visits)}</span>
      <span role="gridcell" class="num q"><span class="q-chip" style=${{ background: tint(node.value) }}></span>${number(node.value)}</span>
      <span role="gridcell" class="num">${isEnd(node) ? number(node.reward) : ""}</span>`}
    ${critics.map((each) => html`<${Said} row=${row} marks=${each.of(state)} />`)}
    <span role="gridcell" class="seen">${kind === "node" ? html`<${Line} text=${node.line} limit=${120} />` : kind === "chain" && beside(row) ? `+${beside(row)} not played` : ""}</span>
  </div>`;
}

/** How many were not played beside the steps of a chain. */
function beside(/** @type {Row} */ { nodes }) {
  return nodes.reduce((sum, node) => sum + node.children.filter((child) => outcome(child) === "unplayed").length, 0);
}

/** The shape of an outcome, with its name for those who do not see it. */
export function Glyph(/** @type {{came: string, value?: number|null}} */ { came, value = null }) {
  const [shape, name] = SHAPES[came] ?? ["", ""];
  return html`<span class=${`glyph ${came || "inner"}`} role=${name ? "img" : undefined} aria-label=${name || undefined} aria-hidden=${name ? undefined : "true"}
    title=${name} style=${came ? undefined : { color: tint(value) }}>${shape}</span>`;
}

function Title(/** @type {{row: Row}} */ { row }) {
  const { node, nodes, kind } = row;
  if (kind === "group") return html`<span class="dim">+${nodes.length} not played</span>`;
  if (kind === "chain") return html`<span class="chain-count">${nodes.length} steps</span> <${Line} text=${nodes.map(actionOf).join(" › ")} limit=${160} />`;
  return html`<span class=${node.parent === null || node.action === null ? "dim" : "action"}><${Line} text=${actionOf(node)} limit=${120} /></span>
    ${(node.copies ?? 1) > 1 ? html`<span class="dim copies" title="drawn so often"> ×${node.copies}</span>` : null}
    ${isInvalid(node) ? html`<span class="dim" title="the turn was refused, or had no action"> refused</span>` : null}`;
}

/** What a critic said of a node, and how many revisions are cut after it. */
function Said(/** @type {{row: Row, marks: import("./state.js").Marks|null}} */ { row, marks }) {
  const bad = row.kind === "chain" ? row.nodes.filter((node) => marks?.verdicts.get(node.id) === "bad").length : 0;
  const label = row.kind === "node" ? marks?.verdicts.get(row.node.id) : undefined;
  const cuts = row.kind === "node" ? marks?.cuts.get(row.node.id) : undefined;
  return html`<span role="gridcell" class="verdict">
    ${bad > 0 && html`<span class="label-bad">✗ ${bad} bad</span>`}
    ${cuts ? html`<span class="cut" title=${`${cuts} cut after this step`}>✂${cuts > 1 ? cuts : ""}<span class="unseen-text"> cut</span></span> ` : null}
    ${label && html`<span class=${`label-${label in VERDICTS ? label : "other"}`}>${VERDICTS[label] ?? html`<${Line} text=${label} />`}</span>`}
  </span>`;
}

/** The keys of the treegrid pattern; they work wherever the focus is inside it. */
function pressed(/** @type {KeyboardEvent} */ event, /** @type {TreeState} */ state) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const row = state.row.value;
  if (!row) return;
  const rows = state.rows.value;
  const page = Math.max(1, Math.floor(/** @type {HTMLElement} */ (event.currentTarget).clientHeight / ROW) - 2);
  const child = () => rows[rows.indexOf(row) + 1]?.parent === row.key && state.move(1);
  const moves = /** @type {Record<string, () => void>} */ ({
    ArrowDown: () => state.move(1),
    ArrowUp: () => state.move(-1),
    PageDown: () => state.move(page),
    PageUp: () => state.move(-page),
    Home: () => state.move(-rows.length),
    End: () => state.move(rows.length),
    ArrowRight: () => (row.parts && !row.open ? state.turn(row, true) : child()),
    ArrowLeft: () => (row.parts && row.open && row.kind !== "chain" ? state.turn(row, false) : row.parent && state.goTo(row.parent)),
    Enter: () => row.parts && state.turn(row, row.kind === "chain" || !row.open),
    "*": () => state.openSiblings(row),
  });
  const run = moves[event.key] ?? (enabled.value || event.key.length !== 1 ? undefined : () => typed(state, event.key));
  if (!run) return;
  event.preventDefault();
  event.stopPropagation();
  run();
}

/** Type-ahead, where single keys are not commands: the next row whose action begins with the letter. */
function typed(/** @type {TreeState} */ state, /** @type {string} */ letter) {
  const rows = state.rows.value;
  const at = rows.findIndex((row) => row.key === state.active.value);
  const around = [...rows.slice(at + 1), ...rows.slice(0, at + 1)];
  const found = around.find((row) => row.kind !== "group" && actionOf(row.node).toLowerCase().startsWith(letter.toLowerCase()));
  if (found) state.goTo(found.key);
}
