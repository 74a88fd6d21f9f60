"""The reference of the settings, from the pydantic classes that check them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import PydanticUndefined

from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.registry.lookup import NOUNS, registry
from agentr_core.registry.specs import KINDS
from agentr_core.settings.presets import PRESETS
from agentr_core.settings.run_config import (
    ChosenEnvironment,
    DataSettings,
    EvaluateSettings,
    ReviseSettings,
    RunConfig,
    SearchSettings,
)
from tools.docs.words import code, docstring, page, table

ABOUT = """\
Every setting of a run: what it means, what it is unless you say otherwise, and what the presets `quick` (used where
none is named) and `paper` make of it. A setting is given as a flag where it has one, as `-o KEY=VALUE`, or in a
`run.toml`; flags come before `AGENTR_*` variables, those before `--config FILE`, then the preset, then the default.
`agentr config show` prints what a run would use and where each value comes from."""
_STAGES: dict[str, type[PluginConfig]] = {
    "search": SearchSettings, "revise": ReviseSettings, "data": DataSettings, "evaluate": EvaluateSettings,
}  # fmt: skip
_PARTS = {*KINDS, "trainers", *_STAGES}  # several trainers are typed as one: a,b


def settings_page() -> str:
    """The page."""
    return page("Settings", ABOUT, [*_run_sections(), *_plugin_sections()])


def _run_sections() -> Iterator[str]:
    yield "## Of a run"
    yield table(_HEAD, [row for row in _rows("", RunConfig) if row[0].strip("`") not in _PARTS])
    for name, settings in _STAGES.items():
        yield f"## {name}"
        yield docstring(settings)
        yield table(_HEAD, _rows(f"{name}.", settings))
    yield "## Of one of several environments"
    yield docstring(ChosenEnvironment)
    yield table(
        _HEAD, [row for row in _rows("NAME.", ChosenEnvironment) if not row[0].endswith((".name`", ".options`"))]
    )


def _plugin_sections() -> Iterator[str]:
    found = registry()
    for kind in KINDS:
        for entry in found.entries(kind):
            name, config = entry.spec.name, found.config_class(kind, entry.spec.name)
            yield f"## {NOUNS[kind]} `{name}`"
            yield f"{entry.spec.summary[:1].upper()}{entry.spec.summary[1:]}."
            if rows := _rows(f"{name}.", config):
                yield table(_HEAD, rows)
            else:
                yield "No settings."


_HEAD = ("setting", "type", "default", "what it is", "presets")


def _rows(prefix: str, config: type[PluginConfig]) -> list[tuple[str, str, str, str, str]]:
    schema: Mapping[str, Any] = config.model_json_schema(mode="serialization").get("properties", {})
    own: Mapping[str, Mapping[str, Any]] = getattr(config, "PRESETS", {})
    rows = []
    for key, field in config.model_fields.items():
        default = field.get_default(call_default_factory=True) if not field.is_required() else PydanticUndefined
        said = "required" if default is PydanticUndefined else code(_text(default))
        presets = _presets(f"{prefix}{key}", {name: values.get(key) for name, values in own.items()})
        rows.append((code(prefix + key), kind_of(schema.get(key, {})), said, field.description or "", presets))
    return rows


def _presets(dotted: str, own: Mapping[str, Any]) -> str:
    """What presets say of a setting, those of the plugin itself included."""
    said = []
    for name, values in PRESETS.items():
        found: Any = values
        for part in dotted.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        found = own.get(name) if found is None else found
        if found is not None and not isinstance(found, Mapping):
            said.append(f"{name}: {code(_text(found))}")
    return ", ".join(said)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_text(each) for each in value) + "]"
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def kind_of(schema: Mapping[str, Any]) -> str:
    """The type that a JSON schema describes, in words, with its bounds."""
    if "anyOf" in schema:
        return " or ".join(kind_of(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(code(each) for each in schema["enum"])
    word = str(schema.get("const", schema.get("type", "")))
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return " ".join([word, *(f"{sign} {schema[bound]:g}" for bound, sign in bounds.items() if bound in schema)])
