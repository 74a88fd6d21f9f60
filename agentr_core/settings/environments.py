"""The environments of a run as they are typed: ``--env a,b``, a list, ``[[env]]`` tables; and what each has of its own.

In a ``run.toml`` three ways say the same::

    env = "textcraft,webshop"          [[env]]                       env = ["textcraft", "webshop"]
    [webshop]                          name = "textcraft"            [webshop]
    max_steps = 30                     [[env]]                       max_steps = 30
    search.tasks = 300                 name = "webshop"              search.tasks = 300
    weight = 2                         max_steps = 30 ...            weight = 2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentr_core.errors import ConfigError
from agentr_core.settings.dotted import flatten
from agentr_core.settings.layer import Layer, name_in

#: Keys of an environment's table that are no options of its plugin: its share of the data, and settings of stages.
OWN = ("weight", "search", "evaluate")


def spread(layer: Layer) -> Layer:
    """The layer with its environments named in one text, ``a,b``, and their tables under their names."""
    chosen = layer.values.get("env")
    if not isinstance(chosen, list):
        return layer
    values, names = {**layer.values}, list[str]()
    for one in chosen:
        table = one if isinstance(one, Mapping) else {"name": one}
        name = table.get("name")
        if not isinstance(name, str) or not name:
            raise ConfigError(
                f'{layer.label("env")}: each environment needs a name, e.g. name = "textcraft" (got {one})'
            )
        names.append(name)
        own = {key: value for key, value in table.items() if key != "name"}
        if own:
            values[name] = {**own, **values.get(name, {})}
    return Layer(layer.source, {**values, "env": ",".join(names)}, layer.labels)


def environment_names(layers: Sequence[Layer]) -> list[str]:
    """The environments that the strongest layer with any names, in its order.

    Raises :class:`~agentr_core.errors.ConfigError` where none is named, or one twice.
    """
    for layer in layers:
        text = name_in("env", layer)
        if text is None:
            continue
        names = [name.strip() for name in text.split(",")] if isinstance(text, str) else []
        if not names or not all(names):
            raise ConfigError(f"{layer.label('env')}: must be the name of a plugin, or several: a,b (got '{text}')")
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigError(f"{layer.label('env')}: '{twice[0]}' is named twice; a run has each environment once")
        return names
    raise ConfigError("--env: is required; agentr plugins list --kind env shows what there is")


def own_settings(tables: Sequence[str], layers: Sequence[Layer]) -> Iterator[tuple[str, Any, Layer, str]]:
    """What an environment has of its own, the stronger last: dotted setting, value, layer, and key in the layer.

    ``tables`` are the names of its tables, ``layers`` begin with the strongest. What a stronger layer says of all
    environments (``--tasks 20``) goes before what a weaker one says of this (a preset's ``webshop.search.tasks``).
    """
    for number, layer in reversed(list(enumerate(layers))):
        for table in tables:
            values = layer.values.get(table)
            if not isinstance(values, Mapping):
                continue
            for dotted, value in flatten({key: values[key] for key in OWN if key in values}):
                if not any(_says(stronger, dotted) for stronger in layers[:number]):
                    yield dotted, value, layer, f"{table}.{dotted}"


def _says(layer: Layer, dotted: str) -> bool:
    section, _, key = dotted.partition(".")
    values = layer.values.get(section)
    return isinstance(values, Mapping) and key in values
