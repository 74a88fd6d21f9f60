// All about one node: what was thought, done and seen; its children with N, Q and UCT; what critics said of it; which
// revisions are cut here; what it took. Its texts are asked for when it is selected.
import { Answered, path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { figure, number, percent } from "../format.js";
import { to } from "../routes.js";
import { Rows } from "../table.js";
import { Line, Text, plain } from "../text.js";
import { Glyph } from "./treegrid.js";
import { Tokens } from "./tokens.js";
import { actionOf, outcome, path } from "./model.js";

/**
 * @typedef {import("./state.js").TreeState} TreeState
 * @param {{state: TreeState, run: string, tree: number, node: number, query: Record<string, any>, sets: any[]}} props
 */
export function NodePanel({ state, run, tree, node, query, sets }) {
  const answer = useAnswer(url(["trees", tree, "nodes", node], { set: query.set }));
  const known = state.tree.value.nodes.get(node);
  return html`<section class="node-panel" aria-label="the selected node">
    <${Head} state=${state} node=${node} />
    ${known && html`<${Answered} answer=${answer} what="the node">
      ${(/** @type {any} */ data) => html`
        <${Said} data=${data} root=${known.parent === null} />
        <${Verdicts} verdicts=${data.verdicts ?? []} sets=${sets} chosen=${query.set} />
        <${Cuts} samples=${data.samples ?? []} run=${run} tree=${tree} sets=${sets} />
        <${Children} state=${state} items=${data.children ?? []} formula=${data.uct} />
        <${Tokens} tokens=${data.tokens} />
        <${Costs} data=${data} />
        <${Raw} info=${data.info} />`}
    <//>`}
  </section>`;
}

function Head(/** @type {{state: TreeState, node: number}} */ { state, node }) {
  const way = path(state.tree.value, node);
  const here = way.at(-1);
  if (!here) return html`<p class="dim">This tree has no node ${node}.</p>`;
  const came = outcome(here);
  return html`
    <h2><${Glyph} came=${came} value=${here.value} /> node ${node}
      <span class="dim"> step ${here.depth} · N ${number(here.visits)} · Q ${number(here.value)}${came && came !== "unplayed" ? html` · reward ${number(here.reward)}` : null} · made in simulation ${here.simulation}</span></h2>
    ${way.length > 1 && html`<nav class="way" aria-label="the way to this node">
      ${way.slice(0, -1).map((each) => html`<button class="plain" title=${plain(actionOf(each))} onClick=${() => state.reveal(each.id)}><${Line} text=${actionOf(each)} limit=${28} /></button><span aria-hidden="true"> › </span>`)}
      <span><${Line} text=${actionOf(here)} limit=${28} /></span>
    </nav>`}`;
}

function Part(/** @type {{title: any, children?: any}} */ { title, children }) {
  return html`<div class="part"><h3>${title}</h3>${children}</div>`;
}

function Said(/** @type {{data: any, root: boolean}} */ { data, root }) {
  const flags = (Array.isArray(data.flags) ? data.flags : Object.keys(data.flags ?? {}).filter((name) => data.flags[name])).filter((/** @type {string} */ name) => !["expanded", "exhausted"].includes(name));
  const whole = data.thought === null && data.action === null && data.response;
  return html`
    ${flags.length ? html`<p class="tags">${flags.map((/** @type {string} */ name) => html`<span class="tag">${name}</span>`)}</p>` : null}
    ${data.thought && html`<${Part} title="thought"><${Text} text=${data.thought} /><//>`}
    ${data.action !== null && data.action !== undefined && html`<${Part} title="action"><${Text} text=${data.action} class="mono" /><//>`}
    ${whole && html`<${Part} title="response"><${Text} text=${data.response} /><//>`}
    <${Part} title=${root ? "the task as it begins" : "observation"}><${Text} text=${data.observation} /><//>
    ${data.score ? html`<p class="dim">score ${figure(data.score)}</p>` : null}`;
}

function Verdicts(/** @type {{verdicts: any[], sets: any[], chosen: any}} */ { verdicts, sets, chosen }) {
  if (!verdicts.length) return null;
  const name = (/** @type {any} */ each) => sets.find((set) => set.id === each.set)?.label ?? each.critic;
  return html`<${Part} title="verdicts">
    <dl class="verdicts">${verdicts.map((each) => html`
      <dt class=${each.set != null && String(each.set) === String(chosen) ? "chosen" : ""}>
        <span class=${`label-${["good", "bad", "uncertain"].includes(each.label) ? each.label : "other"}`}><${Line} text=${each.label} /></span> <${Line} text=${name(each)} /></dt>
      <dd>${each.rationale ? html`<${Text} text=${each.rationale} limit=${1200} />` : html`<span class="dim">no reason given</span>`}</dd>`)}</dl>
  <//>`;
}

function Cuts(/** @type {{samples: any[], run: string, tree: number, sets: any[]}} */ { samples, run, tree, sets }) {
  const here = samples.filter((each) => each.cut_here !== false);
  const ends = samples.length - here.length;
  if (!samples.length) return null;
  const columns = [
    { title: "revision", cell: (/** @type {any} */ each) => html`<a href=${to(["run", run, "revision", each.set, tree, each.kind, each.bad, each.good])}><${Line} text=${each.kind} /> ${each.bad < 0 ? each.good : `${each.bad} → ${each.good}`}</a>` },
    { title: "critic", cell: (/** @type {any} */ each) => html`<${Line} text=${sets.find((set) => set.id === each.set)?.label ?? `set ${each.set}`} />` },
    { title: "cut", num: true, cell: (/** @type {any} */ each) => each.cut },
    { title: "replayed", cell: (/** @type {any} */ each) => (each.verified === null ? "–" : each.verified ? "held" : "fell") },
  ];
  return html`
    ${here.length > 0 && html`<${Part} title="✂ cut here"><${Rows} label="revisions that are cut here" columns=${columns} items=${here} /><//>`}
    ${ends > 0 && html`<details class="part"><summary>${ends} made of the attempt that ends here</summary><${Rows} label="revisions of this attempt" columns=${columns} items=${samples.filter((each) => each.cut_here === false)} /></details>`}`;
}

function Children(/** @type {{state: TreeState, items: any[], formula: string|null}} */ { state, items, formula }) {
  if (!items.length) return null;
  const has = (/** @type {string} */ name) => items.some((each) => typeof each[name] === "number");
  const only = (/** @type {string} */ title, /** @type {string} */ name) => (has(name) ? [{ title, num: true, cell: (/** @type {any} */ each) => figure(each[name]) }] : []);
  const learnt = has("advantage");
  const columns = [
    { title: "step", cell: (/** @type {any} */ each) => {
      const node = state.tree.value.nodes.get(each.node);
      return html`<button class="plain" onClick=${() => state.reveal(each.node)}>${node && html`<${Glyph} came=${outcome(node)} value=${each.value} />`} <${Line} text=${each.action ?? "(no action)"} limit=${80} /></button>`;
    } },
    { title: "N", num: true, cell: (/** @type {any} */ each) => number(each.visits) },
    { title: "Q", num: true, cell: (/** @type {any} */ each) => number(each.value) },
    ...only("V", "expected"),
    { title: "UCT", num: true, cell: (/** @type {any} */ each) => (formula && !each.visits ? "∞" : number(each.uct)) },
    { title: "copies", num: true, cell: (/** @type {any} */ each) => html`${number(each.copies)} <span class="dim">${percent(each.share)}</span>` },
    ...only("advantage", "advantage"),
    ...only("weight", "weight"),
    { title: "verdict", cell: (/** @type {any} */ each) => html`<${Line} text=${each.verdict ?? ""} />` },
  ];
  return html`<${Part} title="children"><${Rows} label="children of the node" columns=${columns} items=${items} />${formula && html`<p class="note">UCT = <${Line} text=${formula} />; none where nothing is left to search</p>`}
    ${learnt && html`<p class="note">advantage: better than its siblings, and than the tree; weight: how often the policy does it (what trainers of actions read)</p>`}<//>`;
}

function Costs(/** @type {{data: any}} */ { data }) {
  const told = [
    ["prompt tokens", data.prompt_tokens],
    ["of them cached", data.cached_tokens],
    ["completion tokens", data.completion_tokens],
    ["ended by", data.finish],
    ["value model", shown(data.expected)],
    ["advantage", shown(data.advantage)],
    ["weight", shown(data.weight)],
  ].filter(([, value]) => value !== null && value !== undefined);
  if (!told.length) return null;
  return html`<p class="dim costs">${told.map(([name, value]) => html`<span>${name} <b><${Line} text=${typeof value === "number" ? number(value) : value} /></b></span>`)}</p>`;
}

/** A figure as it is shown; null where there is none. */
function shown(/** @type {number|null|undefined} */ value) {
  return typeof value === "number" ? figure(value) : null;
}

function Raw(/** @type {{info: any}} */ { info }) {
  if (info === null || info === undefined || (typeof info === "object" && !Object.keys(info).length)) return null;
  return html`<details class="part"><summary>info, as stored</summary><${Text} text=${typeof info === "string" ? info : JSON.stringify(info, null, 2)} class="mono" /></details>`;
}
