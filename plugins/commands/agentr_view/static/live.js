// Knowing when the database has changed. The server says so (server-sent events); where a proxy holds the stream back
// and nothing has come for a while, the question is asked every two seconds instead. Only "something changed" travels:
// each part of a page then asks for what is new, at most once a second. A page that nobody looks at does not listen,
// since a browser opens only six connections to a server for all its tabs.
import { signal } from "@preact/signals";

/** Grows by one whenever what is shown may be out of date. */
export const change = signal(0);
/** How changes are learnt: "live", "polling", or "away" when the server does not answer. */
export const connection = signal("live");

/** Milliseconds: without a word this long the stream is taken to be held back; between two questions; between two changes. */
const SILENCE = 40_000;
const POLL = 2_000;
const LEAST = 1_000;

let source = /** @type {EventSource|null} */ (null);
let seen = /** @type {number|null} */ (null);
let heard = Date.now();
let waits = false;
let again = false;

/** Listen from now on, whenever the page is looked at. */
export function listen() {
  const look = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", look);
  window.setInterval(() => !document.hidden && Date.now() - heard > SILENCE && poll(), POLL);
  look();
}

function close() {
  source?.close();
  source = null;
}

function open() {
  if (source) return;
  heard = Date.now();
  source = new EventSource("api/events");
  source.onopen = alive;
  source.addEventListener("beat", alive);
  source.onmessage = (event) => {
    alive();
    tell(JSON.parse(event.data).change);
  };
  source.onerror = () => {
    connection.value = "away";
    heard = Math.min(heard, Date.now() - SILENCE + POLL); // ask soon: it may be the stream alone that fails
  };
}

function alive() {
  heard = Date.now();
  connection.value = "live";
}

async function poll() {
  try {
    const response = await fetch("api/events?wait=0", { credentials: "same-origin" });
    tell((await response.json()).change);
    if (connection.value !== "live" || Date.now() - heard > SILENCE) connection.value = "polling";
  } catch {
    connection.value = "away";
  }
}

/** The database's number: a new one is a change, except the first of all. */
function tell(/** @type {unknown} */ number) {
  if (typeof number !== "number" || number === seen) return;
  const first = seen === null;
  seen = number;
  if (first) return;
  if (waits) again = true;
  else pass();
}

function pass() {
  again = false;
  waits = true;
  change.value += 1;
  window.setTimeout(() => {
    waits = false;
    if (again) pass();
  }, LEAST);
}
