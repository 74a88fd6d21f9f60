"""One source of a run's settings: flags, ``AGENTR_*``, a file, a stored run; all have the shape of a ``run.toml``.

What becomes of several of them is :mod:`agentr_core.settings.layers`' business.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from agentr_core.errors import ConfigError
from agentr_core.registry.specs import KINDS, Kind
from agentr_core.settings.run_config import RunConfig, usual_temperature


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings of one source, in the shape of a ``run.toml``.

    ``labels`` say, by dotted key, what the user typed; by default it is the source and the key.
    """

    source: str
    values: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, key: str) -> str:
        """How to name the dotted ``key`` in a message."""
        return self.labels.get(key) or f"{self.source}: {key}"

    def origin(self, key: str) -> str:
        """How to name the source of the dotted ``key`` in a listing."""
        return self.labels.get(key) or self.source

    def table_label(self, table: str) -> str:
        """How to name a whole table: by the first thing the user typed of it."""
        return next((text for key, text in self.labels.items() if parts_of(key)[0] == table), self.label(table))


def flag_layer(flags: Mapping[str, Any], options: Sequence[str] = ()) -> Layer:
    """The layer of the command line: flags by dotted setting, and the texts after ``-o``.

    ``flags`` maps a setting to the flag and its value: ``{"search.tasks": ("--tasks", 20)}``.
    """
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for key, (flag, value) in flags.items():
        put(values, key, value, flag)
        labels[key] = flag
    for option in options:
        key, equals, text = option.partition("=")
        key = key.strip()
        path = parts_of(key)
        if not equals or not all(path):
            raise ConfigError(f"-o {option}: write KEY=VALUE, e.g. -o env.max_steps=30")
        label, same = f"-o {key}", _whole_name(key)
        if same in labels:
            raise ConfigError(f"{label}: is set by {labels[same]} already; give one of the two")
        put(values, path, parse_value(text), label)
        labels[same] = labels[key] = label
    return Layer("flag", values, labels)


def parts_of(key: str) -> list[str]:
    """The parts of a dotted key as it is typed; one of a world with a name like ``module.sub:Class`` begins with that.

    So ``gymnasium:FrozenLake-v1.max_steps`` is an option of one of several worlds of ``gymnasium``.
    """
    head, colon, rest = key.rpartition(":")
    first, *more = rest.split(".")
    return [f"{head}{colon}{first}", *more]


def _whole_name(key: str) -> str:
    """``env`` for ``env.name``: both name the plugin."""
    kind, _, rest = key.partition(".")
    return kind if kind in KINDS and rest == "name" else key


def environment_layer(variables: Mapping[str, Any]) -> Layer:
    """The layer of environment variables: ``{"search.tasks": ("AGENTR_TASKS", 20)}``."""
    layer = flag_layer(variables)
    return Layer("environment", layer.values, layer.labels)


def file_layer(path: str | Path, *, asked_as: str = "--config") -> Layer:
    """The layer of a TOML file, which was ``asked_as``. Raises :class:`ConfigError` where it is missing or no TOML."""
    path = Path(path)
    try:
        return Layer(path.name, tomllib.loads(_decoded(path.read_bytes())))
    except FileNotFoundError:
        raise ConfigError(f"{asked_as}: there is no file '{path}'") from None
    except OSError as error:
        raise ConfigError(f"{asked_as}: '{path}' cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{asked_as}: '{path}' is not TOML: {error}") from None


def _decoded(data: bytes) -> str:
    """Text as editors and PowerShell write it: UTF-8, or UTF-16 where its mark says so; the marks are left out."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig").replace("\r\n", "\n")


def stored_layer(source: str, config: Mapping[str, Any]) -> Layer:
    """The layer of a stored run's settings. Options of a plugin hold only where that plugin stays in use."""
    values: dict[str, Any] = {}
    for key, value in config.items():
        if key in KINDS:
            chosen = [*(value if isinstance(value, list) else [value])]
            chosen += config.get("trainers", ()) if key == "trainer" else ()
            values[key] = ",".join(one["name"] for one in chosen)
        elif key in RunConfig.model_fields and key != "trainers":
            values[key] = _as_given(value) if key == "evaluate" else value
        if key in KINDS:
            for one in chosen:
                own = {name: below for name, below in one.items() if name not in ("name", "options")}
                if (one["options"] or own) and one["name"] not in RunConfig.model_fields:
                    values.setdefault(one["name"], {}).update({**one["options"], **own})
    return Layer(source, values)


def _as_given(evaluate: Mapping[str, Any]) -> Mapping[str, Any]:
    """Stored settings of evaluation without a temperature that was nobody's choice: it follows from the repeats."""
    usual = evaluate.get("temperature") == usual_temperature(evaluate.get("repeats", 1))
    return {key: value for key, value in evaluate.items() if not (usual and key == "temperature")}


def parse_value(text: str) -> Any:
    """A value as TOML writes it (``30``, ``true``, ``[1, 2]``), else the text itself."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    known = isinstance(value, bool | int | float | str | list | dict) and "\n" not in text
    return value if known else text


def first_named(key: str, layers: Sequence[Layer]) -> Any:
    """What the strongest of the layers that name ``key`` says; None where none does."""
    return next((layer.values[key] for layer in layers if key in layer.values), None)


def name_in(kind: Kind, layer: Layer) -> Any:
    """The plugin of a kind that a layer names, whether it stands alone or in a table; None where it names none."""
    value = layer.values.get(kind)
    return value.get("name") if isinstance(value, Mapping) else value


def put(table: dict[str, Any], key: str | Sequence[str], value: Any, label: str) -> None:
    """Set a value in nested tables. A plugin's name (``env = "x"``) makes way for a table that holds it."""
    path = key.split(".") if isinstance(key, str) else key
    for depth, part in enumerate(path[:-1]):
        below = table.get(part)
        if depth == 0 and part in KINDS and isinstance(below, str):
            below = {"name": below}
        elif below is not None and not isinstance(below, Mapping):
            raise ConfigError(f"{label}: '{part}' is a value, not a table")
        table[part] = dict(cast(Mapping[str, Any], below or {}))
        table = table[part]
    held = table.get(path[-1])
    if len(path) == 1 and path[0] in KINDS and isinstance(held, Mapping):
        value = {**held, "name": value}
    table[path[-1]] = value
