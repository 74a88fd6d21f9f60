"""How the settings of a run are put together, and which source each came from.

Settings come in layers (flags, ``AGENTR_*``, a ``run.toml``, a preset, defaults); the highest that names one wins. All
layers have the shape of a ``run.toml``::

    env = "textcraft"              # or a table: [env] name = "textcraft", max_steps = 30; several: see environments.py
    iterations = 3
    [search]                       # the settings of a stage, see agentr_core.settings.run_config
    tasks = 200
    [mcts]                         # the options of a plugin, under its own name or under its kind ([searcher])
    samples = 4
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from agentr_core.errors import ConfigError
from agentr_core.interfaces.executor import LOCAL
from agentr_core.interfaces.plugin_config import PluginConfig, validate_config
from agentr_core.registry.lookup import Registry, registry
from agentr_core.registry.specs import KINDS, Kind
from agentr_core.settings.dotted import flatten
from agentr_core.settings.environments import OWN, environment_names, own_settings, spread
from agentr_core.settings.layer import Layer, first_named, name_in, put
from agentr_core.settings.model_limits import limits_for
from agentr_core.settings.presets import DEFAULT_PRESET, PRESETS
from agentr_core.settings.run_config import RunConfig

NO_TRAINER = "none"
#: Settings that say where a run is kept and not what it computes, so that no :class:`RunConfig` holds them.
_PLACE = ("preset", "name", "db", "out")
#: What can be typed; ``trainers`` are typed as the setting ``trainer``.
_FIELDS = [key for key in RunConfig.model_fields if key != "trainers"]
_SECTIONS = RunConfig.model_fields
_DEFAULT_DB = "agentr.db"
#: Of these a run may have several.
_SEVERAL: tuple[Kind, ...] = ("env", "trainer")


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


def resolve(layers: Sequence[Layer], *, plugins: Registry | None = None, require: bool = True) -> Resolved:
    """Put layers together (the first wins) over the preset they name, and check all of it.

    With ``require``, a plugin whose packages are missing raises
    :class:`~agentr_core.errors.MissingDependencyError`; every wrong setting is a :class:`ConfigError` that names what
    the user typed.
    """
    plugins = plugins or registry()
    preset = first_named("preset", layers) or DEFAULT_PRESET
    layers = [spread(layer) for layer in layers]
    layers = [*layers, *_model_layer(str(preset), layers), _preset_layer(str(preset), layers)]
    _load_files(layers, plugins)
    named = {name.strip() for kind in KINDS for layer in layers for name in str(name_in(kind, layer)).split(",")}
    for layer in layers:
        _check_keys(layer, plugins, named)
    environments = environment_names(layers)
    in_use: list[tuple[Kind, str]] = [("env", name) for name in environments]
    in_use += [(kind, _plugin_name(kind, layers)) for kind in KINDS if kind not in _SEVERAL]
    trainers = _trainer_names(layers)
    in_use += [("trainer", name) for name in trainers]
    _check_tables(layers, list(dict.fromkeys(in_use)), plugins)
    settings, sources, labels = _settings(layers)
    chosen: dict[Kind, list[dict[str, Any]]] = {}
    for kind, name in in_use:
        sources[kind] = next(layer.origin(kind) for layer in layers if name_in(kind, layer) is not None)
        group = name if kind in _SEVERAL and sum(each == kind for each, _ in in_use) > 1 else kind
        namesakes = [other for other, called in in_use if called == name and other != kind]
        options = _options(kind, name, str(preset), layers, plugins, sources, group, namesakes, require=require)
        place = f"env.{len(chosen.get(kind, ()))}"
        own = _own(plugins, name, layers, sources, group, place, labels) if kind == "env" else {}
        chosen.setdefault(kind, []).append({"name": name, "options": options, **own})
    _check_shared_options(layers, chosen["env"])
    settings |= {kind: several if kind == "env" else several[0] for kind, several in chosen.items()}
    settings["trainers"] = chosen["trainer"][1:]
    if sources["revise_unread"] == "default" and not sources["critic"].startswith("preset"):
        settings["revise_unread"], sources["revise_unread"] = True, f"{sources['critic']} names a critic"
    settings["plugins"] = plugins.files
    config = validate_config(RunConfig, settings, lambda key: _nearest(labels, key))
    where = {key: value for key in ("name", "db", "out") if (value := first_named(key, layers)) is not None}
    return Resolved(config, sources, str(preset), **{key: str(value) for key, value in where.items()})


def _policy_tables(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Under which names the options of the policy may stand."""
    name = next((name for layer in layers if isinstance(name := name_in("policy", layer), str)), "transformers")
    return name.partition(":")[0], "policy"


def _model_layer(preset: str, layers: Sequence[Layer]) -> Iterator[Layer]:
    """What the preset ``quick`` lets other models than its own have, by their size."""
    tables = [layer.values.get(table) for layer in layers for table in _policy_tables(layers)]
    named = [table["model"] for table in tables if isinstance(table, Mapping) and "model" in table]
    model = first_named("model", layers) or next(iter(named), None)
    limits = limits_for(str(model)) if model is not None and preset == DEFAULT_PRESET else None
    if limits is not None:
        yield Layer(f"preset {preset} for {model}, {limits[1]}", limits[0])


def _preset_layer(name: str, layers: Sequence[Layer]) -> Layer:
    if name in PRESETS:
        return Layer(f"preset {name}", PRESETS[name])
    label = next(layer.label("preset") for layer in layers if "preset" in layer.values)
    raise ConfigError(f"{label}: there is no preset '{name}'; there are: {', '.join(PRESETS)}")


def _load_files(layers: Sequence[Layer], plugins: Registry) -> None:
    files = first_named("plugins", layers) or ()
    if isinstance(files, str) or not all(isinstance(file, str) for file in files):
        raise ConfigError(f"plugins: must be a list of files or modules (got {files})")
    for file in files:
        plugins.add_file(file)


def _check_keys(layer: Layer, plugins: Registry, named: set[str]) -> None:
    """Refuse a key that is neither a setting, nor a kind, nor the name of a plugin with a table of options.

    ``named``: what the layers call plugins, ``module:Class`` among them.
    """
    known = {name for kind in KINDS for name in plugins.names(kind)} | named
    for key, value in layer.values.items():
        if key in _FIELDS or key in (*_PLACE, "model"):
            _check_section(key, value, layer)
        elif not isinstance(value, Mapping) or (key not in known and not layer.source.startswith("preset")):
            what = "plugin" if isinstance(value, Mapping) else "setting"
            names = [*_FIELDS, *_PLACE, "model", *sorted(known - {"None"})]
            raise _unknown(layer.table_label(key), what, key, names, _options_called(key, plugins))


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


def _options_called(key: str, plugins: Registry) -> list[str]:
    """The options of plugins that have this name, as they are typed: ``mcts.samples``."""
    light = [(entry.spec.kind, entry.spec.name) for entry in plugins.entries() if entry.spec.config is not None]
    return [f"{name}.{key}" for kind, name in light if key in plugins.config_class(kind, name).model_fields]


def _unknown(label: str, what: str, key: str, known: Sequence[str], options: Sequence[str] = ()) -> ConfigError:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    if options:
        hint = f" Did you mean {' or '.join(options)}?"
    return ConfigError(f"{label}: there is no {what} '{key}'.{hint} There are: {', '.join(dict.fromkeys(known))}.")


def _section_model(section: str) -> type[BaseModel] | None:
    """The model behind ``search``, ``revise``, ``data`` and ``evaluate``; None for a plain setting."""
    if section in KINDS or section not in RunConfig.model_fields:
        return None
    annotation = RunConfig.model_fields[section].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _check_tables(layers: Sequence[Layer], in_use: Sequence[tuple[Kind, str]], plugins: Registry) -> None:
    """Refuse options, typed as flags, of a plugin that is not in use, or that two plugins of one name have."""
    for layer in (layer for layer in layers if layer.source == "flag"):
        for key in (key for key in layer.values if key not in (*RunConfig.model_fields, *_PLACE, "model")):
            kinds = {kind: name for kind, name in in_use if key in (name, name.partition(":")[0])}
            if not kinds:
                used = ", ".join(f"{kind} '{name}'" for kind, name in in_use)
                raise ConfigError(f"{layer.table_label(key)}: '{key}' is not in use; in use are {used}")
            table = layer.values[key]
            for option in table if len(kinds) > 1 and isinstance(table, Mapping) else ():
                having = [kind for kind, name in kinds.items() if option in _fields_of(kind, name, plugins)]
                if len(having) > 1:
                    both, ways = " and a ".join(having), " or ".join(f"-o {kind}.{option}=VALUE" for kind in having)
                    raise ConfigError(f"{layer.label(f'{key}.{option}')}: a {both} have that option; write {ways}")


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
                    put(values, key, found[key], labels[key])
    return values, sources, labels


def flatten_once(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings of a layer by dotted key, down to the sections and no further."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", below) for name, below in value.items())
        else:
            yield key, value


def _setting_keys() -> Iterator[str]:
    for key in _FIELDS:
        model = _section_model(key)
        if model is not None:
            yield from (f"{key}.{name}" for name in model.model_fields)
        elif key not in KINDS and key != "plugins":
            yield key


def _plugin_name(kind: Kind, layers: Sequence[Layer]) -> str:
    for layer in layers:
        name = name_in(kind, layer)
        if isinstance(name, str) and name:
            return name
        if name is not None:
            raise ConfigError(f"{layer.label(kind)}: must be the name of a plugin (got '{name}')")
    raise ConfigError(f"--{kind}: is required; agentr plugins list --kind {kind} shows what there is")


def _trainer_names(layers: Sequence[Layer]) -> list[str]:
    """The trainers as they are typed, ``sft,tree``: iterations take them in turn, so one may be named again."""
    text = _plugin_name("trainer", layers)
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        label = next(layer.label("trainer") for layer in layers if name_in("trainer", layer) is not None)
        raise ConfigError(f"{label}: must be the name of a trainer, or several: a,b (got '{text}')")
    return names


def _options(
    kind: Kind,
    name: str,
    preset: str,
    layers: Sequence[Layer],
    plugins: Registry,
    sources: dict[str, str],
    group: str,
    namesakes: Sequence[Kind],
    *,
    require: bool,
) -> dict[str, Any]:
    """All options of one plugin, checked, defaults included; their sources are noted under ``group``.

    ``namesakes`` are the kinds of others in use that are called alike: what is an option of theirs alone is theirs.
    """
    if (kind, name) in (("trainer", NO_TRAINER), ("executor", LOCAL)):
        return {}
    spec_name = plugins.spec(kind, name).name
    if require:
        plugins.require(kind, name)
    model = plugins.config_class(kind, name)
    own = Layer(f"preset {preset}", {kind: dict(model.PRESETS.get(preset, {}))})
    options: dict[str, Any] = {}
    labels: dict[str, str] = {}
    typed: dict[str, str] = {}
    one_of_several = group not in KINDS
    theirs = {option for other in namesakes for option in _fields_of(other, name, plugins)} - {*model.model_fields}
    for layer in (own, *reversed(layers)):
        for key, dotted, value in _options_in(layer, kind, (spec_name, name)):
            if kind == "env" and _not_its_own(key, dotted, model, group):
                continue
            if dotted.partition(".")[0] in theirs and not key.startswith(f"{kind}."):
                continue
            if layer.source == "flag" and dotted in typed and not one_of_several:
                raise ConfigError(f"{layer.label(key)}: is set by {typed[dotted]} already; give one of the two")
            if layer.source == "flag":
                typed[dotted] = layer.label(key)
            put(options, dotted, value, layer.label(key))
            sources[f"{group}.{dotted}"], labels[dotted] = layer.origin(key), layer.label(key)
    if kind == "policy" and "model" in options and "model" not in model.model_fields:
        raise ConfigError(f"{labels['model']}: policy '{spec_name}' takes no model (got {options['model']})")
    checked = plugins.validate(kind, name, options, prefix=lambda key: _labelled(labels, spec_name, key))
    dump = checked.model_dump(mode="json")
    for key in dump:
        sources.setdefault(f"{group}.{key}", "default")
    return dump


def _fields_of(kind: Kind, name: str, plugins: Registry) -> Collection[str]:
    """The options of a plugin; none of what is built in."""
    return () if name in (NO_TRAINER, LOCAL) else plugins.config_class(kind, name).model_fields


def _labelled(labels: Mapping[str, str], name: str, key: str) -> str:
    """What was typed of an option, or of the first thing in it where it is a table."""
    below = (label for dotted, label in labels.items() if dotted.startswith(f"{key}."))
    return labels.get(key) or next(below, f"-o {name}.{key}")


def _not_its_own(key: str, dotted: str, model: type[PluginConfig], group: str) -> bool:
    """Whether a key of an environment's tables is no option of this one: settings of stages, or another's option."""
    option = dotted.partition(".")[0]
    of_all = group != "env" and key.startswith("env.")
    return option not in model.model_fields and (option in OWN or of_all)


def _own(
    plugins: Registry,
    name: str,
    layers: Sequence[Layer],
    sources: dict[str, str],
    group: str,
    place: str,
    labels: dict[str, str],
) -> dict[str, Any]:
    """What an environment has of its own beside its options: weight, and settings of stages.

    ``place`` is where it stands in the configuration: ``env.0``.
    """
    own: dict[str, Any] = {}
    tables = [table for table in dict.fromkeys((plugins.spec("env", name).name, name)) if table not in _SECTIONS]
    for dotted, value, layer, key in own_settings(["env", *tables], layers):
        put(own, dotted, value, layer.label(key))
        sources[f"{group}.{dotted}"] = layer.origin(key)
        labels[f"{place}.{dotted}"] = layer.label(key)
    return own


def _check_shared_options(layers: Sequence[Layer], environments: Sequence[Mapping[str, Any]]) -> None:
    """Refuse an option for all environments (``-o env.max_steps=30``) that none of them has."""
    known = {*OWN, "name", *(option for chosen in environments for option in chosen["options"])}
    for layer in layers if len(environments) > 1 else ():
        table = layer.values.get("env")
        for key in table if isinstance(table, Mapping) else ():
            if key not in known:
                raise _unknown(layer.label(f"env.{key}"), "setting of these environments", key, sorted(known))


def _options_in(layer: Layer, kind: Kind, names: tuple[str, str]) -> Iterator[tuple[str, str, Any]]:
    """What a layer says about one plugin, the stronger last: key in the layer, option, value.

    What is said of this one goes before what is said of all of its kind.
    """
    tables = () if names[0] in RunConfig.model_fields else names
    for table in dict.fromkeys((kind, *tables)):
        values = layer.values.get(table)
        if isinstance(values, Mapping):
            for dotted, value in flatten(values):
                if (table, dotted) != (kind, "name"):
                    yield f"{table}.{dotted}", dotted, value
    if kind == "policy" and "model" in layer.values:
        yield "model", "model", layer.values["model"]


def _nearest(labels: Mapping[str, str], key: str) -> str:
    """The label of a dotted key, or of the setting it lies in."""
    parts = key.split(".")
    found = (labels[stem] for size in range(len(parts), 0, -1) if (stem := ".".join(parts[:size])) in labels)
    return next(found, key)
