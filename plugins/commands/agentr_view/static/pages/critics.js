// Critics over the same trees: what each came to, how often any two cut at the same step, and trees on which their cuts
// can be looked at side by side.
import { Answered, path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { number, percent } from "../format.js";
import { Page } from "../frame.js";
import { Paged } from "../paged.js";
import { place, requery, to } from "../routes.js";
import { Rows, Scroll, Table } from "../table.js";
import { Line, plain } from "../text.js";

/** @param {{run: string}} props */
export function CriticsPage({ run }) {
  const answer = useAnswer(url(["critics"], { run }));
  return html`<${Page} title="Critics" run=${run} where="critics">
    <${Answered} answer=${answer} what="the critics">${(/** @type {any} */ data) => html`
      ${data.tables?.map((/** @type {any} */ table) => html`<${Table} key=${table.id} table=${table} />`)}
      ${byIteration(data).map((each) => html`<${Agreement} ...${each} />`)}
      <${SideBySide} run=${run} sets=${data.sets ?? []} />`}
    <//>
  <//>`;
}

/** Critics of different iterations judged different trees: an agreement for each iteration. */
function byIteration(/** @type {any} */ { agreement, sets }) {
  const all = [...new Set((sets ?? []).map((/** @type {any} */ set) => set.iteration))];
  const pick = (/** @type {any[]} */ list, /** @type {number[]} */ places) => places.map((at) => list?.[at]);
  return all.map((iteration) => {
    const places = sets.flatMap((/** @type {any} */ set, /** @type {number} */ at) => (set.iteration === iteration ? [at] : []));
    const square = (/** @type {any[][]} */ rows) => pick(rows, places).map((row) => pick(row, places));
    return { iteration, critics: pick(agreement.critics, places), matrix: square(agreement.matrix), pairs: square(agreement.pairs) };
  });
}

/** @param {{iteration: number, critics: string[], matrix: (number|null)[][], pairs: number[][]}} props */
function Agreement({ iteration, critics, matrix, pairs }) {
  if (critics.length < 2) return null;
  return html`<section><h2>How often two critics cut at the same step, iteration ${iteration}</h2>
    <${Scroll} label=${`agreement of critics, iteration ${iteration}`}><table class="matrix agreement">
      <thead><tr><th scope="col">critic</th>${critics.map((name) => html`<th scope="col"><${Line} text=${name} limit=${40} /></th>`)}</tr></thead>
      <tbody>${critics.map((name, row) => html`<tr><th scope="row"><${Line} text=${name} limit=${60} /></th>
        ${matrix[row].map((share, column) => html`<td class=${row === column ? "same" : ""}>
          ${row === column ? "" : html`<span class="agree-bar" style=${{ width: `${share === null ? 0 : 100 * share}%` }}></span><span class="agree-text">${percent(share)}<span class="dim"> of ${number(pairs?.[row]?.[column])}</span></span>`}</td>`)}</tr>`)}</tbody>
    </table><//>
    <p class="note">Of the pairs of attempts that both critics revised.</p></section>`;
}

function SideBySide(/** @type {{run: string, sets: any[]}} */ { run, sets }) {
  const { query } = place.value;
  const same = (/** @type {any} */ id) => sets.find((set) => String(set.id) === String(id))?.iteration;
  const a = query.a ?? sets[0]?.id;
  const b = query.b ?? sets.find((set) => set.id !== Number(a) && set.iteration === same(a))?.id;
  if (sets.length < 2 || (b === undefined && !query.a)) return html`<p class="dim">Other critics over the same trees: <code>agentr revise --run ${run} --critic NAME</code></p>`;
  const select = (/** @type {string} */ name, /** @type {any} */ value) => html`<select name=${name} aria-label=${name === "a" ? "critic" : "beside"} value=${value} onChange=${(/** @type {any} */ event) => requery({ [name]: event.target.value })}>
    ${sets.map((set) => html`<option value=${set.id} selected=${String(set.id) === String(value)}>${plain(`${set.label} (iteration ${set.iteration})`, 60)}</option>`)}</select>`;
  const columns = [
    { title: "tree", cell: (/** @type {any} */ tree) => html`<a data-item href=${to(["run", run, "tree", tree.id], { set: a, beside: b })}>tree ${tree.id}: both cuts</a>` },
    { title: "task", cell: (/** @type {any} */ tree) => html`<${Line} text=${tree.task} limit=${70} />` },
    { title: "nodes", num: true, cell: (/** @type {any} */ tree) => number(tree.nodes) },
    { title: "best", num: true, cell: (/** @type {any} */ tree) => number(tree.best) },
  ];
  return html`<section><h2>Their cuts side by side</h2>
    <div class="tools">${select("a", a)} <span>beside</span> ${select("b", b)}</div>
    <${Paged} url=${url(["trees"], { run, outcome: "mixed", iteration: same(a) })}>${(/** @type {any[]} */ items) => html`<${Rows} label="trees" columns=${columns} items=${items} empty="No tree has solved and failed attempts." />`}<//>
  </section>`;
}
