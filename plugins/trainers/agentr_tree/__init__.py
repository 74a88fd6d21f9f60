"""Learning from the actions of search trees for agentr. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_trainers() -> Iterable[PluginSpec]:
    """Register ``tree``."""
    return [
        PluginSpec(
            kind="trainer",
            name="tree",
            target="agentr_tree.trainer:TreeTrainer",
            config="agentr_tree.config:TreeSettings",
            summary="policy gradient over the tokens of a tree's actions, by their advantages",
            requires=("torch", "transformers", "trl", "accelerate", "datasets"),
            extra="train",
        )
    ]
