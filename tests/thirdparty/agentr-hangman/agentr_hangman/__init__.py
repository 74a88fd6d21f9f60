"""Hangman for agentr. This module only registers; it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_environments() -> Iterable[PluginSpec]:
    """Register ``hangman``."""
    return [
        PluginSpec(
            kind="env",
            name="hangman",
            target="agentr_hangman.env:Hangman",
            config="agentr_hangman.config:HangmanConfig",
            summary="guess a word letter by letter",
        )
    ]


@hookimpl
def agentr_register_critics() -> Iterable[PluginSpec]:
    """Register ``missed``."""
    return [
        PluginSpec(
            kind="critic",
            name="missed",
            target="agentr_hangman.critic:MissedCritic",
            summary="the first guess that was not in the word",
        )
    ]
