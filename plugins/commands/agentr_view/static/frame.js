// What is around every page: the name, where one is, the search, the way to the pages of a run, the help.
import { useEffect, useRef } from "preact/hooks";
import { useAnswer } from "./api.js";
import { html } from "./html.js";
import { enable, enabled, step, useKeys } from "./keys.js";
import { connection } from "./live.js";
import { go, place, requery, to } from "./routes.js";
import { Line, plain } from "./text.js";

/** The pages of a run: the word in the address, and what it is called. */
const PAGES = /** @type {[string, string, Record<string, string>?][]} */ ([
  ["", "run"],
  ["trees", "trees"],
  ["revisions", "revisions", { kind: "revision" }],
  ["datasets", "datasets"],
  ["evals", "evaluation"],
  ["critics", "critics"],
]);

const HELP = [
  ["/", "search"],
  ["?", "this help"],
  ["g r, g t", "go to the runs, to the trees of the run"],
  ["j, k", "next and previous row of a list"],
  ["Esc", "close the help, leave a field; fold a tree as at first"],
  ["↑ ↓ → ←", "in a tree: rows; open, then to the first child; close, then to the parent"],
  ["Home, End, *", "in a tree: first and last row; open all beside this one"],
  ["[, ]", "in a tree: one simulation back, on"],
  ["b, c, s, f", "in a tree: best end; next cut, solved end, failed end"],
  ["v, 1 to 9", "in a tree: only what was played; open to a depth"],
  ["ctrl and wheel, drag", "on the overview: zoom, move"],
];

/**
 * A page: its title is the document's, its heading gets the focus when one comes from another page.
 * @param {{title: string, run?: string|null, where?: string, wide?: boolean, children?: any}} props
 */
export function Page({ title, run = null, where = "", wide = false, children }) {
  const heading = useRef(/** @type {HTMLElement|null} */ (null));
  const name = useRunName(run);
  useEffect(() => {
    document.title = `${plain(title, 80)}${run && name !== title ? ` · ${plain(name, 40)}` : ""} · agentr`;
  }, [title, name]);
  useEffect(() => {
    if (moved && document.activeElement === document.body) heading.current?.focus({ preventScroll: true });
    moved = true;
  }, []);
  return html`
    <header class="top">
      <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => { event.preventDefault(); heading.current?.focus(); }}>to the page</a>
      <a class="brand" href="#/runs">agentr</a>
      ${run && html`<nav class="run-nav" aria-label="run">
        <span class="run-name"><${Line} text=${name} limit=${40} /></span>
        ${PAGES.map(([word, called, query]) => html`<a href=${to(word ? ["run", run, word] : ["run", run], query)} aria-current=${word === where ? "page" : undefined}>${called}</a>`)}
      </nav>`}
      <${Search} run=${run} />
      <${Connection} />
      <button class="plain help-button" aria-label="keys and help" title="keys and help (?)" onClick=${toggleHelp}>?</button>
    </header>
    <main id="main" class=${wide ? "wide" : ""}>
      <h1 tabindex="-1" ref=${heading}><${Line} text=${title} /></h1>
      ${children}
    </main>
    <${Help} run=${run} />`;
}
let moved = false;

function useRunName(/** @type {string|null} */ run) {
  const { data } = useAnswer(run ? `api/runs/${encodeURIComponent(run)}` : null, { live: false });
  return data?.run?.name || data?.run?.short || run || "";
}

/** One box: in a run it looks through the texts of its trees, elsewhere through the runs. */
function Search(/** @type {{run: string|null}} */ { run }) {
  const box = useRef(/** @type {HTMLInputElement|null} */ (null));
  useKeys({
    "/": () => box.current?.focus(),
    j: () => step(1),
    k: () => step(-1),
    "g r": () => go("#/runs"),
    "g t": () => go(run ? to(["run", run, "trees"]) : "#/runs"),
  });
  const search = (/** @type {Event} */ event) => {
    event.preventDefault();
    const q = box.current?.value ?? "";
    if (place.value.parts[2] === "search") requery({ q });
    else go(run ? to(["run", run, "search"], { q }) : to(["runs"], { q }));
  };
  return html`<form class="search" role="search" onSubmit=${search}>
    <input ref=${box} type="search" aria-label=${run ? "search the trees of this run" : "search runs"} placeholder=${run ? "search the trees  /" : "search runs  /"}
      value=${place.value.query.q ?? ""} />
  </form>`;
}

function Connection() {
  const said = /** @type {Record<string, string>} */ ({ live: "live", polling: "asking", away: "server away" })[connection.value];
  return html`<span class=${`connection is-${connection.value}`} role="status" title=${connection.value === "away" ? "The server does not answer; what is shown may be old." : "The page follows the database."}>${said}</span>`;
}

function dialog() {
  return /** @type {HTMLDialogElement|null} */ (document.querySelector("dialog.help"));
}

function toggleHelp() {
  const help = dialog();
  if (help?.open) help.close();
  else help?.showModal();
}

function Help(/** @type {{run: string|null}} */ { run }) {
  useKeys({ "?": toggleHelp });
  return html`<dialog class="help" aria-label="keys and help" onClick=${(/** @type {any} */ event) => event.target.tagName === "DIALOG" && event.target.close()}>
    <h2>Keys</h2>
    <dl>${HELP.map(([keys, does]) => html`<div><dt>${keys}</dt><dd>${does}</dd></div>`)}</dl>
    <p><label><input type="checkbox" checked=${enabled.value} onChange=${(/** @type {any} */ event) => enable(event.target.checked)} /> single keys do something (arrows in a tree always do)</label></p>
    <h2>Shapes</h2>
    <p>● solved · ✕ failed · ■ ended by a limit · ○ not played · ✂ cut. Q from <span class="q-scale" aria-hidden="true"></span> orange (0) to blue (1).</p>
    <h2>Search of a run's trees</h2>
    <p>Words in actions and observations; <code>task:TEXT</code>, <code>${"reward<1"}</code>, <code>${"depth>5"}</code>.</p>
    <p><button onClick=${toggleHelp}>close</button></p>
  </dialog>`;
}
