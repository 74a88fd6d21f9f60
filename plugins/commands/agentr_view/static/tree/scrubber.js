// The simulations of a search as a slider: the tree as far as it had grown.
import { html } from "../html.js";
import { count } from "../format.js";

/** @param {{state: import("./state.js").TreeState}} props */
export function Scrubber({ state }) {
  const last = state.tree.value.simulations;
  const until = state.until.value;
  const made = until === null ? state.tree.value.nodes.size : [...state.tree.value.nodes.values()].filter((node) => node.simulation <= until).length;
  const set = (/** @type {any} */ event) => {
    const at = Number(event.target.value);
    state.until.value = at >= last ? null : at;
  };
  return html`<div class="scrubber" role="group" aria-label="simulations">
    <button class="small" aria-label="one simulation back" title="one simulation back ([)" disabled=${until === 0} onClick=${() => state.scrub(-1)}>‹</button>
    <input type="range" min="0" max=${last} value=${until ?? last} aria-label="simulation" onInput=${set} />
    <button class="small" aria-label="one simulation on" title="one simulation on (])" disabled=${until === null} onClick=${() => state.scrub(1)}>›</button>
    <span class="dim">${until === null ? `${count(last, "simulation")}, ${count(made, "node")}` : `after simulation ${until} of ${last}: ${count(made, "node")} (N and Q are those at the end)`}</span>
  </div>`;
}
