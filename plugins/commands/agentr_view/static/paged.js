// Lists that come in pages: the first is asked for at once, further ones when the reader wants them. When the database
// changes, the pages that are shown are asked for again (each by its cursor).
import { useEffect, useState } from "preact/hooks";
import { ask } from "./api.js";
import { change } from "./live.js";
import { html } from "./html.js";
import { place, requery } from "./routes.js";
import { Line, Text, plain } from "./text.js";

/**
 * The pages of a list so far.
 * @param {string} url without cursor
 * @returns {{items: any[]|null, first: any, more: (() => void)|null, error: Error|null}} `first` is the first page whole
 */
export function usePages(url) {
  const [wanted, setWanted] = useState({ url, pages: 1 });
  const [state, setState] = useState(/** @type {any} */ ({ url: null, pages: [], error: null }));
  const pages = wanted.url === url ? wanted.pages : 1;
  const version = change.value;
  useEffect(() => {
    const controller = new AbortController();
    chain(url, pages, controller.signal).then(
      (found) => setState({ url, pages: found, error: null }),
      (error) => error.name !== "AbortError" && setState((/** @type {any} */ old) => ({ url, pages: old.url === url ? old.pages : [], error })),
    );
    return () => controller.abort();
  }, [url, pages, version]);
  const ready = state.url === url && state.pages.length > 0;
  const next = ready && state.pages.at(-1).next;
  return {
    items: ready ? state.pages.flatMap((/** @type {any} */ page) => page.items) : null,
    first: ready ? state.pages[0] : null,
    more: next ? () => setWanted({ url, pages: state.pages.length + 1 }) : null,
    error: state.url === url ? state.error : null,
  };
}

async function chain(/** @type {string} */ url, /** @type {number} */ pages, /** @type {AbortSignal} */ signal) {
  const found = [];
  let cursor = null;
  for (let page = 0; page < pages; page += 1) {
    const joint = url.includes("?") ? "&" : "?";
    const answer = await ask(cursor === null ? url : `${url}${joint}cursor=${encodeURIComponent(cursor)}`, signal);
    found.push(answer);
    cursor = answer.next;
    if (!cursor) break;
  }
  return found;
}

/**
 * A list in pages: `children` is a function of the items so far.
 * @param {{url: string, children: (items: any[], first: any) => any}} props
 */
export function Paged({ url, children }) {
  const { items, first, more, error } = usePages(url);
  return html`
    ${error && html`<div class="error" role="alert"><${Text} text=${error.message} /></div>`}
    ${items ? children(items, first) : !error && html`<p class="dim waiting" aria-busy="true">Reading…</p>`}
    ${more && html`<p><button onClick=${more}>show more</button></p>`}
  `;
}

/**
 * Filters of a list, kept in the address. A filter with values is a choice, one without is typed.
 * @param {{filters: {name: string, label?: string, values?: (string|number|{value: string|number, label: string})[],
 *   none?: string|null, value?: any}[]}} props `none` is what no choice is called; null where there must be one, which is
 *   then `value` unless the address says otherwise
 */
export function Filters({ filters }) {
  const { query } = place.value;
  if (!filters.length) return null;
  return html`<form class="filters" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    ${filters.map(({ name, label = name, values, none = "all", value = "" }) => html`<label key=${name}>${label} ${values
      ? html`<select name=${name} value=${query[name] ?? value} onChange=${(/** @type {any} */ event) => requery({ [name]: event.target.value })}>
          ${none !== null && html`<option value="">${none}</option>`}
          ${withChosen(values, query[name]).map((each) => html`<option value=${each.value} selected=${String(each.value) === String(query[name] ?? value)}>${plain(each.label, 60)}</option>`)}
        </select>`
      : html`<input type="search" name=${name} value=${query[name] ?? ""} onChange=${(/** @type {any} */ event) => requery({ [name]: event.target.value })} />`}
    </label>`)}
  </form>`;
}

/** The values as value and label; what the address asks for is among them, even where the list does not have it. */
function withChosen(/** @type {any[]} */ values, /** @type {string|undefined} */ chosen) {
  const all = values.map((each) => (typeof each === "object" ? each : { value: each, label: String(each) }));
  if (!chosen || all.some((each) => String(each.value) === chosen)) return all;
  return [...all, { value: chosen, label: chosen }];
}

/** The iterations of a run, for a filter. */
export function iterations(/** @type {any} */ data) {
  return Array.from({ length: data?.run?.iterations ?? 0 }, (_, at) => at + 1);
}
