// A run: what its iterations came to, what was made of its trees, what went wrong and why, what it cost, what it was
// asked to do. Whatever tables and plots the server has of it are shown, in the server's order.
import { useState } from "preact/hooks";
import { Answered, path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { duration, figure, moment, number, percent } from "../format.js";
import { Page } from "../frame.js";
import { Plot } from "../plot.js";
import { to } from "../routes.js";
import { Rows, Table } from "../table.js";
import { Line, Text } from "../text.js";

/** @param {{run: string}} props */
export function RunPage({ run }) {
  const answer = useAnswer(url(["runs", run]));
  const name = answer.data?.run?.name || answer.data?.run?.short || run;
  return html`<${Page} title=${name} run=${run}>
    <${Answered} answer=${answer} what="the run">${(/** @type {any} */ data) => html`
      <${Head} run=${data.run} />
      <${AtWork} stages=${data.stages ?? []} />
      ${data.warnings?.length > 0 && html`<ul class="warnings" aria-label="warnings">${data.warnings.map((/** @type {string} */ each) => html`<li><${Line} text=${each} limit=${1000} /></li>`)}</ul>`}
      <${Made} run=${run} data=${data} />
      <div class="plots">${data.plots?.map((/** @type {any} */ plot) => html`<${Plot} key=${plot.id} plot=${plot} />`)}</div>
      ${data.tables?.map((/** @type {any} */ table) => html`<${Table} key=${table.id} table=${table} />`)}
      <${Account} items=${data.account ?? []} />
      <${Stages} stages=${data.stages ?? []} />
      <${Settings} settings=${data.settings ?? []} />
      <${Plugins} plugins=${data.plugins ?? []} />`}
    <//>
    ${answer.error && !answer.data && html`<${LastRuns} />`}
  <//>`;
}

/** The way on from a run that is not there. */
function LastRuns() {
  const { data } = useAnswer(url(["runs"], { limit: 5 }));
  if (!data?.items.length) return null;
  return html`<nav aria-label="last runs"><p>The last runs:</p>
    <ul>${data.items.map((/** @type {any} */ each) => html`<li><a href=${to(["run", each.key])}><${Line} text=${each.name || each.short} limit=${60} /></a> <span class="dim">${moment(each.created_at)}</span></li>`)}</ul></nav>`;
}

function Head(/** @type {{run: any}} */ { run }) {
  const facts = [
    [run.status, `status-${run.status}`],
    [(run.envs ?? []).join(", ")],
    [[run.searcher, run.critic, run.trainer].filter(Boolean).join(" · ")],
    [run.model],
    [`seed ${run.seed}`],
    [`${moment(run.created_at)}${run.finished_at ? ` to ${moment(run.finished_at)}` : ""}`],
  ];
  return html`<div class="facts">
    ${facts.filter(([text]) => text).map(([text, name = ""]) => html`<span class=${name}><${Line} text=${text} /></span>`)}
    ${run.error && html`<div class="error"><${Text} text=${run.error} /></div>`}
  </div>
  <dl class="figures">
    ${[["trees", number(run.trees)], ["nodes", number(run.nodes)], ["baseline", percent(run.baseline, 1)], ["success", percent(run.success, 1)]].map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

/** What is done at the moment, how far it is, and the time that it still takes, as the terminal's line has it. */
function AtWork(/** @type {{stages: any[]}} */ { stages }) {
  const here = stages.filter((each) => each.status === "running");
  if (!here.length) return null;
  return html`<p class="at-work">${here.map((each) => html`<span>at work: <${Line} text=${each.stage} />${each.iteration ? ` of iteration ${each.iteration}` : " of the baseline"}${each.under_way && html`, <b><${Line} text=${each.under_way} /></b>`}</span>`)}</p>`;
}

/** What the run made, each a way on. */
function Made(/** @type {{run: string, data: any}} */ { run, data }) {
  const list = [
    ...(data.sets ?? []).map((/** @type {any} */ set) => [`revisions by ${set.label} (iteration ${set.iteration})`, to(["run", run, "revisions"], { set: set.id, kind: "revision" })]),
    ...(data.datasets ?? []).map((/** @type {any} */ each) => [`dataset ${each.name} (iteration ${each.iteration}, ${number(each.n_examples)})`, to(["run", run, "dataset", each.id])]),
    ...(data.checkpoints ?? []).map((/** @type {any} */ each) => [`checkpoint of iteration ${each.iteration} by ${each.trainer}: ${each.path}`, null]),
  ];
  if (!list.length) return null;
  return html`<details class="made"><summary>What it made: ${list.length} sets, datasets and checkpoints</summary>
    <ul>${list.map(([text, link]) => html`<li>${link ? html`<a href=${link}><${Line} text=${text} /></a>` : html`<${Line} text=${text} />`}</li>`)}</ul>
  </details>`;
}

/** What went otherwise than it should. */
function Account(/** @type {{items: any[]}} */ { items }) {
  const columns = [
    { title: "what", cell: (/** @type {any} */ each) => html`<${Line} text=${each.text ?? each.name} limit=${400} />` },
    { title: "times", num: true, cell: (/** @type {any} */ each) => number(each.count) },
    { title: "where", cell: (/** @type {any} */ each) => html`${each.iteration ? `iteration ${each.iteration}` : "baseline"}, <${Line} text=${each.stage} />` },
  ];
  return html`<section id="account"><h2>What went otherwise than it should</h2><${Rows} label="what went otherwise than it should" columns=${columns} items=${items} empty="Nothing that was counted." /></section>`;
}

function Stages(/** @type {{stages: any[]}} */ { stages }) {
  const columns = [
    { title: "iteration", num: true, cell: (/** @type {any} */ each) => each.iteration },
    { title: "stage", cell: (/** @type {any} */ each) => html`<${Line} text=${each.stage} />` },
    { title: "status", cell: (/** @type {any} */ each) => html`<span class=${`status-${each.status}`}>${each.status}</span>` },
    { title: "begun", cell: (/** @type {any} */ each) => moment(each.started_at), narrow: false },
    { title: "took", num: true, cell: (/** @type {any} */ each) => duration(each.seconds) },
    { title: "figures", cell: (/** @type {any} */ each) => html`<${Metrics} metrics=${each.metrics} />` },
  ];
  return html`<section id="stages"><h2>Stages</h2><${Rows} label="stages" columns=${columns} items=${stages} empty="None has begun." /></section>`;
}

function Metrics(/** @type {{metrics: any}} */ { metrics }) {
  const all = Object.entries(metrics ?? {});
  if (!all.length) return html`<span class="dim">–</span>`;
  return html`<details class="metrics"><summary>${all.length} figures</summary><dl>${all.map(([name, value]) => html`<div><dt><${Line} text=${name} /></dt><dd><${Line} text=${typeof value === "object" ? JSON.stringify(value) : figure(value)} limit=${400} /></dd></div>`)}</dl></details>`;
}

/** Every setting with where it came from; a word filters them. */
function Settings(/** @type {{settings: any[]}} */ { settings }) {
  const [word, setWord] = useState("");
  const [all, setAll] = useState(false);
  const said = (/** @type {any} */ each) => (typeof each.value === "string" ? each.value : JSON.stringify(each.value));
  const given = (/** @type {any} */ each) => each.source && each.source !== "default";
  const some = settings.some(given) && settings.some((each) => !given(each));
  const shown = settings.filter((each) => (all || !some || word || given(each)) && (!word || `${each.key} ${said(each)}`.toLowerCase().includes(word.toLowerCase())));
  const columns = [
    { title: "setting", cell: (/** @type {any} */ each) => html`<code><${Line} text=${each.key} /></code>` },
    { title: "value", cell: (/** @type {any} */ each) => html`<code><${Line} text=${said(each)} limit=${400} /></code>` },
    ...(settings.some((each) => each.source) ? [{ title: "from", cell: (/** @type {any} */ each) => html`<${Line} text=${each.source ?? ""} />` }] : []),
  ];
  return html`<section id="settings"><h2>Settings</h2>
    <div class="tools"><label>filter <input type="search" value=${word} onInput=${(/** @type {any} */ event) => setWord(event.target.value)} /></label>
      ${some && html`<label><input type="checkbox" checked=${all} onChange=${(/** @type {any} */ event) => setAll(event.target.checked)} /> defaults as well</label>`}
      <span class="dim">${shown.length} of ${settings.length}</span></div>
    <${Rows} label="settings" columns=${columns} items=${shown} />
  </section>`;
}

function Plugins(/** @type {{plugins: any[]}} */ { plugins }) {
  const columns = ["kind", "name", "distribution", "version"].map((name) => ({ title: name, cell: (/** @type {any} */ each) => html`<${Line} text=${each[name]} />` }));
  return html`<section id="plugins"><h2>Plugins</h2><${Rows} label="plugins" columns=${columns} items=${plugins} empty="None stored." /></section>`;
}
