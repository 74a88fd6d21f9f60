"""The environments of a run, out of its configuration."""

from __future__ import annotations

from functools import partial

from agentr_core.play.worlds import World, Worlds
from agentr_core.registry.lookup import Registry
from agentr_core.settings.run_config import RunConfig


def worlds_of(config: RunConfig, registry: Registry) -> Worlds:
    """The environments that a configuration names, none of them made yet; to be closed."""
    return Worlds(
        [
            World(
                chosen.name,
                partial(registry.create, "env", chosen.name, chosen.options),
                in_flight=config.concurrency,
            )
            for chosen in config.env
        ]
    )
