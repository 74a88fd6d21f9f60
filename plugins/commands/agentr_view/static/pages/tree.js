// A tree: the whole of it on a canvas, its rows as a treegrid, the selected node beside them, and the simulations as a
// slider. What is selected, which critic's marks are shown and how far the search is shown stand in the address.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Answered, ask, path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { duration, number } from "../format.js";
import { useKeys } from "../keys.js";
import { change } from "../live.js";
import { place, replace, to } from "../routes.js";
import { Line, Text, plain } from "../text.js";
import { Page } from "../frame.js";
import { NodePanel } from "../tree/node_panel.js";
import { Overview } from "../tree/overview.js";
import { Scrubber } from "../tree/scrubber.js";
import { TreeState, marksOf } from "../tree/state.js";
import { Treegrid } from "../tree/treegrid.js";

/** @param {{run: string, tree: number}} props */
export function TreePage({ run, tree }) {
  const { answer, state } = useTree(tree);
  useLoneArrows();
  return html`<${Page} title=${`tree ${tree}`} run=${run} where="trees" wide=${true}>
    <${Answered} answer=${answer} what="the tree">
      ${(/** @type {any} */ data) => state && html`<${Explorer} key=${tree} run=${data.run.key} data=${data} state=${state} />`}
    <//>
  <//>`;
}

/** An arrow goes to the rows from wherever nothing else has the focus: after a key, a reload or a link that led here. */
function useLoneArrows() {
  useEffect(() => {
    const enter = (/** @type {KeyboardEvent} */ event) => {
      const alone = document.activeElement === document.body || document.activeElement?.tagName === "H1";
      if (!alone || event.ctrlKey || event.metaKey || event.altKey || !/^Arrow|^Home$|^End$/.test(event.key)) return;
      const row = /** @type {HTMLElement|null} */ (document.querySelector('[role="treegrid"] [tabindex="0"]'));
      if (!row) return;
      event.preventDefault();
      row.focus();
      row.dispatchEvent(new KeyboardEvent("keydown", { key: event.key, bubbles: true }));
    };
    document.addEventListener("keydown", enter);
    return () => document.removeEventListener("keydown", enter);
  }, []);
}

/** The tree, followed while it grows: after the first answer only what is new is asked for. */
function useTree(/** @type {number} */ tree) {
  const [held, hold] = useState(/** @type {{tree: number, data: any, state: TreeState|null, error: any}} */ ({ tree: -1, data: null, state: null, error: null }));
  const latest = useRef(held);
  latest.current = held;
  const version = change.value;
  useEffect(() => {
    const controller = new AbortController();
    const before = latest.current.tree === tree ? latest.current : null;
    const since = before?.state ? before.data.since : undefined;
    ask(url(["trees", tree], { since }), controller.signal).then(
      (data) => {
        before?.state?.grow(data.columns, data.whole);
        hold({ tree, data, state: before?.state ?? new TreeState(data.columns), error: null });
      },
      (error) => error.name !== "AbortError" && hold({ ...latest.current, tree, data: before?.data ?? null, state: before?.state ?? null, error }),
    );
    return () => controller.abort();
  }, [tree, version]);
  const here = held.tree === tree;
  return { answer: { data: here ? held.data : null, error: here ? held.error : null }, state: here ? held.state : null };
}

function Explorer(/** @type {{run: string, data: any, state: TreeState}} */ { run, data, state }) {
  const { parts, query } = place.value;
  const tree = data.tree.id;
  const sets = data.sets ?? [];
  const chosen = [query.set, sets[0]?.id].map(String).find((id) => sets.some((/** @type {any} */ set) => String(set.id) === id));
  const node = parts[4] === "node" ? Number(parts[5]) : null;
  useMarks(state, tree, chosen, query.beside);
  useMemo(() => {
    state.until.value = query.sim === undefined ? null : Number(query.sim);
    if (node !== null) state.reveal(node, false);
  }, [state]);
  // Which node of the address is from here: the reader may have gone on since, and is not to be called back to it.
  const written = useRef(node);
  useEffect(() => {
    if (node !== null && node !== written.current) state.reveal(node, false);
    written.current = node;
  }, [node]);
  const selected = useSettled(state.selected.value);
  useEffect(() => {
    written.current = state.selected.value;
    write(run, tree, state);
  }, [selected, state.until.value]);
  useTreeKeys(state);
  const critics = [{ label: label(sets, chosen) ?? "verdict", of: (/** @type {TreeState} */ each) => each.marks.value }];
  if (query.beside) critics.push({ label: label(sets, query.beside) ?? "beside", of: (each) => each.beside.value ?? marksOf(null) });
  return html`
    <${Facts} run=${run} data=${data} />
    <${Tools} state=${state} sets=${sets} chosen=${chosen} />
    <div class="explorer">
      <div class="explorer-tree">
        <${Overview} state=${state} />
        <${Treegrid} state=${state} critics=${critics} label=${`tree ${tree}`} />
        <${Scrubber} state=${state} />
      </div>
      <${NodePanel} state=${state} run=${run} tree=${tree} node=${selected} query=${{ set: chosen }} sets=${sets} />
    </div>`;
}

function label(/** @type {any[]} */ sets, /** @type {any} */ id) {
  return sets.find((set) => String(set.id) === String(id))?.label;
}

/** The marks of the critic that is shown, and of one beside it. */
function useMarks(/** @type {TreeState} */ state, /** @type {number} */ tree, /** @type {any} */ set, /** @type {any} */ beside) {
  const one = useAnswer(set ? url(["trees", tree, "marks"], { set }) : null).data;
  const two = useAnswer(beside ? url(["trees", tree, "marks"], { set: beside }) : null).data;
  useEffect(() => state.mark(marksOf(set ? one : null), beside && two ? marksOf(two) : null), [one, two, set, beside]);
}

/** A value once it has rested for a moment: whoever holds an arrow key down does not ask for every node. */
function useSettled(/** @type {number} */ value) {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), 90);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

function write(/** @type {string} */ run, /** @type {number} */ tree, /** @type {TreeState} */ state) {
  const { parts, query } = place.value;
  if (parts[2] !== "tree" || Number(parts[3]) !== tree) return;
  const id = state.selected.value;
  const node = id === state.tree.value.root?.id && parts[4] !== "node" ? [] : ["node", id];
  replace(to(["run", run, "tree", tree, ...node], { ...query, sim: state.until.value }));
}

function useTreeKeys(/** @type {TreeState} */ state) {
  /** @type {Record<string, () => void>} */
  const keys = {
    j: () => state.move(1),
    k: () => state.move(-1),
    "[": () => state.scrub(-1),
    "]": () => state.scrub(1),
    c: () => state.next("cut"),
    s: () => state.next("solved"),
    f: () => state.next("failed"),
    b: () => state.best(),
    v: () => (state.evaluated.value = !state.evaluated.value),
    Escape: () => state.begin(),
  };
  for (let depth = 1; depth <= 9; depth += 1) keys[String(depth)] = () => state.depth(depth);
  useKeys(keys);
}

function Facts(/** @type {{run: string, data: any}} */ { run, data }) {
  const { tree, task } = data;
  return html`<div class="facts">
    <span><${Line} text=${task.env} /> · <${Line} text=${task.key} /></span>
    <span>iteration ${tree.iteration}</span>
    <span class=${`status-${tree.status}`}>${tree.status}</span>
    <span>${number(tree.n_nodes)} nodes, ${number(tree.simulations)} simulations</span>
    <span>best reward ${number(tree.best_reward)}</span>
    <span>${duration(tree.elapsed_seconds)}</span>
    ${tree.error && html`<span class="bad-news"><${Line} text=${tree.error} /></span>`}
    <span><${Line} text=${tree.searcher} /> with <${Line} text=${tree.model} limit=${60} /></span>
    ${task.instruction && html`<div class="goal"><${Text} text=${task.instruction} limit=${400} /></div>`}
  </div>`;
}

function Tools(/** @type {{state: TreeState, sets: any[], chosen: any}} */ { state, sets, chosen }) {
  const { parts, query } = place.value;
  const choose = (/** @type {string} */ name) => (/** @type {any} */ event) => replace(to(parts, { ...query, [name]: event.target.value }));
  const beside = query.beside ?? "";
  return html`<div class="tools" role="toolbar" aria-label="tree">
    ${sets.length > 0 && html`<label>critic <select name="set" value=${chosen} onChange=${choose("set")}>
      ${sets.map((set) => html`<option value=${set.id} selected=${String(set.id) === chosen}>${plain(set.label, 60)}</option>`)}</select></label>`}
    ${sets.length > 1 && html`<label>beside <select name="beside" value=${beside} onChange=${choose("beside")}><option value="">–</option>
      ${sets.map((set) => html`<option value=${set.id} selected=${String(set.id) === beside}>${plain(set.label, 60)}</option>`)}</select></label>`}
    <span class="buttons">
      <button title="the best end (b)" onClick=${() => state.best()}>best</button>
      <button title="next cut (c)" onClick=${() => state.next("cut")}>✂ next cut</button>
      <button title="next solved (s)" onClick=${() => state.next("solved")}>● next solved</button>
      <button title="next failed (f)" onClick=${() => state.next("failed")}>✕ next failed</button>
      <button title="only what was played (v)" aria-pressed=${state.evaluated.value} onClick=${() => (state.evaluated.value = !state.evaluated.value)}>only played</button>
      <button title="open everything (9)" onClick=${() => state.depth(Infinity)}>open all</button>
      <button title="fold as at first (Esc)" onClick=${() => state.begin()}>fold</button>
    </span>
  </div>`;
}
