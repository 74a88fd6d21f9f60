// The trees of a run.
import { path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { duration, number } from "../format.js";
import { Page } from "../frame.js";
import { Filters, Paged, iterations } from "../paged.js";
import { place, to } from "../routes.js";
import { Rows } from "../table.js";
import { Line } from "../text.js";
import { Glyph } from "../tree/treegrid.js";

const OUTCOMES = [
  { value: "mixed", label: "solved and failed attempts" },
  { value: "solved", label: "solved" },
  { value: "failed", label: "failed" },
  { value: "none", label: "no attempt ended" },
];

/** @param {{run: string}} props */
export function TreesPage({ run }) {
  const { iteration, env, status, outcome, q, sort } = place.value.query;
  return html`<${Page} title="Trees" run=${run} where="trees">
    <${Filters} filters=${filters(useAnswer(url(["runs", run]), { live: false }).data)} />
    <${Paged} url=${url(["trees"], { run, iteration, env, status, outcome, q, sort })}>
      ${(/** @type {any[]} */ items) => html`
        <${Rows} label="trees" columns=${columns(run)} items=${items} id=${(/** @type {any} */ tree) => tree.id} empty="No tree is like this." />`}
    <//>
  <//>`;
}

const ORDERS = [
  { value: "-nodes", label: "most nodes" },
  { value: "best", label: "worst first" },
  { value: "-best", label: "best first" },
  { value: "-seconds", label: "longest" },
  { value: "task", label: "task" },
];

function filters(/** @type {any} */ data) {
  return [
    { name: "iteration", values: iterations(data) },
    ...(data?.run?.envs?.length > 1 ? [{ name: "env", label: "environment", values: data.run.envs }] : []),
    { name: "outcome", values: OUTCOMES },
    { name: "status", values: ["todo", "running", "done", "failed"] },
    { name: "sort", label: "order", values: ORDERS, none: "as made" },
    { name: "q", label: "task" },
  ];
}

/** What a tree came to: ● and ✕ where it has both kinds of attempts; how far it is while it grows. */
function Outcome(/** @type {{tree: any}} */ { tree }) {
  if (tree.status !== "done") return html`<span class=${`status-${tree.status}`}>${tree.status}</span>`;
  const shapes = /** @type {Record<string, string[]>} */ ({ mixed: ["solved", "failed"], solved: ["solved"], failed: ["failed"] })[tree.outcome] ?? [];
  return html`${shapes.map((came) => html`<${Glyph} came=${came} />`)} <span class="dim">${tree.outcome}</span>`;
}

function columns(/** @type {string} */ run) {
  return [
    { title: "tree", cell: (/** @type {any} */ tree) => html`<a data-item href=${to(["run", run, "tree", tree.id])}>${`tree\u00a0${tree.id}`}</a>` },
    { title: "iteration", num: true, cell: (/** @type {any} */ tree) => tree.iteration },
    { title: "task", cell: (/** @type {any} */ tree) => html`<${Line} text=${tree.task} limit=${60} />` },
    { title: "goal", cell: (/** @type {any} */ tree) => html`<span class="dim"><${Line} text=${tree.goal} limit=${100} /></span>`, narrow: false },
    { title: "outcome", cell: (/** @type {any} */ tree) => html`<${Outcome} tree=${tree} />` },
    { title: "attempts", num: true, cell: (/** @type {any} */ tree) => html`${number(tree.solved)} of ${number(tree.attempts)}` },
    { title: "best", num: true, cell: (/** @type {any} */ tree) => number(tree.best) },
    { title: "nodes", num: true, cell: (/** @type {any} */ tree) => number(tree.nodes) },
    { title: "simulations", num: true, cell: (/** @type {any} */ tree) => number(tree.simulations), narrow: false },
    { title: "took", num: true, cell: (/** @type {any} */ tree) => duration(tree.seconds), narrow: false },
    { title: "error", cell: (/** @type {any} */ tree) => html`<${Line} text=${tree.error} limit=${80} />`, narrow: false, when: (/** @type {any} */ tree) => tree.error },
  ];
}
