// Preference pairs: what was said before, and a good and a bad attempt from there side by side.
import { path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { number } from "../format.js";
import { Page } from "../frame.js";
import { Filters, Paged } from "../paged.js";
import { place, to } from "../routes.js";
import { Line } from "../text.js";
import { Conversation } from "../turns.js";

/** @param {{run: string}} props */
export function PreferencesPage({ run }) {
  const sets = useAnswer(url(["runs", run])).data?.sets ?? [];
  const set = place.value.query.set ?? sets[0]?.id;
  return html`<${Page} title="Preference pairs" run=${run} where="datasets">
    <${Filters} filters=${[{ name: "set", label: "critic", values: sets.map((/** @type {any} */ each) => ({ value: each.id, label: `${each.label} (iteration ${each.iteration})` })), none: null, value: set }]} />
    ${set === undefined
      ? html`<p class="dim">This run has no revisions yet.</p>`
      : html`<${Paged} url=${url(["preferences"], { set })}>${(/** @type {any[]} */ items) => html`
          ${items.map((item, at) => html`<${Pair} key=${`${item.tree}.${item.node}.${at}`} item=${item} open=${at === 0} run=${run} set=${set} />`)}
          ${!items.length && html`<p class="dim">This set has no pairs.</p>`}`}<//>`}
  <//>`;
}

function Pair(/** @type {{item: any, open: boolean, run: string, set: any}} */ { item, open, run, set }) {
  return html`<details class="item" open=${open}>
    <summary data-item><b>tree ${item.tree}, node ${item.node}</b> <${Line} text=${item.task} limit=${70} /> <span class="dim">${number(item.chosen_reward)} against ${number(item.rejected_reward)}</span></summary>
    <p><a href=${to(["run", run, "tree", item.tree, "node", item.node], { set })}>the node in its tree</a></p>
    <details><summary>before: ${item.prompt.length} turns</summary><${Conversation} turns=${item.prompt} label="before" /></details>
    <div class="two">
      <div><h2>chosen, reward ${number(item.chosen_reward)}</h2><${Conversation} turns=${item.chosen} from=${item.prompt.length} label="chosen" /></div>
      <div><h2>rejected, reward ${number(item.rejected_reward)}</h2><${Conversation} turns=${item.rejected} from=${item.prompt.length} label="rejected" /></div>
    </div>
  </details>`;
}
