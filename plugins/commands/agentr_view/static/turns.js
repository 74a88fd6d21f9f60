// Conversations: what was said in turn, what of it is trained, and for a revision which part each turn belongs to.
import { html, classes } from "./html.js";
import { Line, Text } from "./text.js";

/**
 * @typedef {{role: string, text: string, train?: boolean|number, band?: string|null, recorded?: string|null,
 *   loop?: boolean}} Turn
 */

/** What the parts of a revision are called on the page; another part is called what the server calls it. */
const BANDS = /** @type {Record<string, string>} */ ({
  head: "the task",
  shared: "shared by both attempts",
  bad: "the bad attempt, until the cut",
  signal: "✂ the cut, and the revision signal",
  good: "the good attempt from here",
});

/**
 * @param {{turns: Turn[], from?: number, recorded?: boolean, label?: string}} props
 *   `from` numbers the first turn; `recorded` shows what the attempt had recorded beside what was seen on replay.
 */
export function Conversation({ turns, from = 0, recorded = false, label = "conversation" }) {
  return html`<ol class="turns" aria-label=${label} start=${from + 1}>
    ${turns.map((turn, at) => html`
      ${turn.band && turn.band !== turns[at - 1]?.band && html`<li class=${`band-name band-${known(turn.band)}`}><${Line} text=${BANDS[turn.band] ?? turn.band} /></li>`}
      <${One} turn=${turn} recorded=${recorded} />
    `)}
  </ol>`;
}

function known(/** @type {string} */ band) {
  return band in BANDS ? band : "other";
}

/** One turn; in the margin whether it is trained. */
function One(/** @type {{turn: Turn, recorded: boolean}} */ { turn, recorded }) {
  const differs = turn.recorded !== null && turn.recorded !== undefined && turn.recorded !== turn.text;
  const name = classes({ turn: true, trained: turn.train, loop: turn.loop, [`role-${/^\w+$/.test(turn.role) ? turn.role : "other"}`]: true, [`band-${known(turn.band ?? "")}`]: turn.band });
  return html`<li class=${name}>
    <div class="turn-head">
      <span class="role"><${Line} text=${turn.role} /></span>
      ${turn.train ? html`<span class="tag trained">trained</span>` : null}
      ${turn.loop ? html`<span class="tag loop">↻ repeats</span>` : null}
      ${differs ? html`<span class="tag differs">not as recorded</span>` : null}
    </div>
    ${differs && recorded
      ? html`<div class="two"><div><h4>recorded</h4><${Text} text=${turn.recorded} /></div><div><h4>seen when played again</h4><${Text} text=${turn.text} /></div></div>`
      : html`<${Text} text=${turn.text} limit=${turn.role === "system" || turn.band === "head" ? 600 : 4000} />`}
  </li>`;
}

/** The number of turns at the beginning that two conversations share. */
export function sharedTurns(/** @type {Turn[]} */ a, /** @type {Turn[]} */ b) {
  let at = 0;
  while (at < a.length && at < b.length && a[at].role === b[at].role && a[at].text === b[at].text) at += 1;
  return at;
}
