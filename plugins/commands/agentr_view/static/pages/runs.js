// All runs of the database, the newest first; those that are chosen can be laid side by side.
import { useState } from "preact/hooks";
import { path as url } from "../api.js";
import { html } from "../html.js";
import { moment, number, percent } from "../format.js";
import { Page } from "../frame.js";
import { Filters, Paged } from "../paged.js";
import { place, to } from "../routes.js";
import { Rows } from "../table.js";
import { Line, plain } from "../text.js";

const STATES = ["running", "done", "failed", "interrupted", "killed"];

export function RunsPage() {
  const { q, status } = place.value.query;
  const [chosen, choose] = useState(/** @type {string[]} */ ([]));
  return html`<${Page} title="Runs">
    <${Paged} url=${url(["runs"], { q, status })}>
      ${(/** @type {any[]} */ items) => html`
        <div class="tools"><${Filters} filters=${[{ name: "status", values: STATES }]} />
          <${Chosen} chosen=${chosen} /></div>
        <${Rows} label="runs" columns=${columns(chosen, choose)} items=${items} id=${(/** @type {any} */ run) => run.key} empty=${q || status ? "No run is like this." : "No runs yet: agentr run makes one."} />`}
    <//>
  <//>`;
}

function Chosen(/** @type {{chosen: string[]}} */ { chosen }) {
  if (!chosen.length) return html`<span class="dim">Choose some to compare them.</span>`;
  return html`<span class="buttons"><a class="button" href=${to(["compare"], { runs: chosen.join(",") })}>compare ${chosen.length} ${chosen.length === 1 ? "run" : "runs"}</a></span>`;
}

function columns(/** @type {string[]} */ chosen, /** @type {(runs: string[]) => void} */ choose) {
  const toggle = (/** @type {any} */ run) => choose(chosen.includes(run.key) ? chosen.filter((key) => key !== run.key) : [...chosen, run.key]);
  return [
    { title: html`<span class="unseen-text">compare</span>`, cell: (/** @type {any} */ run) => html`<input type="checkbox" aria-label=${plain(`compare ${run.name || run.short}`)} checked=${chosen.includes(run.key)} onChange=${() => toggle(run)} />` },
    { title: "run", cell: (/** @type {any} */ run) => html`<a data-item href=${to(["run", run.key])}><${Line} text=${run.name || run.short} limit=${60} /></a>` },
    { title: "status", cell: (/** @type {any} */ run) => html`<span class=${`status-${run.status}`}>${run.status}</span>` },
    { title: "environment", cell: (/** @type {any} */ run) => html`<${Line} text=${(run.envs ?? []).join(", ")} limit=${60} />` },
    { title: "model", cell: (/** @type {any} */ run) => html`<${Line} text=${run.model} limit=${40} />`, narrow: false },
    { title: "searcher · critic · trainer", cell: (/** @type {any} */ run) => html`<${Line} text=${[run.searcher, run.critic, run.trainer].filter(Boolean).join(" · ")} limit=${60} />`, narrow: false },
    { title: "iterations", num: true, cell: (/** @type {any} */ run) => number(run.iterations), narrow: false },
    { title: "trees", num: true, cell: (/** @type {any} */ run) => number(run.trees) },
    { title: "nodes", num: true, cell: (/** @type {any} */ run) => number(run.nodes), narrow: false },
    { title: "baseline", num: true, cell: (/** @type {any} */ run) => percent(run.baseline, 1), narrow: false },
    { title: "success", num: true, cell: (/** @type {any} */ run) => percent(run.success, 1) },
    { title: "begun", cell: (/** @type {any} */ run) => moment(run.created_at), narrow: false },
    { title: "error", cell: (/** @type {any} */ run) => html`<${Line} text=${run.error} limit=${80} />`, narrow: false, when: (/** @type {any} */ run) => run.error },
  ];
}
