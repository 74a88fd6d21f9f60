// What critics made of a run's trees: one row a training conversation.
import { path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { number } from "../format.js";
import { Page } from "../frame.js";
import { Filters, Paged, iterations } from "../paged.js";
import { place, to } from "../routes.js";
import { Rows } from "../table.js";
import { Line } from "../text.js";

/** @param {{run: string}} props */
export function RevisionsPage({ run }) {
  const { iteration, set, kind, verified, kept } = place.value.query;
  return html`<${Page} title="Revisions" run=${run} where="revisions">
    <p class="dim">A bad attempt until its cut, the revision signal, and a good attempt from there. <a href=${to(["run", run, "preferences"])}>Preference pairs</a> are the nodes where a good and a bad attempt part.</p>
    <${Filters} filters=${filters(useAnswer(url(["runs", run]), { live: false }).data)} />
    <${Paged} url=${url(["revisions"], { run, iteration, set, kind, verified, kept })}>
      ${(/** @type {any[]} */ items) => html`
        <${Rows} label="revisions" columns=${columns(run)} items=${items} id=${(/** @type {any} */ each) => [each.set, each.tree, each.kind, each.bad, each.good].join()} empty="No revision is like this." />`}
    <//>
  <//>`;
}

/** The leaves that it is made of; a good attempt alone has no bad one. */
export function attempts(/** @type {{bad: number|string, good: number|string}} */ { bad, good }) {
  return Number(bad) < 0 ? `${good}` : `${bad}\u00a0→\u00a0${good}`;
}

/** How a revision fared when it was played again, in a word. */
export function fared(/** @type {any} */ { verified }) {
  return verified === null || verified === undefined ? "–" : verified ? "✓ held" : "✕ fell";
}

function filters(/** @type {any} */ data) {
  return [
    { name: "iteration", values: iterations(data) },
    { name: "set", label: "critic", values: (data?.sets ?? []).map((/** @type {any} */ set) => ({ value: set.id, label: `${set.label} (iteration ${set.iteration})` })) },
    { name: "kind", values: ["revision", "direct", "good"] },
    { name: "verified", label: "played again", values: [{ value: "true", label: "held" }, { value: "false", label: "fell" }] },
    { name: "kept", values: [{ value: "true", label: "yes" }, { value: "false", label: "no" }] },
  ];
}

function columns(/** @type {string} */ run) {
  return [
    { title: "revision", cell: (/** @type {any} */ each) => html`<a data-item href=${to(["run", run, "revision", each.set, each.tree, each.kind, each.bad, each.good])}>${`tree\u00a0${each.tree}, ${attempts(each)}`}</a>` },
    { title: "kind", cell: (/** @type {any} */ each) => html`<${Line} text=${each.kind} />` },
    { title: "critic", cell: (/** @type {any} */ each) => html`<${Line} text=${each.critic} />` },
    { title: "iteration", num: true, cell: (/** @type {any} */ each) => each.iteration, narrow: false },
    { title: "task", cell: (/** @type {any} */ each) => html`<${Line} text=${each.task} limit=${60} />` },
    { title: "parts at", num: true, cell: (/** @type {any} */ each) => each.divergence, narrow: false },
    { title: "cut", num: true, cell: (/** @type {any} */ each) => each.cut },
    { title: "judged", cell: (/** @type {any} */ each) => (each.judged ? "yes" : "no"), narrow: false },
    { title: "bad", num: true, cell: (/** @type {any} */ each) => number(each.bad_reward), narrow: false },
    { title: "good", num: true, cell: (/** @type {any} */ each) => number(each.good_reward), narrow: false },
    { title: "replayed", cell: (/** @type {any} */ each) => html`<span class=${each.verified === 0 || each.verified === false ? "bad-news" : ""}>${fared(each)}</span>` },
    { title: "differs", num: true, cell: (/** @type {any} */ each) => number(each.mismatches), narrow: false },
    { title: "kept", cell: (/** @type {any} */ each) => (each.kept ? "yes" : "no") },
  ];
}
