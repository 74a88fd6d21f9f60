// Numbers, times and durations as people read them. Nothing here computes a statistic: that is the core's.

/** A number with at most `digits` places; "–" where there is none. */
export function number(/** @type {number|null|undefined} */ value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A figure of unknown size: as many places as tell it from its neighbours. */
export function figure(/** @type {unknown} */ value) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 10) return value.toFixed(1);
  return size >= 0.01 ? value.toFixed(3).replace(/\.?0+$/, "") : value.toPrecision(2);
}

/** A share as a percentage. */
export function percent(/** @type {number|null|undefined} */ share, digits = 0) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)}%`;
}

/** Seconds as "3.2 s", "4 min 10 s", "2 h 5 min". */
export function duration(/** @type {number|null|undefined} */ seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A moment (UTC, ISO 8601) in the reader's own time, to the minute. */
export function moment(/** @type {string|null|undefined} */ text) {
  if (!text) return "–";
  const when = new Date(text);
  if (Number.isNaN(when.getTime())) return text;
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())} ${two(when.getHours())}:${two(when.getMinutes())}`;
}

/** "1 node", "2 nodes". */
export function count(/** @type {number} */ n, /** @type {string} */ word) {
  return `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
}
