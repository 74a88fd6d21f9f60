// Every place has an address in the hash: #/run/KEY/tree/17/node/42?sim=3&set=2. This module reads and writes them.
import { signal } from "@preact/signals";

/**
 * @typedef {{parts: string[], query: Record<string, string>}} Place
 * The parts are the path between slashes, decoded.
 */

/** @returns {Place} */
export function parse(/** @type {string} */ hash) {
  const [path, search = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decoded);
  return { parts, query: Object.fromEntries(new URLSearchParams(search)) };
}

function decoded(/** @type {string} */ part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray % is a name like any other
  }
}

/**
 * The address of a place; parts and query values that are null, undefined or "" are left out.
 * @param {(string|number)[]} parts
 * @param {Record<string, string|number|null|undefined>} [query]
 */
export function to(parts, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return `#/${parts.map((part) => encodeURIComponent(part)).join("/")}${search ? `?${search}` : ""}`;
}

/** Where the reader is. */
export const place = signal(parse(location.hash));

addEventListener("hashchange", () => {
  place.value = parse(location.hash);
});

/** Go somewhere; the way back leads here. */
export function go(/** @type {string} */ address) {
  location.hash = address;
}

/** The same place said otherwise (a filter, another node): no new step on the way back. */
export function replace(/** @type {string} */ address) {
  if (address === location.hash) return;
  history.replaceState(null, "", address);
  place.value = parse(address);
}

/** The same place with some of its query changed. */
export function requery(/** @type {Record<string, string|number|null|undefined>} */ changes) {
  const { parts, query } = place.value;
  replace(to(parts, { ...query, ...changes }));
}
