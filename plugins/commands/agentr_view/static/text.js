// Text that somebody else wrote: observations, completions, names. It is hostile until shown otherwise, so it is only
// ever put into text nodes; what would move the cursor, turn the writing direction or hide is made visible; and what is
// very long is cut until the reader asks for the rest.
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { number } from "./format.js";

/** How much of a text is shown before "show all", in characters. */
export const SHOWN = 4000;

// Control characters (without tab and line feed), soft hyphens, zero-width and bidirectional marks, line separators,
// lone surrogates, tags and the byte order mark.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udc7f]/g;

/** What stands for a character that cannot be seen: ␛ for an escape, ‹202E› for a mark of direction. */
export function symbol(/** @type {string} */ character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "␡";
  return `‹${code.toString(16).toUpperCase().padStart(4, "0")}›`;
}

/**
 * The text in pieces: strings, and elements for characters that cannot be seen.
 * @param {string} text
 * @returns {any[]}
 */
export function visible(text) {
  const pieces = [];
  let from = 0;
  for (const found of text.matchAll(UNSEEN)) {
    if (found.index > from) pieces.push(text.slice(from, found.index));
    pieces.push(html`<span class="unseen">${symbol(found[0])}</span>`);
    from = found.index + found[0].length;
  }
  if (from < text.length) pieces.push(text.slice(from));
  return pieces;
}

/** The same as one string, for titles, labels and the canvas. */
export function plain(/** @type {unknown} */ text, limit = 200) {
  const whole = text === null || text === undefined ? "" : String(text);
  const shown = whole.slice(0, limit).replace(UNSEEN, symbol).replace(/\s*\n\s*/g, " ↵ ");
  return whole.length > limit ? `${shown}…` : shown;
}

/**
 * A text of one line; line feeds become ↵.
 * @param {{text: unknown, limit?: number}} props
 */
export function Line({ text, limit = 300 }) {
  const whole = text === null || text === undefined ? "" : String(text);
  const shown = whole.length > limit ? `${whole.slice(0, limit)}…` : whole;
  return html`<bdi>${visible(shown.replace(/\s*\n\s*/g, " ↵ "))}</bdi>`;
}

/**
 * A text with its lines kept, cut after `limit` characters until the reader wants all of it.
 * @param {{text: unknown, limit?: number, class?: string}} props
 */
export function Text({ text, limit = SHOWN, class: name = "" }) {
  const [all, setAll] = useState(false);
  const whole = text === null || text === undefined ? "" : String(text);
  const cut = !all && whole.length > limit;
  return html`<div class=${`text ${name}`} dir="auto">
    ${visible(cut ? whole.slice(0, limit) : whole)}${cut &&
    html`<span class="dim">…</span> <button class="small" onClick=${() => setAll(true)}>
        show all ${number(whole.length)} characters
      </button>`}
  </div>`;
}
