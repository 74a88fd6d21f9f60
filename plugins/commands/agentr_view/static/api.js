// Asking the server. Answers are kept with their ETag, so that what has not changed is not sent again; an error is one
// sentence, shown where the answer would have been.
import { useEffect, useState } from "preact/hooks";
import { change } from "./live.js";
import { html } from "./html.js";
import { Text } from "./text.js";
import { to } from "./routes.js";

/** How many answers are kept. */
const KEPT = 60;
/** @type {Map<string, {etag: string|null, data: any}>} */
const kept = new Map();

/** The path of an endpoint with its query: parts are encoded. */
export function path(/** @type {(string|number)[]} */ parts, /** @type {Record<string, any>} */ query = {}) {
  return to(parts, query).replace("#/", "api/");
}

/**
 * The answer to a path. Rejects with an Error whose message is the server's one sentence.
 * @param {string} url
 * @param {AbortSignal} [signal]
 */
export async function ask(url, signal) {
  const before = kept.get(url);
  /** @type {Record<string, string>} */
  const headers = before?.etag ? { "If-None-Match": before.etag } : {};
  const response = await fetch(url, { headers, signal, credentials: "same-origin" }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer: is `agentr view` still running?");
  });
  if (response.status === 304 && before) return before.data;
  const data = await response.json().catch(() => null);
  if (!response.ok) throw new Error(data?.error ?? `The server answered ${response.status} for ${url}.`);
  kept.delete(url);
  kept.set(url, { etag: response.headers.get("ETag"), data });
  if (kept.size > KEPT) kept.delete(/** @type {string} */ (kept.keys().next().value));
  return data;
}

/**
 * What a path answers, asked anew when the database has changed (unless `live` is false); what was there stays on the
 * page until the new answer has come. A path of null asks nothing.
 * @param {string|null} url
 * @param {{live?: boolean}} [options]
 * @returns {{data: any, error: Error|null}}
 */
export function useAnswer(url, { live = true } = {}) {
  const [state, setState] = useState(/** @type {{url: any, data: any, error: any}} */ ({ url: null, data: null, error: null }));
  const version = live ? change.value : 0;
  useEffect(() => {
    if (url === null) return undefined;
    const controller = new AbortController();
    ask(url, controller.signal).then(
      (data) => setState((old) => (old.url === url && old.data === data && !old.error ? old : { url, data, error: null })),
      (error) => error.name !== "AbortError" && setState((old) => ({ url, data: old.url === url ? old.data : null, error })),
    );
    return () => controller.abort();
  }, [url, version]);
  const fresh = state.url === url;
  const early = url !== null && !fresh ? kept.get(url)?.data : null;
  return { data: fresh ? state.data : early ?? null, error: fresh ? state.error : null };
}

/**
 * The part of a page that needs an answer: `children` is a function of it. Until then a quiet line, or the error.
 * @param {{answer: {data: any, error: Error|null}, children: (data: any) => any, what?: string}} props
 */
export function Answered({ answer, children, what = "" }) {
  const { data, error } = answer;
  return html`
    ${error && html`<div class="error" role="alert"><${Text} text=${error.message} /></div>`}
    ${data ? children(data) : !error && html`<p class="dim waiting" aria-busy="true">${what ? `Reading ${what}…` : "Reading…"}</p>`}
  `;
}
