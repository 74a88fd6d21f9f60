"""A run in a row: with what it was made, and what it came to. No printing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentr_core.account import said, warnings
from agentr_core.runs.labels import by_name, environment_names, model_name
from agentr_core.settings.dotted import with_sources
from agentr_core.store import RunRow, Store


def run_summary(store: Store, run: RunRow) -> dict[str, Any]:
    """A run's settings by the names that people know them by, and the success of its first and its last model.

    ``success`` and ``baseline`` are those of the run's own evaluations; None while there are none.
    """
    config = run.config
    acts = config.get("policy", {})
    named = {kind: (config.get(kind) or {}).get("name") for kind in ("searcher", "critic", "trainer")}
    own = [row for row in store.runs.stages(run.id, stage="evaluate") if "success" in row.metrics]
    return {
        "envs": environment_names(config).split(",") if config.get("env") else [],
        "model": model_name(str(acts.get("options", {}).get("model") or acts.get("name", "-"))),
        **named,
        "iterations": config.get("iterations"),
        "baseline": next((row.metrics["success"] for row in own if not row.iteration), None),
        "success": own[-1].metrics["success"] if own else None,
    }


def run_settings(run: RunRow) -> list[tuple[str, Any, str]]:
    """The configuration of a run: dotted name, value and source of each setting; that of one of several environments
    below ``env.NAME``.

    The source is a flag, a file, a preset or ``default``, and empty where it was not kept.
    """
    return list(with_sources(by_name(run.config)))


def account_rows(store: Store, run: RunRow) -> Iterator[dict[str, Any]]:
    """What went otherwise than it should in a run: a row for each name, with what it says in words."""
    for (iteration, stage), counts in store.runs.accounts(run.id).items():
        for name, text in said(counts):
            yield {"iteration": iteration, "stage": stage, "name": name, "count": counts[name], "text": text}


def account_warnings(store: Store, run: RunRow) -> list[str]:
    """A sentence for each share of a stage that is worth one, with what to do about it."""
    return [
        f"iteration {iteration}, {stage}: {told}"
        for (iteration, stage), counts in store.runs.accounts(run.id).items()
        for told in warnings(counts)
    ]
