// One revision as the conversation that is trained: shared, bad until the cut, the signal, the good tail; what carries
// loss; what was recorded against what was seen; and why it was kept, repaired or dropped.
import { useState } from "preact/hooks";
import { Answered, path as url, useAnswer } from "../api.js";
import { html } from "../html.js";
import { number } from "../format.js";
import { Page } from "../frame.js";
import { to } from "../routes.js";
import { Line, Text } from "../text.js";
import { attempts } from "./revisions.js";
import { Conversation } from "../turns.js";

/** @param {{run: string, at: string[]}} props `at`: set, tree, kind, bad leaf, good leaf */
export function RevisionPage({ run, at }) {
  const [set, tree, kind, bad, good] = at;
  const answer = useAnswer(url(["revisions", set, tree, kind, bad, good]));
  const [recorded, show] = useState(false);
  return html`<${Page} title=${`${kind} ${attempts({ bad, good })} of tree ${tree}`} run=${run} where="revisions">
    <${Answered} answer=${answer} what="the revision">${(/** @type {any} */ data) => {
      const differ = data.turns.filter((/** @type {any} */ turn) => turn.recorded != null && turn.recorded !== turn.text).length;
      return html`
        ${data.why && html`<p class="why"><${Line} text=${data.why} limit=${1000} /></p>`}
        <${Facts} sample=${data.sample} run=${run} at=${at} />
        <${Reasons} verdicts=${data.verdicts ?? []} run=${run} tree=${tree} set=${set} />
        <div class="tools">
          ${data.sample.verified === null ? null : differ
            ? html`<label><input type="checkbox" checked=${recorded} onChange=${(/** @type {any} */ event) => show(event.target.checked)} /> recorded beside what was seen (${differ} differ)</label>`
            : html`<span class="dim">What was seen when it was played again is what was recorded.</span>`}
          <span class="legend"><span><i class="swatch trained"></i>trained</span></span>
        </div>
        <${Conversation} turns=${data.turns} recorded=${recorded} label="the revision" />`;
    }}<//>
  <//>`;
}

function Facts(/** @type {{sample: any, run: string, at: string[]}} */ { sample, run, at }) {
  const [set, tree, , bad, good] = at;
  const node = (/** @type {string|number} */ id) => to(["run", run, "tree", tree, "node", id], { set });
  const facts = [
    ["kind", sample.kind],
    ["critic", sample.critic],
    ["parts after step", sample.divergence],
    ["cut after step", sample.cut],
    ["reward of the bad attempt", number(sample.bad_reward)],
    ["of the good attempt", number(sample.good_reward)],
    ["of the revision", number(sample.reward)],
    ["kept", sample.kept ? "yes" : "no"],
  ];
  return html`<dl class="figures small-figures">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd><${Line} text=${value} /></dd></div>`)}</dl>
    <p>${Number(bad) >= 0 && html`<a href=${node(bad)}>the bad attempt in the tree</a> · `}<a href=${node(good)}>the good attempt in the tree</a></p>`;
}

function Reasons(/** @type {{verdicts: any[], run: string, tree: string, set: string}} */ { verdicts, run, tree, set }) {
  if (!verdicts.length) return null;
  return html`<details class="part" open=${verdicts.length < 4}><summary>What the critic said, step by step (${verdicts.length})</summary>
    <dl class="verdicts">${verdicts.map((each) => html`
      <dt><span class=${`label-${["good", "bad", "uncertain"].includes(each.label) ? each.label : "other"}`}><${Line} text=${each.label} /></span>
        ${each.node !== undefined && html` <a href=${to(["run", run, "tree", tree, "node", each.node], { set })}>step ${each.step ?? ""}, node ${each.node}</a>`}</dt>
      <dd>${each.rationale ? html`<${Text} text=${each.rationale} limit=${1200} />` : html`<span class="dim">no reason given</span>`}</dd>`)}</dl>
  </details>`;
}
