// What was trained on: the datasets of a run, and one of them, conversation by conversation, with what is trained in
// colour. A kind of conversation that is new shows like the others.
import { Answered, path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { number } from "../format.js";
import { Page } from "../frame.js";
import { Filters, Paged } from "../paged.js";
import { place, to } from "../routes.js";
import { Rows, Table } from "../table.js";
import { Plot } from "../plot.js";
import { Line, Text } from "../text.js";
import { Conversation } from "../turns.js";

/** @param {{run: string}} props */
export function DatasetsPage({ run }) {
  const answer = useAnswer(url(["datasets"], { run }));
  const columns = [
    { title: "dataset", cell: (/** @type {any} */ each) => html`<a data-item href=${to(["run", run, "dataset", each.id])}><${Line} text=${each.name} limit=${60} /></a>` },
    { title: "iteration", num: true, cell: (/** @type {any} */ each) => each.iteration },
    { title: "recipe", cell: (/** @type {any} */ each) => html`<${Line} text=${each.recipe} />` },
    { title: "rows", num: true, cell: (/** @type {any} */ each) => number(each.n_examples) },
    { title: "of them", cell: (/** @type {any} */ each) => html`<${Line} text=${kindsOf(each)} />` },
  ];
  return html`<${Page} title="Datasets" run=${run} where="datasets">
    <p class="dim"><a href=${to(["run", run, "preferences"])}>Preference pairs</a> stand apart: they belong to the trees.</p>
    <${Answered} answer=${answer}>${(/** @type {any} */ data) => html`<${Rows} label="datasets" columns=${columns} items=${data.items} empty="Nothing was trained on yet." />`}<//>
  <//>`;
}

function kindsOf(/** @type {any} */ each) {
  return Object.entries(each.kinds ?? {}).map(([kind, count]) => `${number(/** @type {number} */ (count))} ${kind}`).join(", ");
}

/** @param {{run: string, id: string}} props */
export function DatasetPage({ run, id }) {
  const { kind } = place.value.query;
  const answer = useAnswer(url(["datasets", id]));
  const dataset = answer.data;
  return html`<${Page} title=${dataset?.name ? `dataset ${dataset.name}` : "dataset"} run=${run} where="datasets">
    <${Answered} answer=${answer}>${(/** @type {any} */ data) => html`
      <div class="facts"><span>iteration ${dataset.iteration}</span><span>recipe <${Line} text=${dataset.recipe} /></span><span>${number(dataset.n_examples)} ${dataset.reads ?? "conversations"}</span><span><${Line} text=${kindsOf(dataset)} /></span></div>
      ${data.plots?.map((/** @type {any} */ plot) => html`<${Plot} key=${plot.id} plot=${plot} />`)}
      ${data.tables?.map((/** @type {any} */ table) => html`<${Table} key=${table.id} table=${table} />`)}
      <div class="tools"><${Filters} filters=${[{ name: "kind", values: Object.keys(dataset.kinds ?? {}) }]} />
        <span class="legend"><span><i class="swatch trained"></i>trained</span></span></div>`}
    <//>
    ${dataset && html`<${Paged} url=${url(["datasets", id, "items"], { kind })}>${(/** @type {any[]} */ items) => html`
      ${items.map((item) => html`<${Item} key=${item.position} item=${item} open=${items.length === 1 || item === items[0]} run=${run} />`)}
      ${!items.length && html`<p class="dim">No row is like this.</p>`}`}
    <//>`}
  <//>`;
}

/** What tells a conversation from others: the last line of the first that is said to the agent, as tasks end in their goal. */
function goalOf(/** @type {any[]} */ turns) {
  const said = turns.find((turn) => turn.role === "user")?.text ?? "";
  return said.trim().split("\n").at(-1);
}

function Item(/** @type {{item: any, open: boolean, run: string}} */ { item, open, run }) {
  if (item.parts) return html`<${OfTrees} item=${item} open=${open} run=${run} />`;
  const trained = item.turns.filter((/** @type {any} */ turn) => turn.train).length;
  return html`<details class="item" open=${open}>
    <summary data-item><b>${item.position}</b> <span class="tag"><${Line} text=${item.kind} /></span> ${item.turns.length} turns, ${trained} trained <span class="dim"><${Line} text=${goalOf(item.turns)} limit=${90} /></span></summary>
    <${Origin} origin=${item.origin} run=${run} />
    <${Conversation} turns=${item.turns} label=${`conversation ${item.position}`} />
  </details>`;
}

/** A row of trees: what is known of it, and its conversations; two ways on from one state stand side by side. */
function OfTrees(/** @type {{item: any, open: boolean, run: string}} */ { item, open, run }) {
  const facts = Object.entries(item.facts).map(([name, value]) => `${name.replace(/_/g, " ")} ${typeof value === "number" ? number(value) : value}`).join(" · ");
  const [before, ...after] = item.parts;
  return html`<details class="item" open=${open}>
    <summary data-item><b>${item.position}</b> <span class="tag"><${Line} text=${item.kind} /></span> <span class="dim"><${Line} text=${facts} limit=${200} /></span></summary>
    <${Origin} origin=${item.origin} run=${run} />
    <details open=${!after.length}><summary>${before.name}: ${before.turns.length} turns</summary><${Conversation} turns=${before.turns} label=${before.name} /></details>
    <div class=${after.length > 1 ? "two" : ""}>${after.map((/** @type {any} */ part) => html`
      <div><h2>${part.name}</h2><${Conversation} turns=${part.turns} from=${before.turns.length} label=${part.name} /></div>`)}</div>
  </details>`;
}

/** Where a conversation is from, as it was stored; a tree is a way there. */
function Origin(/** @type {{origin: any, run: string}} */ { origin, run }) {
  if (!origin) return null;
  const tree = origin.tree ?? origin.tree_id;
  const told = typeof origin === "object" ? Object.entries(origin).filter(([name, value]) => value !== null && name !== "tree") : [["origin", origin]];
  const rest = told.map(([name, value]) => `${name.replace(/_/g, " ")} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(" · ");
  return html`<p class="dim">from ${typeof tree === "number" ? html`<a href=${to(["run", run, "tree", tree])}>tree ${tree}</a> ` : null}<${Line} text=${rest} limit=${300} /></p>`;
}
