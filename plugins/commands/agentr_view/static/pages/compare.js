// Runs, models, recipes and seeds side by side: the core's own comparison.
import { Answered, path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { Page } from "../frame.js";
import { Plot } from "../plot.js";
import { place } from "../routes.js";
import { Table } from "../table.js";

export function ComparePage() {
  const { runs } = place.value.query;
  const answer = useAnswer(runs ? url(["compare"], { runs }) : null);
  return html`<${Page} title="Compare">
    ${runs
      ? html`<${Answered} answer=${answer} what="the runs">${(/** @type {any} */ data) => html`
          ${data.tables?.map((/** @type {any} */ table) => html`<${Table} key=${table.id} table=${table} />`)}
          <div class="plots">${data.plots?.map((/** @type {any} */ plot) => html`<${Plot} key=${plot.id} plot=${plot} />`)}</div>`}<//>`
      : html`<p class="dim">Choose runs on <a href="#/runs">the list of runs</a>.</p>`}
  <//>`;
}
