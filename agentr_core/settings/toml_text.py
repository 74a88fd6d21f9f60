"""A configuration as the text of a ``run.toml``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from agentr_core.registry.specs import KINDS
from agentr_core.settings.run_config import RunConfig


def config_tables(config: RunConfig) -> dict[str, Any]:
    """The settings in the shape of a run.toml: a table for each plugin and stage."""
    dump, several = config.model_dump(mode="json"), kinds_with_several(config)
    dump |= {"executor": config.executor.model_dump(mode="json")}
    kinds: dict[str, Any] = {kind: _table(dump[kind]) for kind in KINDS if kind not in several}
    listed: dict[str, Any] = {}
    if "env" in several:
        listed = {"env": config.environments, **{one["name"]: _table(one, name=False) for one in dump["env"]}}
    if trainers := dump.pop("trainers", None):
        every = [dump["trainer"], *trainers]
        listed |= {"trainer": ",".join(one["name"] for one in every)}
        listed |= {one["name"]: _table(one, name=False) for one in every}
    return {**dump, **kinds, **listed}


def kinds_with_several(config: RunConfig) -> list[str]:
    """The kinds of which a run has several plugins: each has a table under its own name."""
    return [kind for kind, chosen in (("env", config.env), ("trainer", config.all_trainers)) if len(chosen) > 1]


def _table(chosen: Mapping[str, Any], *, name: bool = True) -> dict[str, Any]:
    """A plugin's table: its name, its options, and what an environment has of its own beside them."""
    own = {key: value for key, value in chosen.items() if key not in ("name", "options")}
    return {**({"name": chosen["name"]} if name else {}), **chosen["options"], **own}


def to_toml(tables: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """Settings as TOML, with a comment behind the dotted keys that have one; None is written as a comment alone."""
    comments = comments or {}
    plain = {key: value for key, value in tables.items() if not isinstance(value, Mapping)}
    lines = [_assignment(key, value, comments.get(key)) for key, value in plain.items()]
    for table, values in tables.items():
        if isinstance(values, Mapping):
            lines += ["", f"[{_key(table)}]"]
            lines += [_assignment(key, value, comments.get(f"{table}.{key}")) for key, value in values.items()]
    return "\n".join(lines).strip() + os.linesep


def _assignment(key: str, value: Any, comment: str | None) -> str:
    text = f"# {_key(key)} is not set" if value is None else f"{_key(key)} = {toml_value(value)}"
    return f"{text:<40} # {comment}" if comment else text


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def toml_value(value: Any) -> str:
    """A value as TOML, and so as ``-o`` reads it."""
    if isinstance(value, Mapping):
        inside = (f"{_key(key)} = {toml_value(below)}" for key, below in value.items() if below is not None)
        return "{ " + ", ".join(inside) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(below) for below in value) + "]"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
