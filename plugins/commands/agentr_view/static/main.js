// The start: which page an address means. Every page is a module of pages/.
import { h, render } from "preact";
import { html } from "./html.js";
import { Page } from "./frame.js";
import { listen } from "./live.js";
import { place } from "./routes.js";
import { Text } from "./text.js";
import { ComparePage } from "./pages/compare.js";
import { CriticsPage } from "./pages/critics.js";
import { DatasetPage, DatasetsPage } from "./pages/datasets.js";
import { EpisodesPage } from "./pages/episodes.js";
import { EvalsPage } from "./pages/evals.js";
import { PreferencesPage } from "./pages/preferences.js";
import { RevisionPage } from "./pages/revision.js";
import { RevisionsPage } from "./pages/revisions.js";
import { RunPage } from "./pages/run.js";
import { RunsPage } from "./pages/runs.js";
import { SearchPage } from "./pages/search.js";
import { TreePage } from "./pages/tree.js";
import { TreesPage } from "./pages/trees.js";

/** The pages below #/run/KEY/, by the next part of the address. */
const OF_A_RUN = /** @type {Record<string, (run: string, rest: string[]) => any>} */ ({
  trees: (run) => h(TreesPage, { run }),
  tree: (run, [tree]) => h(TreePage, { run, tree: Number(tree) }),
  revisions: (run) => h(RevisionsPage, { run }),
  revision: (run, key) => h(RevisionPage, { run, at: key }),
  datasets: (run) => h(DatasetsPage, { run }),
  dataset: (run, [id]) => h(DatasetPage, { run, id }),
  preferences: (run) => h(PreferencesPage, { run }),
  evals: (run) => h(EvalsPage, { run }),
  episodes: (run, [task]) => h(EpisodesPage, { run, task }),
  critics: (run) => h(CriticsPage, { run }),
  search: (run) => h(SearchPage, { run }),
});

/** How many more parts an address must have to mean something. */
const NEEDED = /** @type {Record<string, number>} */ ({ tree: 1, revision: 5, dataset: 1, episodes: 1 });

/** Whether an address below #/run/KEY/ means a page. */
function isPage(/** @type {string} */ page, /** @type {string[]} */ rest) {
  return Object.hasOwn(OF_A_RUN, page) && rest.length >= (NEEDED[page] ?? 0) && (page !== "tree" || /^\d+$/.test(rest[0]));
}

function App() {
  const [first = "runs", key, page, ...rest] = place.value.parts;
  if (first === "runs") return h(RunsPage, {});
  if (first === "compare") return h(ComparePage, {});
  if (first === "run" && key && !page) return h(RunPage, { run: key });
  if (first === "run" && key && isPage(page, rest)) return OF_A_RUN[page](key, rest);
  return html`<${Page} title="No such page"><${Text} text=${`There is nothing at ${location.hash}. The runs are at #/runs.`} /><//>`;
}

listen();
render(h(App, {}), /** @type {HTMLElement} */ (document.getElementById("app")));
