"""Plugin configuration: one frozen pydantic class a plugin, from which CLI help, docs and checks are made."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agentr_core.errors import ConfigError


class PluginConfig(BaseModel):
    """Base of every plugin's configuration.

    Subclass it with ``Field(default, description=...)`` for each value; unknown keys are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)
    #: The field that takes what stands after ``:`` in a name such as ``replay:RUN``; None where nothing may.
    argument: ClassVar[str | None] = None
    #: Values by preset name (``quick``, ``paper``); what a preset does not name keeps its default.
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}


ConfigT = TypeVar("ConfigT", bound=BaseModel)

#: What pydantic calls a wrong shape, and how the right one is written.
_FORMS = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type"), "a list, such as [1, 2]"),
    **dict.fromkeys(("dict_type", "model_type", "mapping_type"), "a table, such as {key = 1}"),
}


#: What pydantic puts behind the name of a setting that may be of several kinds: no part of what was typed.
_OF_UNION = re.compile(r"literal\[.*\]|constrained-\w+|int|str|float|bool")


def validate_config(model: type[ConfigT], values: Mapping[str, Any], prefix: str | Callable[[str], str]) -> ConfigT:
    """Build ``model`` from ``values``; a :class:`ConfigError` names the flag the user typed.

    That is ``prefix`` + the dotted key, or what ``prefix`` makes of the key.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item, model, prefix) for item in error.errors())) from None


def _explain(item: Any, model: type[BaseModel], prefix: str | Callable[[str], str]) -> str:
    path = ".".join(part for part in map(str, item["loc"]) if not _OF_UNION.fullmatch(part))
    flag = (
        (f"{prefix}{path}" if path else prefix.rstrip(".: ")) if isinstance(prefix, str) else prefix(path).rstrip(".: ")
    )
    kind, context = item["type"], item.get("ctx", {})
    got = _short(item.get("input"))
    if kind == "extra_forbidden":
        return f"{flag}: there is no such setting{_guess(path, model)}"
    bounds = {
        "greater_than_equal": "must be at least {ge}",
        "less_than_equal": "must be at most {le}",
        "greater_than": "must be more than {gt}",
        "less_than": "must be less than {lt}",
    }
    if kind in ("too_short", "string_too_short") and context["min_length"] == 1:
        return f"{flag}: must not be empty"
    if kind in bounds:
        return f"{flag}: {bounds[kind].format(**context)} (got {got})"
    if kind in _FORMS:
        return f"{flag}: must be {_FORMS[kind]} (got {got})"
    if kind == "missing":
        return f"{flag}: is required"
    message = str(item["msg"])
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    message = f"{flag}: {message[:1].lower()}{message[1:]}".removeprefix(": ")  # of no one key: it names its own
    return message if isinstance(item.get("input"), Mapping) else f"{message} (got {got})"


def _guess(path: str, model: type[BaseModel]) -> str:
    if "." in path:  # inside a nested model, whose fields are not these
        return ""
    names = list(model.model_fields)
    near = difflib.get_close_matches(path, names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return f"{hint} There are: {', '.join(names) or 'none'}"


def _short(value: Any, limit: int = 60) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
