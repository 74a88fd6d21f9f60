// Evaluation: a row a task, a column an evaluated model. A cell is an episode; a task's name leads to two of its
// episodes beside each other.
import { Answered, path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { number } from "../format.js";
import { Page } from "../frame.js";
import { Paged } from "../paged.js";
import { to } from "../routes.js";
import { Scroll, Table } from "../table.js";
import { Line, plain } from "../text.js";

/** @param {{run: string}} props */
export function EvalsPage({ run }) {
  return html`<${Page} title="Evaluation" run=${run} where="evals">
    <${Overall} run=${run} />
    <h2>Task by task</h2>
    <p class="dim">● solved, ✕ not solved, with the reward; a task opens the first and the last model beside each other.</p>
    <${Paged} url=${url(["runs", run, "matrix"])}>
      ${(/** @type {any[]} */ items, /** @type {any} */ first) => html`<${Matrix} run=${run} evals=${first.evals} items=${items} />`}
    <//>
  <//>`;
}

/** What the run's own tables say of its iterations. */
function Overall(/** @type {{run: string}} */ { run }) {
  const answer = useAnswer(url(["runs", run]));
  return html`<${Answered} answer=${answer}>${(/** @type {any} */ data) => html`
    ${data.tables?.filter((/** @type {any} */ table) => table.id === "iterations").map((/** @type {any} */ table) => html`<${Table} key=${table.id} table=${table} heading=${false} />`)}`}<//>`;
}

function Matrix(/** @type {{run: string, evals: any[], items: any[]}} */ { run, evals, items }) {
  if (!evals.length || !items.length) return html`<p class="dim">Nothing was evaluated yet.</p>`;
  const pair = (/** @type {any} */ item) => {
    const played = evals.filter((each, at) => item.cells[at] && each.kind === "plain");
    return to(["run", run, "episodes", item.task], { a: played[0]?.id, b: played.length > 1 ? played.at(-1).id : undefined });
  };
  return html`<${Scroll} label="tasks by evaluation"><table class="matrix">
    <thead><tr><th scope="col">task</th>${evals.map((each) => html`<th scope="col"><${Line} text=${each.label} limit=${40} /></th>`)}</tr></thead>
    <tbody>${items.map((item) => html`<tr key=${item.task}>
      <th scope="row"><a data-item href=${pair(item)}><${Line} text=${item.key} limit=${60} /></a></th>
      ${item.cells.map((/** @type {any} */ cell, /** @type {number} */ at) => html`<td><${Cell} cell=${cell} link=${to(["run", run, "episodes", item.task], { a: evals[at].id })} label=${`${evals[at].label}, ${item.key}`} /></td>`)}
    </tr>`)}</tbody>
  </table><//>`;
}

function Cell(/** @type {{cell: any, link: string, label: string}} */ { cell, link, label }) {
  if (!cell) return html`<span class="dim">–</span>`;
  if (cell.error) return html`<a class="cell" href=${link} title=${plain(cell.error)}>not played</a>`;
  return html`<a class="cell" href=${link} aria-label=${plain(`${label}: ${cell.success ? "solved" : "not solved"}, reward ${number(cell.reward)}`)}>
    <span class=${cell.success ? "glyph solved" : "glyph failed"} aria-hidden="true">${cell.success ? "●" : "✕"}</span> ${number(cell.reward)}</a>`;
}
