"""A sweep: runs that differ in a few settings, as one TOML file says. It has the shape of a ``run.toml``, and a table::

iterations = 1                       # what all runs share
[sweep]
seed = [0, 1, 2]                     # a setting and its values; every value meets every other
"mcts.simulations" = [4, 8]
[[sweep.ways]]                       # settings that belong together, called by a name; one of these at a time
name = "SFT good"
trainer = "sft"
data.recipe = "good"
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from agentr_core.errors import ConfigError, UsageError
from agentr_core.registry.lookup import Registry
from agentr_core.registry.specs import KINDS
from agentr_core.settings.dotted import flatten
from agentr_core.settings.layer import Layer, file_layer, put
from agentr_core.settings.layers import Resolved, resolve
from agentr_core.settings.run_config import RunConfig

#: The table of a sweep, and in it the list of settings that go together.
TABLE, WAYS = "sweep", "ways"
#: Where runs are kept, and the code that they need, is one for all.
_FIXED = ("name", "db", "out", "plugins")
_HOW = "give lists of values, e.g. seed = [0, 1, 2] and trainer = ['sft', 'dpo'] below [sweep]"


@dataclass(frozen=True, slots=True)
class Combination:
    """One run of a sweep: its settings; ``label`` is what it has of its own beside the seed."""

    label: str
    config: RunConfig

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.label} · seed {self.config.seed}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """All runs of a sweep in the order of the file, each once; ``alike`` more came to settings that were there.

    ``db`` and ``out`` are the file's, where it names them.
    """

    name: str
    combinations: tuple[Combination, ...]
    alike: int = 0
    db: str | None = None
    out: str | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    """One value of what is varied, or one of the ways: as a layer of settings, and what it is called."""

    label: str
    layer: Layer


def read_sweep(path: str | Path, *, plugins: Registry | None = None) -> Sweep:
    """The sweep that a file describes.

    Raises :class:`~agentr_core.errors.ConfigError` for a file that varies nothing, and for settings that are wrong.
    """
    file = file_layer(path, asked_as="agentr sweep")
    table = file.values.get(TABLE)
    if not isinstance(table, Mapping) or not table:
        raise ConfigError(f"{file.source}: there is nothing to vary: {_HOW}; for one run: agentr run --config {path}")
    shared = Layer(file.source, {key: value for key, value in file.values.items() if key not in (TABLE, "name")})
    found: dict[str, Combination] = {}
    count, place = 0, None
    axes = list(_axes(table, f"{file.source}, [{TABLE}]"))
    used = set[tuple[str, str]]()
    for chosen in product(*axes):
        _check_apart(chosen)
        place = _resolved(chosen, shared, plugins)
        made, count = Combination(_label(chosen, place), place.config), count + 1
        found.setdefault(made.config.hash, made)
        used |= {(each.label, name) for each in chosen for name in _in_use(place.config)}
    _check_labels(list(found.values()), file.source)
    _check_used(axes[0] if WAYS in table else [], used)
    where = {key: None if place is None or key not in file.values else getattr(place, key) for key in ("db", "out")}
    name = str(file.values.get("name", Path(path).stem))
    return Sweep(name, tuple(found.values()), count - len(found), **where)


def _axes(table: Mapping[str, Any], source: str) -> Iterator[list[_Choice]]:
    """What is varied, one list of choices after the other; seeds last, so that the runs of one way are together."""
    axes = dict(flatten({key: value for key, value in table.items() if key != WAYS}))
    if WAYS in table:
        yield list(_ways(table[WAYS], source))
    for key in sorted(axes, key=lambda key: key == "seed"):
        values = axes[key]
        if key.split(".")[0] in _FIXED:
            raise ConfigError(f"{source}: '{key}' is one for all runs of a sweep; write it above [{TABLE}]")
        if not isinstance(values, list) or not values:
            raise ConfigError(f"{source}: {key}: must be a list of values (got {values}); {_HOW}")
        yield [_Choice("" if key == "seed" else _told(key, value), _layer({key: value}, source)) for value in values]


def _ways(ways: Any, source: str) -> Iterator[_Choice]:
    if not isinstance(ways, list) or not ways or not all(isinstance(way, Mapping) for way in ways):
        raise ConfigError(f"{source}: {WAYS}: must be tables of settings, each below a line [[{TABLE}.{WAYS}]]")
    for number, way in enumerate(ways, 1):
        settings = {key: value for key, value in way.items() if key != "name"}
        if fixed := [key for key in settings if key in _FIXED]:
            raise ConfigError(f"{source}: '{fixed[0]}' is one for all runs of a sweep; write it above [{TABLE}]")
        told = " · ".join(_told(key, value) for key, value in flatten(settings))
        name = str(way.get("name") or told or number)
        yield _Choice(name, Layer(f"{source}, {name}", settings))


def _layer(settings: Mapping[str, Any], source: str) -> Layer:
    values: dict[str, Any] = {}
    for key, value in settings.items():
        put(values, key, value, f"{source}: {key}")
    return Layer(source, values)


def _told(key: str, value: Any) -> str:
    """A setting as tables call it: ``dpo``, ``simulations=8``, ``dpo beta=0.5``."""
    if isinstance(value, Mapping):
        own = [_told(below, each) for below, each in flatten(value) if below != "name"]
        return " ".join([str(value.get("name", key)), *own])
    text = value if isinstance(value, str) else json.dumps(value)
    return text if key in KINDS else f"{key.rpartition('.')[2]}={text}"


def _label(chosen: Sequence[_Choice], resolved: Resolved) -> str:
    """What the choices are called together; where only the seed is varied, the trainers."""
    names = [each.label for each in chosen if each.label]
    return " · ".join(names) or ",".join(trainer.name for trainer in resolved.config.all_trainers)


def _check_apart(chosen: Sequence[_Choice]) -> None:
    """Refuse a setting that two choices name: one of the two would be left out."""
    named: dict[str, str] = {}
    for each in chosen:
        for key, _ in flatten(each.layer.values):
            if key in named:
                raise ConfigError(f"{each.layer.source}: '{key}' is set by '{named[key]}' too; give one of the two")
            named[key] = each.label or key


def _resolved(chosen: Sequence[_Choice], shared: Layer, plugins: Registry | None) -> Resolved:
    """The settings of one combination; what is wrong with them says of which file and combination they are."""
    try:
        return resolve([*(each.layer for each in chosen), shared], plugins=plugins)
    except UsageError as error:
        if shared.source in str(error):
            raise
        told = " · ".join(each.label for each in chosen if each.label)
        raise ConfigError(f"{shared.source}, [{TABLE}]{f', {told}' if told else ''}: {error}") from None


def _in_use(config: RunConfig) -> set[str]:
    """What the plugins of a run are called, with the tables that their options may stand in."""
    plugins = [config.policy, config.searcher, config.critic, config.executor, *config.all_trainers]
    names = {*config.environments, *(plugin.name for plugin in plugins)}
    return names | {name.partition(":")[0] for name in names}


def _check_used(ways: Sequence[_Choice], used: Collection[tuple[str, str]]) -> None:
    """Refuse options of a plugin that no run of a way has: they would do nothing."""
    for way in ways:
        tables = [key for key, value in way.layer.values.items() if isinstance(value, Mapping)]
        for table in tables:
            if table not in (*RunConfig.model_fields, *KINDS) and (way.label, table) not in used:
                names = ", ".join(sorted({name for label, name in used if label == way.label}))
                raise ConfigError(f"{way.layer.table_label(table)}: '{table}' is not in use there; in use are {names}")


def _check_labels(combinations: Sequence[Combination], source: str) -> None:
    """Refuse two ways of one name: their runs could not be told apart."""
    names = [each.name for each in combinations]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{source}: two different runs are called '{twice[0]}'; give each of the ways its own name")
