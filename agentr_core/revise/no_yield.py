"""Why a revision set came out empty, and what to set: nobody should have to guess from three zeros."""

from __future__ import annotations

from collections.abc import Mapping

from agentr_core.settings.run_config import ReviseSettings


def why_none(metrics: Mapping[str, float], settings: ReviseSettings, iteration: int) -> str:
    """What is to be said of a set without revisions, by its metrics; nothing where it has some."""
    if metrics["revisions"]:
        return ""
    if metrics["tried"]:
        return (
            "no splice kept its reward: what the bad start did was not made good by the tail; try more "
            f"revise.repairs (now {settings.repairs}), or leave splices unexecuted with revise.splice=recorded"
        )
    if metrics["pairs"]:
        return "every bad attempt parts from the good one at the step that ends it: search deeper, or more tasks"
    if metrics["good"]:
        return (
            f"no good attempt has a worse one beside it (revise.beta={settings.beta:g}): draw more answers at a node, "
            "at a higher temperature, or search more tasks"
        )
    return (
        f"no attempt came to a reward of {settings.alpha_at(iteration):g}: lower revise.alpha, search longer or more "
        "tasks, or begin with a model that solves some"
    )
