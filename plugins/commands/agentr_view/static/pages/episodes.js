// One task as one or two models played it: what both did is told once, then each goes on in its own column.
import { Answered, path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { count, number } from "../format.js";
import { Page } from "../frame.js";
import { place, requery } from "../routes.js";
import { Line, Text, plain } from "../text.js";
import { Conversation, sharedTurns } from "../turns.js";

/** @param {{run: string, task: string}} props */
export function EpisodesPage({ run, task }) {
  const { a, b } = place.value.query;
  const one = useEpisode(a, task);
  const two = useEpisode(b, task);
  const name = one.data?.result?.task ?? `task ${task}`;
  const evals = useAnswer(url(["runs", run]), { live: false }).data?.evals?.filter((/** @type {any} */ each) => each.kind === "plain") ?? [];
  const called = (/** @type {any} */ episode) => evals.find((/** @type {any} */ each) => each.id === episode.eval.id)?.label ?? `evaluation ${episode.eval.id}`;
  return html`<${Page} title=${name} run=${run} where="evals">
    <${Choice} evals=${evals} a=${a} b=${b} />
    ${one.data?.goal && html`<div class="goal"><${Text} text=${one.data.goal} limit=${600} /></div>`}
    ${a
      ? html`<${Answered} answer=${b ? both(one, two) : one} what="the episodes">${(/** @type {any} */ data) => (b ? html`<${Two} one=${data[0]} two=${data[1]} called=${called} />` : html`<${One} episode=${data} />`)}<//>`
      : html`<p class="dim">Choose an evaluation.</p>`}
  <//>`;
}

/** An evaluation in the address is its number, or its number and which of several plays: "4" or "4.1". */
function useEpisode(/** @type {string|undefined} */ at, /** @type {string} */ task) {
  const [id, repeat = "0"] = (at ?? "").split(".");
  return useAnswer(at ? url(["episodes", id, task, repeat]) : null);
}

function both(/** @type {any} */ one, /** @type {any} */ two) {
  return { data: one.data && two.data ? [one.data, two.data] : null, error: one.error ?? two.error };
}

function Choice(/** @type {{evals: any[], a?: string, b?: string}} */ { evals, a, b }) {
  const select = (/** @type {string} */ name, /** @type {string|undefined} */ value, /** @type {string} */ label) => html`<label>${label} <select name=${name} value=${value ?? ""}
    onChange=${(/** @type {any} */ event) => requery({ [name]: event.target.value })}><option value="">–</option>
    ${evals.map((/** @type {any} */ each) => html`<option value=${each.id} selected=${String(each.id) === value?.split(".")[0]}>${plain(each.label, 60)}</option>`)}</select></label>`;
  return html`<div class="tools">${select("a", a, "model")} ${select("b", b, "beside")}</div>`;
}

function Result(/** @type {{result: any}} */ { result }) {
  return html`<p class="result"><span class=${result.success ? "glyph solved" : "glyph failed"}>${result.success ? "● solved" : "✕ not solved"}</span>${" "}
 reward ${number(result.reward)} · ${count(result.steps ?? 0, "step")} · ${number(result.invalid)} refused · ${number(result.loops)} that only repeat
    ${result.error && html`<span class="bad-news"> <${Line} text=${result.error} limit=${300} /></span>`}</p>`;
}

function One(/** @type {{episode: any}} */ { episode }) {
  return html`<${Result} result=${episode.result} /><${Conversation} turns=${episode.turns} label="the episode" />`;
}

function Two(/** @type {{one: any, two: any, called: (episode: any) => string}} */ { one, two, called }) {
  const shared = sharedTurns(one.turns, two.turns);
  const same = shared === one.turns.length && shared === two.turns.length;
  return html`
    <div class="two">${[one, two].map((each) => html`<div><h2><${Line} text=${called(each)} /></h2><${Result} result=${each.result} /></div>`)}</div>
    <details class="part" open=${same}><summary>${same ? `Both are the same: ${count(shared, "turn")}` : `The first ${count(shared, "turn")} are the same`}</summary>
      <${Conversation} turns=${one.turns.slice(0, shared)} label="what both begin with" /></details>
    ${!same && html`<h2 class="parts">Here they part</h2>
      <div class="two">${[one, two].map((each) => html`<div><h3><${Line} text=${called(each)} /></h3><${Conversation} turns=${each.turns.slice(shared)} from=${shared} label=${plain(called(each))} />
        ${each.turns.length === shared && html`<p class="dim">It ended here.</p>`}</div>`)}</div>`}`;
}
