// Steps of a run's trees whose action or observation has some words in it.
import { path as url } from "../api.js";
import { html } from "../html.js";
import { Page } from "../frame.js";
import { Paged } from "../paged.js";
import { place, to } from "../routes.js";
import { Rows } from "../table.js";
import { Line } from "../text.js";

/** @param {{run: string}} props */
export function SearchPage({ run }) {
  const { q } = place.value.query;
  const columns = [
    { title: "step", cell: (/** @type {any} */ each) => html`<a data-item href=${to(["run", run, "tree", each.tree, "node", each.node])}>${`tree\u00a0${each.tree}, node\u00a0${each.node}`}</a>` },
    { title: "task", cell: (/** @type {any} */ each) => html`<${Line} text=${each.task} limit=${50} />`, narrow: false },
    { title: "action", cell: (/** @type {any} */ each) => html`<${Line} text=${each.action} limit=${100} />` },
    { title: "observation", cell: (/** @type {any} */ each) => html`<${Line} text=${each.line} limit=${140} />` },
  ];
  return html`<${Page} title="Search" run=${run} where="trees">
    ${q
      ? html`<${Paged} url=${url(["search"], { run, q })}>${(/** @type {any[]} */ items) => html`<${Rows} label="steps found" columns=${columns} items=${items} empty="No step is like this." />`}<//>`
      : html`<p class="dim">Words in actions and observations, with task:TEXT, reward${"<"}1 and depth${">"}5 to narrow it.</p>`}
  <//>`;
}
