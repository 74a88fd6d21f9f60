"""Policies that need no model: experts, flawed experts, random actors and replays. This module only registers them."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_policies() -> Iterable[PluginSpec]:
    """Register ``expert``, ``flawed``, ``random`` and ``replay``."""
    return [
        PluginSpec(
            kind="policy",
            name="expert",
            target="agentr_scripted.expert:ExpertPolicy",
            config="agentr_scripted.config:ExpertConfig",
            summary="does the next action of the environment's demonstration",
        ),
        PluginSpec(
            kind="policy",
            name="flawed",
            target="agentr_scripted.flawed:FlawedPolicy",
            config="agentr_scripted.config:FlawedConfig",
            summary="the expert with seeded errors at a given rate; judges with a given accuracy",
        ),
        PluginSpec(
            kind="policy",
            name="random",
            target="agentr_scripted.random_actor:RandomPolicy",
            config="agentr_scripted.config:RandomConfig",
            summary="draws among the actions that the environment offers",
        ),
        PluginSpec(
            kind="policy",
            name="replay",
            target="agentr_scripted.replay:ReplayPolicy",
            config="agentr_scripted.config:ReplayConfig",
            summary="answers with the recorded completions of a stored run (--policy replay:RUN)",
        ),
    ]
