// The one place that binds htm to Preact: every part of the viewer writes html`<p>…</p>`.
// What is put into ${…} becomes text or attributes of real elements, never markup.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);

/** Class names of those that hold: `classes({open: true, sick: false})` is "open". */
export function classes(/** @type {Record<string, unknown>} */ names) {
  return Object.keys(names).filter((name) => names[name]).join(" ");
}
