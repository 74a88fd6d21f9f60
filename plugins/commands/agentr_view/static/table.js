// Tables. `Table` shows any table the server made (its columns and rows are text); `Rows` shows a list of things, a
// column being a title and a function that makes the cell.
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { Line, plain } from "./text.js";

/**
 * @typedef {{id: string, title: string, columns: string[], rows: (string|null)[][], notes?: string[],
 *   links?: (string|null)[][]}} TableData
 * @typedef {{title: any, cell: (item: any) => any, num?: boolean, narrow?: boolean,
 *   when?: (item: any) => any}} Column
 *   `num` is set right; `narrow: false` columns go where there is little room; a column with `when` is there if it holds
 *   of any item.
 */

/** Rows shown before "show all". */
const SHOWN = 100;
const NUMERIC = /^[-+–]?$|^[<≈]?\s*[-+−]?[\d,.]+\s*%?(\s|$|[±(\[])/;

function isNumeric(/** @type {TableData} */ { rows }, /** @type {number} */ at) {
  const said = rows.map((row) => row[at]).filter((cell) => cell !== null && cell !== "" && cell !== "-");
  return said.length > 0 && said.every((cell) => NUMERIC.test(String(cell)));
}

/** @param {{table: TableData, heading?: boolean}} props */
export function Table({ table, heading = true }) {
  const [all, setAll] = useState(false);
  const numeric = table.columns.map((_, at) => isNumeric(table, at));
  const rows = all ? table.rows : table.rows.slice(0, SHOWN);
  return html`<figure class="table" id=${table.id}>
    ${heading && html`<figcaption><${Line} text=${table.title} /></figcaption>`}
    <${Scroll} label=${table.title}>
      <table>
        <thead><tr>${table.columns.map((title, at) => html`<th scope="col" class=${numeric[at] ? "num" : ""}>${title ? html`<${Line} text=${title} />` : html`<span class="unseen-text">row</span>`}</th>`)}</tr></thead>
        <tbody>${rows.map((row, number) => html`<tr>${row.map((cell, at) => {
          const link = table.links?.[number]?.[at];
          const shown = html`<${Line} text=${cell} />`;
          return html`<td class=${numeric[at] ? "num" : ""}>${isPlace(link) ? html`<a href=${link}>${shown}</a>` : shown}</td>`;
        })}</tr>`)}</tbody>
      </table>
    <//>
    ${rows.length < table.rows.length && html`<button class="small" onClick=${() => setAll(true)}>show all ${table.rows.length} rows</button>`}
    ${!table.rows.length && html`<p class="dim">Nothing yet.</p>`}
    ${table.notes?.map((note) => html`<p class="note"><${Line} text=${note} limit=${1000} /></p>`)}
  </figure>`;
}

/** Only places of this page are followed: what came out of the database is no address. */
function isPlace(/** @type {unknown} */ link) {
  return typeof link === "string" && link.startsWith("#/");
}

/**
 * A list of things as a table.
 * @param {{label: string, columns: Column[], items: any[], id?: (item: any) => string|number, empty?: string,
 *   mark?: (item: any) => string}} props
 */
export function Rows({ label, columns: all, items, id, empty = "Nothing here.", mark }) {
  if (!items.length) return html`<p class="dim">${empty}</p>`;
  const columns = all.filter((each) => !each.when || items.some(each.when));
  const named = (/** @type {Column} */ column) => [column.num && "num", column.narrow === false && "wide-only"].filter(Boolean).join(" ");
  return html`<${Scroll} label=${label}>
    <table class="list" aria-label=${plain(label)}>
      <thead><tr>${columns.map((each) => html`<th scope="col" class=${named(each)}>${each.title}</th>`)}</tr></thead>
      <tbody>${items.map((item, at) => html`<tr key=${id ? id(item) : at} class=${mark?.(item) ?? ""}>
        ${columns.map((each) => html`<td class=${named(each)}>${each.cell(item)}</td>`)}
      </tr>`)}</tbody>
    </table>
  <//>`;
}

/** What may be wider than the page scrolls by itself, by keyboard as well. */
export function Scroll(/** @type {{label: string, children?: any}} */ { label, children }) {
  return html`<div class="scroll" role="region" aria-label=${plain(label)} tabindex="0">${children}</div>`;
}
