// The tokens of an answer, each tinted by how likely it was: the less likely, the more orange.
import { html } from "../html.js";
import { number } from "../format.js";
import { symbol, visible } from "../text.js";
import { useState } from "preact/hooks";

/** A token at this log-probability or less has the full tint. */
const UNLIKELY = -4;
const SHOWN = 600;

/** @param {{tokens: {text: string|null, id: number, logprob: number|null}[]|null|undefined}} props */
export function Tokens({ tokens }) {
  const [all, setAll] = useState(false);
  if (!tokens?.length) return null;
  const shown = all ? tokens : tokens.slice(0, SHOWN);
  const sum = tokens.reduce((total, each) => total + (each.logprob ?? 0), 0);
  return html`<details class="part tokens"><summary>${tokens.length} tokens by probability, log-probability ${number(sum)}</summary>
    <p class="text mono">${shown.map((each) => html`<span class="token" title=${`${each.id}${each.logprob === null ? "" : `: log-probability ${each.logprob.toFixed(3)}, ${(100 * Math.exp(each.logprob)).toFixed(1)}%`}`}
      style=${{ backgroundColor: shade(each.logprob) }}>${each.text === null ? html`<span class="dim">[${each.id}]</span>` : words(each.text)}</span>`)}</p>
    ${shown.length < tokens.length && html`<button class="small" onClick=${() => setAll(true)}>show all ${tokens.length} tokens</button>`}
  </details>`;
}

function words(/** @type {string} */ text) {
  return text === "\n" ? ["↵\n"] : visible(text.replace(/\r/g, symbol));
}

function shade(/** @type {number|null} */ logprob) {
  if (logprob === null || logprob === undefined) return "transparent";
  const part = Math.min(1, logprob / UNLIKELY);
  return `color-mix(in oklab, var(--tint) ${Math.round(70 * Math.max(0, part))}%, transparent)`;
}
