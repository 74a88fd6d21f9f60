// Keys of the whole page, and who listens. A part says what its keys do while it is shown; all of them can be turned
// off (WCAG 2.1.4), which the browser remembers. Keys never work while something is typed.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** @typedef {{keys: string, does: string}} Help  one line of the help: which keys, what for */

/** Whether single keys do anything. */
export const enabled = signal(localStorage.getItem("agentr.keys") !== "off");
/** Who listens, the newest last: `run` by key ("g r" is two keys one after the other). */
const listeners = /** @type {Record<string, () => void>[]} */ ([]);
let pending = "";
let forget = 0;

/** Turn all keys on or off. */
export function enable(/** @type {boolean} */ on) {
  enabled.value = on;
  localStorage.setItem("agentr.keys", on ? "on" : "off");
}

/**
 * What keys do while this part is shown.
 * @param {Record<string, () => void>} actions
 */
export function useKeys(actions) {
  useEffect(() => {
    listeners.push(actions);
    return () => {
      listeners.splice(listeners.indexOf(actions), 1);
    };
  });
}

function isTyping(/** @type {EventTarget|null} */ target) {
  return target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
}

function action(/** @type {string} */ key) {
  return [...listeners].reverse().find((each) => key in each)?.[key];
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = isTyping(event.target);
  if (typing && event.key === "Escape") /** @type {HTMLElement} */ (event.target).blur();
  if (typing || !enabled.value) return;
  const run = action(pending ? `${pending} ${event.key}` : event.key);
  clearTimeout(forget);
  if (event.key === "g" && !pending) {
    pending = "g";
    forget = window.setTimeout(() => (pending = ""), 1500);
    return;
  }
  pending = "";
  if (!run) return;
  event.preventDefault();
  run();
});

/** Focus the next (or previous) thing of a list: elements marked `data-item`. */
export function step(/** @type {number} */ by) {
  const items = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main [data-item]")]);
  const at = items.findIndex((each) => each === document.activeElement || each.contains(document.activeElement));
  const next = items[at < 0 ? (by > 0 ? 0 : items.length - 1) : Math.min(items.length - 1, Math.max(0, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
