// Q on a scale from orange (0) over grey to blue (1), which people who do not tell red from green can read. The page
// mixes the theme's colours itself; the canvas needs them as numbers.

/** How far a value lies on the scale, 0 to 1; rewards outside of it are at its ends. */
function share(/** @type {number} */ value) {
  return Math.min(1, Math.max(0, value));
}

/** The colour of a value for the style of an element. */
export function tint(/** @type {number|null} */ value) {
  if (value === null || value === undefined) return "var(--q-none)";
  const at = share(value);
  const [from, to, part] = at < 0.5 ? ["--q-low", "--q-mid", at * 2] : ["--q-mid", "--q-high", at * 2 - 1];
  return `color-mix(in oklab, var(${to}) ${Math.round(100 * part)}%, var(${from}))`;
}

/**
 * The same for a canvas: a function of the value, in the colours that the element has now.
 * @param {CSSStyleDeclaration} style
 */
export function ramp(style) {
  const rgb = (/** @type {string} */ name) => {
    const hex = style.getPropertyValue(name).trim();
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  };
  const [low, mid, high] = ["--q-low", "--q-mid", "--q-high"].map(rgb);
  const mixed = (/** @type {number[]} */ a, /** @type {number[]} */ b, /** @type {number} */ part) => `rgb(${a.map((each, at) => Math.round(each + (b[at] - each) * part)).join()})`;
  const steps = Array.from({ length: 41 }, (_, at) => (at < 20 ? mixed(low, mid, at / 20) : mixed(mid, high, at / 20 - 1)));
  const none = style.getPropertyValue("--q-none").trim();
  return (/** @type {number|null} */ value) => (value === null || value === undefined ? none : steps[Math.round(40 * share(value))]);
}
