"""How the settings of a run are put together, and which source each came from.

Settings come in layers (flags, ``AGENTR_*``, a ``run.toml``, a preset, defaults); the highest that names one wins. All
layers have the shape of a ``run.toml``::

    env = "textcraft"              # or a table: [env] name = "textcraft", max_steps = 30
    iterations = 3
    [search]                       # the settings of a stage, see agentr_core.settings.run_config
    tasks = 200
    [mcts]                         # the options of a plugin, under its own name or under its kind ([searcher])
    samples = 4
"""

from __future__ import annotations

import codecs
import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from agentr_core.errors import ConfigError
from agentr_core.interfaces.plugin_config import validate_config
from agentr_core.registry.lookup import Registry, registry
from agentr_core.registry.specs import KINDS, Kind
from agentr_core.settings.model_limits import limits_for
from agentr_core.settings.presets import DEFAULT_PRESET, PRESETS
from agentr_core.settings.run_config import RunConfig, flatten

NO_TRAINER = "none"
#: Settings that say where a run is kept and not what it computes, so that no :class:`RunConfig` holds them.
_PLACE = ("preset", "name", "db", "out")
_DEFAULT_DB = "agentr.db"


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
        return next((text for key, text in self.labels.items() if key.split(".")[0] == table), self.label(table))


@dataclass(frozen=True, slots=True)
class Resolved:
    """A checked configuration and where it is kept.

    ``sources`` say which source each setting came from, by dotted key: ``iterations``, ``revise.alpha``, ``searcher``
    (its name), ``searcher.samples``.
    """

    config: RunConfig
    sources: Mapping[str, str]
    preset: str = DEFAULT_PRESET
    name: str | None = None
    db: str = _DEFAULT_DB
    out: str | None = None


def flag_layer(flags: Mapping[str, Any], options: Sequence[str] = ()) -> Layer:
    """The layer of the command line: flags by dotted setting, and the texts after ``-o``.

    ``flags`` maps a setting to the flag and its value: ``{"search.tasks": ("--tasks", 20)}``.
    """
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for key, (flag, value) in flags.items():
        _put(values, key, value, flag)
        labels[key] = flag
    for option in options:
        key, equals, text = option.partition("=")
        key = key.strip()
        if not equals or not all(key.split(".")):
            raise ConfigError(f"-o {option}: write KEY=VALUE, e.g. -o env.max_steps=30")
        label, same = f"-o {key}", _whole_name(key)
        if same in labels:
            raise ConfigError(f"{label}: is set by {labels[same]} already; give one of the two")
        _put(values, key, parse_value(text), label)
        labels[same] = labels[key] = label
    return Layer("flag", values, labels)


def _whole_name(key: str) -> str:
    """``env`` for ``env.name``: both name the plugin."""
    kind, _, rest = key.partition(".")
    return kind if kind in KINDS and rest == "name" else key


def environment_layer(variables: Mapping[str, Any]) -> Layer:
    """The layer of environment variables: ``{"search.tasks": ("AGENTR_TASKS", 20)}``."""
    layer = flag_layer(variables)
    return Layer("environment", layer.values, layer.labels)


def file_layer(path: str | Path) -> Layer:
    """The layer of a TOML file. Raises :class:`ConfigError` where it is missing or is not TOML."""
    path = Path(path)
    try:
        return Layer(path.name, tomllib.loads(_decoded(path.read_bytes())))
    except FileNotFoundError:
        raise ConfigError(f"--config: there is no file '{path}'") from None
    except OSError as error:
        raise ConfigError(f"--config: '{path}' cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config: '{path}' is not TOML: {error}") from None


def _decoded(data: bytes) -> str:
    """Text as editors and PowerShell write it: UTF-8, or UTF-16 where its mark says so; the marks are left out."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig").replace("\r\n", "\n")


def stored_layer(source: str, config: Mapping[str, Any]) -> Layer:
    """The layer of a stored run's settings. Options of a plugin hold only where that plugin stays in use."""
    values: dict[str, Any] = {}
    for key, value in config.items():
        if key in KINDS:
            values[key] = value["name"]
            if value["options"] and value["name"] not in RunConfig.model_fields:
                values.setdefault(value["name"], {}).update(value["options"])
        elif key in RunConfig.model_fields:
            values[key] = value
    return Layer(source, values)


def parse_value(text: str) -> Any:
    """A value as TOML writes it (``30``, ``true``, ``[1, 2]``), else the text itself."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    known = isinstance(value, bool | int | float | str | list | dict) and "\n" not in text
    return value if known else text


def resolve(layers: Sequence[Layer], *, plugins: Registry | None = None, require: bool = True) -> Resolved:
    """Put layers together (the first wins) over the preset they name, and check all of it.

    With ``require``, a plugin whose packages are missing raises
    :class:`~agentr_core.errors.MissingDependencyError`; every wrong setting is a :class:`ConfigError` that names what
    the user typed.
    """
    plugins = plugins or registry()
    preset = _first("preset", layers) or DEFAULT_PRESET
    layers = [*layers, *_model_layer(str(preset), layers), _preset_layer(str(preset), layers)]
    _load_files(layers, plugins)
    for layer in layers:
        _check_keys(layer, plugins)
    names = {kind: _plugin_name(kind, layers) for kind in KINDS}
    _check_tables(layers, names)
    settings, sources, labels = _settings(layers)
    for kind in KINDS:
        sources[kind] = next(layer.origin(kind) for layer in layers if _name_in(kind, layer) is not None)
        options = _options(kind, names[kind], str(preset), layers, plugins, sources, require=require)
        settings[kind] = {"name": names[kind], "options": options}
    settings["plugins"] = plugins.files
    config = validate_config(RunConfig, settings, lambda key: _nearest(labels, key))
    place = {key: value for key in ("name", "db", "out") if (value := _first(key, layers)) is not None}
    return Resolved(config, sources, str(preset), **{key: str(value) for key, value in place.items()})


def _first(key: str, layers: Sequence[Layer]) -> Any:
    return next((layer.values[key] for layer in layers if key in layer.values), None)


def _policy_tables(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Under which names the options of the policy may stand."""
    name = next((name for layer in layers if isinstance(name := _name_in("policy", layer), str)), "transformers")
    return name.partition(":")[0], "policy"


def _model_layer(preset: str, layers: Sequence[Layer]) -> Iterator[Layer]:
    """What the preset ``quick`` lets other models than its own have, by their size."""
    tables = [layer.values.get(table) for layer in layers for table in _policy_tables(layers)]
    named = [table["model"] for table in tables if isinstance(table, Mapping) and "model" in table]
    model = _first("model", layers) or next(iter(named), None)
    limits = limits_for(str(model)) if model is not None and preset == DEFAULT_PRESET else None
    if limits is not None:
        yield Layer(f"preset {preset} for {model}, {limits[1]}", limits[0])


def _preset_layer(name: str, layers: Sequence[Layer]) -> Layer:
    if name in PRESETS:
        return Layer(f"preset {name}", PRESETS[name])
    label = next(layer.label("preset") for layer in layers if "preset" in layer.values)
    raise ConfigError(f"{label}: there is no preset '{name}'; there are: {', '.join(PRESETS)}")


def _load_files(layers: Sequence[Layer], plugins: Registry) -> None:
    files = _first("plugins", layers) or ()
    if isinstance(files, str) or not all(isinstance(file, str) for file in files):
        raise ConfigError(f"plugins: must be a list of files or modules (got {files})")
    for file in files:
        plugins.add_file(file)


def _check_keys(layer: Layer, plugins: Registry) -> None:
    """Refuse a key that is neither a setting, nor a kind, nor the name of a plugin with a table of options."""
    known = {name for kind in KINDS for name in (*plugins.names(kind), str(_name_in(kind, layer)))}
    for key, value in layer.values.items():
        if key in RunConfig.model_fields or key in (*_PLACE, "model"):
            _check_section(key, value, layer)
        elif not isinstance(value, Mapping) or (key not in known and not layer.source.startswith("preset")):
            what = "plugin" if isinstance(value, Mapping) else "setting"
            raise _unknown(
                layer.table_label(key), what, key, [*RunConfig.model_fields, *_PLACE, "model", *sorted(known)]
            )


def _check_section(section: str, value: Any, layer: Layer) -> None:
    model = _section_model(section)
    if model is None:
        if isinstance(value, Mapping) and section not in KINDS:
            raise ConfigError(f"{layer.table_label(section)}: '{section}' is a value, not a table of settings")
        return
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{layer.label(section)}: is a table of settings: {', '.join(model.model_fields)} (got {value})"
        )
    for key in value:
        if key not in model.model_fields:
            raise _unknown(layer.label(f"{section}.{key}"), "setting", key, list(model.model_fields))


def _unknown(label: str, what: str, key: str, known: Sequence[str]) -> ConfigError:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return ConfigError(f"{label}: there is no {what} '{key}'.{hint} There are: {', '.join(dict.fromkeys(known))}.")


def _section_model(section: str) -> type[BaseModel] | None:
    """The model behind ``search``, ``revise``, ``data`` and ``evaluate``; None for a plain setting."""
    if section in KINDS or section not in RunConfig.model_fields:
        return None
    annotation = RunConfig.model_fields[section].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _check_tables(layers: Sequence[Layer], names: Mapping[Kind, str]) -> None:
    """Refuse options, typed as flags, of a plugin that is not in use, or of two plugins of one name."""
    for layer in (layer for layer in layers if layer.source == "flag"):
        for key in (key for key in layer.values if key not in (*RunConfig.model_fields, *_PLACE, "model")):
            kinds = [kind for kind, name in names.items() if name.partition(":")[0] == key]
            if not kinds:
                used = ", ".join(f"{kind} '{name}'" for kind, name in names.items())
                raise ConfigError(f"{layer.table_label(key)}: '{key}' is not in use; in use are {used}")
            if len(kinds) > 1:
                both = " and a ".join(kinds)
                raise ConfigError(f"{layer.table_label(key)}: a {both} have that name; write -o {kinds[0]}.KEY=VALUE")


def _settings(layers: Sequence[Layer]) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """All that is not about plugins: values in the shape of a RunConfig, sources and labels by dotted key."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    labels: dict[str, str] = {}
    for key in (*_setting_keys(), *_PLACE):
        sources[key] = "default"
        for layer in reversed(layers):
            found = dict(flatten_once(layer.values))
            if key in found:
                sources[key], labels[key] = layer.origin(key), layer.label(key)
                if key not in _PLACE:
                    _put(values, key, found[key], labels[key])
    return values, sources, labels


def flatten_once(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings of a layer by dotted key, down to the sections and no further."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", below) for name, below in value.items())
        else:
            yield key, value


def _setting_keys() -> Iterator[str]:
    for key in RunConfig.model_fields:
        model = _section_model(key)
        if model is not None:
            yield from (f"{key}.{name}" for name in model.model_fields)
        elif key not in KINDS and key != "plugins":
            yield key


def _name_in(kind: Kind, layer: Layer) -> Any:
    value = layer.values.get(kind)
    return value.get("name") if isinstance(value, Mapping) else value


def _plugin_name(kind: Kind, layers: Sequence[Layer]) -> str:
    for layer in layers:
        name = _name_in(kind, layer)
        if isinstance(name, str) and name:
            return name
        if name is not None:
            raise ConfigError(f"{layer.label(kind)}: must be the name of a plugin (got '{name}')")
    raise ConfigError(f"--{kind}: is required; agentr plugins list --kind {kind} shows what there is")


def _options(
    kind: Kind,
    name: str,
    preset: str,
    layers: Sequence[Layer],
    plugins: Registry,
    sources: dict[str, str],
    *,
    require: bool,
) -> dict[str, Any]:
    """All options of one plugin, checked, defaults included."""
    if kind == "trainer" and name == NO_TRAINER:
        return {}
    spec_name = plugins.spec(kind, name).name
    if require:
        plugins.require(kind, name)
    model = plugins.config_class(kind, name)
    own = Layer(f"preset {preset}", {kind: dict(model.PRESETS.get(preset, {}))})
    options: dict[str, Any] = {}
    labels: dict[str, str] = {}
    typed: dict[str, str] = {}
    for layer in (own, *reversed(layers)):
        for key, dotted, value in _options_in(layer, kind, (spec_name, name)):
            if layer.source == "flag" and dotted in typed:
                raise ConfigError(f"{layer.label(key)}: is set by {typed[dotted]} already; give one of the two")
            if layer.source == "flag":
                typed[dotted] = layer.label(key)
            _put(options, dotted, value, layer.label(key))
            sources[f"{kind}.{dotted}"], labels[dotted] = layer.origin(key), layer.label(key)
    if kind == "policy" and "model" in options and "model" not in model.model_fields:
        raise ConfigError(f"{labels['model']}: policy '{spec_name}' takes no model (got {options['model']})")
    checked = plugins.validate(kind, name, options, prefix=lambda key: labels.get(key, f"-o {spec_name}.{key}"))
    dump = checked.model_dump(mode="json")
    for key in dump:
        sources.setdefault(f"{kind}.{key}", "default")
    return dump


def _options_in(layer: Layer, kind: Kind, names: tuple[str, str]) -> Iterator[tuple[str, str, Any]]:
    """What a layer says about one plugin, the stronger last: key in the layer, option, value."""
    tables = () if names[0] in RunConfig.model_fields else names
    for table in dict.fromkeys((*tables, kind)):
        values = layer.values.get(table)
        if isinstance(values, Mapping):
            for dotted, value in flatten(values):
                if (table, dotted) != (kind, "name"):
                    yield f"{table}.{dotted}", dotted, value
    if kind == "policy" and "model" in layer.values:
        yield "model", "model", layer.values["model"]


def _put(table: dict[str, Any], key: str, value: Any, label: str) -> None:
    """Set a value in nested tables. A plugin's name (``env = "x"``) makes way for a table that holds it."""
    path = key.split(".")
    for depth, part in enumerate(path[:-1]):
        below = table.get(part)
        if depth == 0 and part in KINDS and isinstance(below, str):
            below = {"name": below}
        elif below is not None and not isinstance(below, Mapping):
            raise ConfigError(f"{label}: '{part}' is a value, not a table")
        table[part] = dict(cast(Mapping[str, Any], below or {}))
        table = table[part]
    held = table.get(path[-1])
    if len(path) == 1 and key in KINDS and isinstance(held, Mapping):
        value = {**held, "name": value}
    table[path[-1]] = value


def _nearest(labels: Mapping[str, str], key: str) -> str:
    """The label of a dotted key, or of the setting it lies in."""
    parts = key.split(".")
    found = (labels[stem] for size in range(len(parts), 0, -1) if (stem := ".".join(parts[:size])) in labels)
    return next(found, key)
