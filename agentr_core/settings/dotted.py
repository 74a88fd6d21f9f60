"""Settings by dotted key, whatever they mean: what a stored configuration is read with. Imports no pydantic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Beside the settings of a stored run: where those came from that are no defaults, by the keys of ``Resolved.sources``.
SOURCES = "sources"


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested tables by dotted key; an empty table is a value."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def with_sources(config: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """The settings of a stored run by dotted key, each with where it came from: a flag, a file, a preset, ``default``.

    Where it came from is empty in a run that was not started from the command line, or by an agentr that kept no
    sources.
    """
    sources = config.get(SOURCES)
    for key, value in flatten({name: below for name, below in config.items() if name != SOURCES}):
        yield key, value, "" if sources is None else _source(key, sources)


def _source(key: str, sources: Mapping[str, str]) -> str:
    """The source of a setting, or of the nearest table around it.

    ``policy.options.a.b`` is called ``policy.a.b``, and what is set of one of several environments as its flag has it:
    ``env.webshop.options.products`` is ``webshop.products``.
    """
    kind, dot, rest = key.removesuffix(".name").partition(".options.")
    parts = f"{kind.removeprefix('env.')}{'.' if dot else ''}{rest}".split(".")
    least = 2 if dot else 1  # the source of a plugin's name is not that of its options
    found = (sources.get(".".join(parts[:size])) for size in range(len(parts), least - 1, -1))
    return next((source for source in found if source is not None), "default")
