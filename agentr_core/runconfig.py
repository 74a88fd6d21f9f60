"""What a run is to do: its settings, where each came from, and what must be equal for it to be resumed.

Settings come in layers (flags, ``AGENTR_*``, a ``run.toml``, a preset, defaults); the highest that names one wins. All
layers have the shape of a ``run.toml``::

    env = "textcraft"              # or a table: [env] name = "textcraft", max_steps = 30
    iterations = 3
    [mcts]                         # options of a plugin, under its own name or under its kind ([searcher])
    samples = 4
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agentr_core.config import content_hash, validate_config
from agentr_core.errors import ConfigError
from agentr_core.hookspecs import KINDS, Kind
from agentr_core.presets import PRESETS
from agentr_core.registry import NOUNS, Registry, registry

DEFAULT_PRESET = "quick"
NO_TRAINER = "none"
#: Settings that change where and how fast a run goes, and nothing of what it does.
_IMMATERIAL = {"preset", "name", "db", "out", "concurrency"}


class Choice(BaseModel):
    """A plugin and its options (all of them, defaults included, once :func:`resolve` has checked them)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class RunConfig(BaseModel):
    """The settings of a run. Lists with a value an iteration repeat their last value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: Choice = Field(description="the environment")
    searcher: Choice = Field(description="how trees are grown")
    policy: Choice = Field(description="what acts")
    critic: Choice = Field(description="what finds the first error")
    trainer: Choice = Field(description="what learns; 'none' collects and measures only")
    preset: str = Field(DEFAULT_PRESET, description="named settings below the others")
    name: str | None = Field(None, description="a name for the run")
    iterations: int = Field(2, ge=1, description="how often to go round")
    tasks: int = Field(60, ge=1, description="training tasks an iteration")
    split: str = Field("train", description="the split to train on")
    seed: int = Field(0, ge=0, description="fixes every draw")
    concurrency: int = Field(16, ge=1, description="trees in flight")
    alpha: tuple[float, ...] = Field((0.5,), description="least reward of a good trajectory, by iteration")
    beta: float = Field(0.2, ge=0, le=1, description="gap between good and bad, or the most a bad one may have")
    beta_mode: Literal["gap", "absolute"] = Field("gap", description="how beta is meant")
    pairs_per_tree: int | None = Field(40, ge=1, description="cap on pairs of one tree; None: no cap")
    pairs_per_leaf: int | None = Field(4, ge=1, description="cap on pairs of one bad leaf; None: no cap")
    splice: Literal["verified", "recorded"] = Field("verified", description="execute a splice, or trust the record")
    revision_action: Literal["revise", "wait"] = Field("revise", description="the action of the revision signal")
    recipe: Literal["agent-r", "direct", "optimal", "good"] = Field("agent-r", description="what data is trained on")
    general: str | None = Field(None, description="general conversations to mix in, a file of JSON lines")
    eta: float = Field(1.0, gt=0, le=1, description="share of agent data where there are general conversations")
    start: Literal["previous", "base"] = Field("previous", description="the model an iteration trains from")
    epochs: tuple[float, ...] = Field((), description="epochs by iteration; empty: as the trainer has it")
    eval_split: str = Field("test", description="the split to measure on")
    eval_tasks: int = Field(100, ge=0, description="tasks to measure on; 0: do not measure")
    eval_temperature: float = Field(0.0, ge=0, description="temperature of the measured policy; 0 is greedy")
    eval_max_tokens: int = Field(500, ge=1, description="tokens a turn of the measured policy")
    revision_test: bool = Field(True, description="continue failed attempts from a cut (Agent-R table 3)")
    db: str = Field("agentr.db", description="the project's database")
    out: str = Field("agentr-out", description="where checkpoints and exports go")
    plugins: tuple[str, ...] = Field((), description="plugin files that the run needs")

    @field_validator("alpha")
    @classmethod
    def _rewards(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or not all(0 <= each <= 1 for each in value):
            raise ValueError("must be one or more rewards from 0 to 1")
        return value

    @field_validator("alpha", "epochs", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float) else value

    @property
    def model(self) -> str | None:
        """The policy's model, where it has one."""
        value = self.policy.options.get("model")
        return None if value is None else str(value)

    def choice(self, kind: Kind) -> Choice:
        """The plugin of one kind."""
        choice: Choice = getattr(self, kind)
        return choice

    def choices(self) -> Iterator[tuple[Kind, Choice]]:
        """The plugins of the run; a run without training has no trainer."""
        for kind in KINDS:
            choice = self.choice(kind)
            if kind != "trainer" or choice.name != NO_TRAINER:
                yield kind, choice

    def alpha_at(self, iteration: int) -> float:
        """The least reward of a good trajectory in iteration ``iteration`` (1-based)."""
        return self.alpha[min(iteration, len(self.alpha)) - 1]

    def epochs_at(self, iteration: int) -> float | None:
        """The epochs of iteration ``iteration`` (1-based); None: as the trainer has it."""
        return self.epochs[min(iteration, len(self.epochs)) - 1] if self.epochs else None

    def material(self) -> dict[str, Any]:
        """The settings that must be equal for a run to be resumed, by dotted name."""
        return dict(_flat(self.model_dump(mode="json", exclude=_IMMATERIAL)))

    def hash(self) -> str:
        """A hash of :meth:`material`."""
        return content_hash(self.material())

    def differences(self, other: RunConfig) -> list[tuple[str, Any, Any]]:
        """What keeps ``other`` from resuming this: rows of setting, value here, value there."""
        mine, theirs = self.material(), other.material()
        keys = sorted({*mine, *theirs})
        return [(key, mine.get(key), theirs.get(key)) for key in keys if mine.get(key) != theirs.get(key)]


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings of one source, in the shape of a ``run.toml``.

    ``label`` of a dotted key is what the user typed; by default the source and the key.
    """

    source: str
    values: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, key: str) -> str:
        """How to name ``key`` in a message."""
        return self.labels.get(key) or self.labels.get(key.partition(".")[0]) or f"{self.source}: {key}"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A checked configuration, and which source each setting (``iterations``, ``searcher.samples``) came from."""

    config: RunConfig
    sources: Mapping[str, str]


def flag_layer(flags: Mapping[str, Any], options: Sequence[str] = ()) -> Layer:
    """The layer of the command line: its flags by name, and the texts after ``-o``."""
    values: dict[str, Any] = dict(flags)
    labels = {name: f"--{name.replace('_', '-')}" for name in flags}
    for option in options:
        key, equals, text = option.partition("=")
        key = key.strip()
        if not equals or not all(key.split(".")):
            raise ConfigError(f"-o {option}: write KEY=VALUE, e.g. -o env.max_steps=30")
        _put(values, key.split("."), parse_value(text), f"-o {key}")
        labels[key] = f"-o {key}"
    return Layer("flag", values, labels)


def environment_layer(values: Mapping[str, Any]) -> Layer:
    """The layer of the environment variables ``AGENTR_NAME``, by setting."""
    return Layer("environment", dict(values), {name: f"AGENTR_{name.upper()}" for name in values})


def file_layer(path: str | Path) -> Layer:
    """The layer of a TOML file. Raises :class:`ConfigError` where it is missing or is not TOML."""
    path = Path(path)
    try:
        return Layer(path.name, tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"--config: there is no file '{path}'") from None
    except OSError as error:
        raise ConfigError(f"--config: '{path}' cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config: '{path}' is not TOML: {error}") from None


def parse_value(text: str) -> Any:
    """A value as TOML writes it (``30``, ``true``, ``[1, 2]``), else the text itself."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, bool | int | float | str | list | dict) else text


def resolve(
    layers: Sequence[Layer],
    *,
    plugins: Registry | None = None,
    require: bool = True,
) -> Resolved:
    """Put layers together (the first wins) over the preset they name, and check all of it.

    With ``require``, a plugin whose packages are missing raises
    :class:`~agentr_core.errors.MissingDependencyError`; every wrong setting is a :class:`ConfigError` that names what
    the user typed.
    """
    plugins = plugins or registry()
    layers = [*layers, _preset_layer(layers)]
    settings, sources, labels = _settings(layers)
    for file in settings.get("plugins", ()):
        plugins.add_file(file)
    settings["plugins"] = plugins.files
    for layer in layers:
        _check_keys(layer, plugins)
    names = {kind: _name(kind, layers, sources) for kind in KINDS}
    _check_tables(layers, names)
    for kind in KINDS:
        options = _options(kind, names[kind], layers, plugins, sources, require=require)
        settings[kind] = {"name": names[kind], "options": options}
    config = validate_config(RunConfig, settings, lambda key: labels.get(key.partition(".")[0], key))
    return Resolved(config, sources)


def _preset_layer(layers: Sequence[Layer]) -> Layer:
    for layer in layers:
        if (name := layer.values.get("preset")) is not None:
            if name not in PRESETS:
                raise ConfigError(
                    f"{layer.label('preset')}: there is no preset '{name}'; there are: {', '.join(PRESETS)}"
                )
            return Layer(f"preset {name}", PRESETS[name])
    return Layer(f"preset {DEFAULT_PRESET}", PRESETS[DEFAULT_PRESET])


def _settings(layers: Sequence[Layer]) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """The values, sources and labels of all settings that are not about plugins."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    labels: dict[str, str] = {}
    for key in (key for key in RunConfig.model_fields if key not in KINDS):
        sources[key] = "default"
        for layer in layers:
            if key in layer.values:
                values[key], sources[key], labels[key] = layer.values[key], layer.source, layer.label(key)
                break
    return values, sources, labels


def _check_keys(layer: Layer, plugins: Registry) -> None:
    """Refuse a key that is neither a setting, nor a kind, nor the name of a plugin with a table of options."""
    for key, value in layer.values.items():
        if key in RunConfig.model_fields or key == "model":
            continue
        if isinstance(value, Mapping) and (layer.source.startswith("preset") or _is_plugin(key, plugins)):
            continue
        label = next((text for name, text in layer.labels.items() if name.partition(".")[0] == key), layer.label(key))
        known = [*RunConfig.model_fields, "model", *(name for kind in KINDS for name in plugins.names(kind))]
        near = difflib.get_close_matches(key, known, n=1)
        what = "no such plugin" if isinstance(value, Mapping) else "no such setting"
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"{label}: there is {what} as '{key}'.{hint} There are: {', '.join(dict.fromkeys(known))}.")


def _check_tables(layers: Sequence[Layer], names: Mapping[Kind, str]) -> None:
    """Refuse options, typed as flags, of a plugin that is not in use, or of two plugins of one name."""
    for layer in (layer for layer in layers if layer.source == "flag"):
        for key in (key for key in layer.values if key not in RunConfig.model_fields and key != "model"):
            label = next(text for name, text in layer.labels.items() if name.partition(".")[0] == key)
            kinds = [kind for kind, name in names.items() if name.partition(":")[0] == key]
            if not kinds:
                used = ", ".join(f"{kind} '{name}'" for kind, name in names.items())
                raise ConfigError(f"{label}: '{key}' is not in use; in use are {used}")
            if len(kinds) > 1:
                raise ConfigError(
                    f"{label}: there are {' and '.join(kinds)} of that name; write -o {kinds[0]}.… instead"
                )


def _is_plugin(name: str, plugins: Registry) -> bool:
    return any(name in plugins.names(kind) for kind in KINDS)


def _options(
    kind: Kind, name: str, layers: Sequence[Layer], plugins: Registry, sources: dict[str, str], *, require: bool
) -> dict[str, Any]:
    """All options of one plugin, checked, defaults included."""
    if kind == "trainer" and name == NO_TRAINER:
        return {}
    spec_name = plugins.spec(kind, name).name
    options: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for layer in reversed(layers):
        for prefix, table in _tables(kind, spec_name, layer):
            for dotted, value in _flat(table):
                _put(options, dotted.split("."), value, dotted)
                sources[f"{kind}.{dotted}"] = layer.source
                labels[dotted] = layer.label(f"{prefix}.{dotted}" if prefix != "model" else "model")
    if require:
        plugins.require(kind, name)
    if kind == "policy" and "model" in options and "model" not in plugins.config_class(kind, name).model_fields:
        raise ConfigError(f"{labels['model']}: policy '{spec_name}' takes no model (got {options['model']})")
    checked = plugins.validate(kind, name, options, prefix=lambda key: labels.get(key, f"-o {spec_name}.{key}"))
    dump = checked.model_dump(mode="json")
    for key in dump:
        sources.setdefault(f"{kind}.{key}", "default")
    return dump


def _name(kind: Kind, layers: Sequence[Layer], sources: dict[str, str]) -> str:
    for layer in layers:
        value = layer.values.get(kind)
        name = value.get("name") if isinstance(value, Mapping) else value
        if name is None:
            continue
        if not isinstance(name, str):
            raise ConfigError(f"{layer.label(kind)}: must be the name of a plugin (got {name})")
        sources[kind] = layer.source
        return name
    raise ConfigError(f"--{kind}: is required; agentr plugins list --kind {kind} shows what there is")


def _tables(kind: Kind, name: str, layer: Layer) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables of a layer that are about one plugin, the stronger last."""
    if name not in RunConfig.model_fields and isinstance(table := layer.values.get(name), Mapping):
        yield name, table
    if isinstance(table := layer.values.get(kind), Mapping):
        yield kind, {key: value for key, value in table.items() if key != "name"}
    if kind == "policy" and "model" in layer.values:
        yield "model", {"model": layer.values["model"]}


def _put(table: dict[str, Any], path: Sequence[str], value: Any, label: str) -> None:
    """Set a value in nested tables. A plugin's name (``env = "x"``) makes way for a table that holds it."""
    for part in path[:-1]:
        below = table.get(part)
        if isinstance(below, str) and part in NOUNS:
            table[part] = below = {"name": below}
        elif below is None:
            table[part] = below = {}
        elif isinstance(below, Mapping):
            table[part] = below = dict(below)
        else:
            raise ConfigError(f"{label}: '{part}' is a value, not a table")
        table = below
    table[path[-1]] = value


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
