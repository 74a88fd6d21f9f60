"""One node of a tree, with everything that is known of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentr_core import Store, parse_response, set_labels
from agentr_view.asked import Asked
from agentr_view.pages.trees import cut_nodes
from agentr_view.token_texts import token_texts

#: The bits of ``flags`` that a child shows: an end, and nothing below it left to search.
_TERMINAL, _EXHAUSTED = 8, 16


def one(store: Store, asked: Asked) -> dict[str, Any]:
    """A node: its texts, tokens, children, verdicts, and the samples that were cut after it or end in it."""
    tree = store.trees.get(asked.path_number("tree"))
    node = store.tree_views.node(tree.id, asked.path_number("node"))
    revisions, chosen = store.revisions, asked.number("set")
    newest = None if chosen else revisions.newest(tree.run_id, iteration=tree.iteration)
    sets = revisions.select(tree.run_id, iteration=tree.iteration)
    judged = next((made for made in sets if made.id == chosen), newest)
    said = {} if judged is None else store.tree_views.verdicts_of_set(tree.id, judged)
    shape, credits = node.shape, store.tree_views.credits(tree.id)
    return {
        "node": shape.node, "parent": shape.parent, "response": node.response,
        "thought": parse_response(node.response).thought, "action": node.action, "observation": node.observation,
        "reward": shape.reward, "score": node.score, "flags": node.flags, "visits": shape.visits, "value": shape.value,
        "copies": shape.copies, "simulation": shape.simulation, "prompt_tokens": node.prompt_tokens,
        "cached_tokens": node.cached_tokens, "completion_tokens": len(node.token_ids) or None, "finish": node.finish,
        "info": node.info, "tokens": _tokens(store, tree.model, node), **_children(store, tree, shape, said, credits),
        "expected": _expected(said.get(shape.node), node.info.get("search", {}).get("value")),
        **_credit(credits.get(shape.node)),
        "verdicts": _verdicts(store, tree.id, shape.node, sets), "samples": _samples(store, tree.id, shape.node, sets),
    }  # fmt: skip


def _tokens(store: Store, model: str, node: Any) -> list[dict[str, Any]]:
    kept = store.checkpoints.found(model)  # a checkpoint of the project; anything else is a name or a folder
    texts = token_texts(kept if Path(kept).is_dir() else model, node.token_ids)
    logprobs = node.logprobs or (None,) * len(node.token_ids)
    return [
        {"text": text, "id": number, "logprob": logprob}
        for text, number, logprob in zip(texts, node.token_ids, logprobs, strict=True)
    ]


def _children(
    store: Store, tree: Any, parent: Any, said: Mapping[int, Any], credits: Mapping[int, Any]
) -> dict[str, Any]:
    """The children, and how their UCT is reckoned, which is known where the searcher's options name its constant."""
    constant = _constant(store.runs.get(tree.run_id).config)
    children = store.tree_views.children(tree.id, parent.node)
    expected = store.tree_views.expected(tree.id, parent.node)
    drawn = sum(child.copies for child, _ in children)
    rows = [
        {
            "node": child.node, "action": action, "visits": child.visits, "value": child.value,
            "uct": None if constant is None else uct(child, parent.visits, constant),
            "share": child.copies / drawn, "copies": child.copies, "reward": child.reward,
            "terminal": bool(child.flags & _TERMINAL), "exhausted": bool(child.flags & _EXHAUSTED),
            "verdict": said[child.node].label if child.node in said else None,
            "expected": _expected(said.get(child.node), expected.get(child.node)), **_credit(credits.get(child.node)),
        }
        for child, action in children
    ]  # fmt: skip
    formula = None if constant is None else f"Q + {constant:g} · √(ln N(parent) / N)"
    return {"children": rows, "uct": formula}


def _expected(verdict: Any, searched: float | None) -> float | None:
    """What a value model thinks of a state: the chosen critic's, else the one that guided the search."""
    return searched if verdict is None or verdict.value is None else float(verdict.value)


def _credit(known: Any) -> dict[str, float | None]:
    """How good an action was and how much it counts where actions are learnt from; None where it is not learnt from."""
    return {name: None if known is None else getattr(known, name) for name in ("advantage", "weight")}


def _constant(config: dict[str, Any]) -> float | None:
    """The constant of a searcher that chooses by UCT; None of one that has another rule, or does not say."""
    options = (config.get("searcher") or {}).get("options") or {}
    found = options.get("c_uct") if options.get("selection", "uct") == "uct" else None
    return float(found) if isinstance(found, int | float) else None


def uct(child: Any, parent_visits: int, constant: float) -> float | None:
    """Q + c √(ln N(parent) / N); None for a child without a visit (it comes first) and one that is done with."""
    if not child.visits or child.flags & (_TERMINAL | _EXHAUSTED):
        return None
    bonus = constant * math.sqrt(math.log(max(1, parent_visits)) / child.visits)
    return float(child.value_sum / child.visits + bonus)


def _verdicts(store: Store, tree_id: int, node: int, sets: Any) -> list[dict[str, Any]]:
    labels = set_labels(sets)
    return [
        {"set": made.id, "critic": labels[made.id], "label": said.label, "step": said.step, "rationale": said.rationale}
        for made in sets
        if (said := store.tree_views.verdicts_of_set(tree_id, made).get(node)) is not None
    ]


def _samples(store: Store, tree_id: int, node: int, sets: Any) -> list[dict[str, Any]]:
    """Samples that were cut after the node, or whose attempts end in it."""
    found = []
    for made in sets:
        cuts = cut_nodes(store, tree_id, made.id)
        for s in store.revisions.samples(made.id, tree_id=tree_id):
            cut_here = cuts.get((s.kind, s.bad_leaf, s.good_leaf)) == node
            if cut_here or node in (s.bad_leaf, s.good_leaf):
                found.append({
                    "set": made.id, "kind": s.kind, "bad": s.bad_leaf, "good": s.good_leaf, "cut": s.cut,
                    "cut_here": cut_here, "verified": s.verified, "kept": s.kept,
                })  # fmt: skip
    return found
