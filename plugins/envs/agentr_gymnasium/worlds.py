"""What a setting ``id`` names: an environment of Gymnasium, a game of TextArena, game files of TextWorld."""

from __future__ import annotations

import importlib
import importlib.util
from importlib import metadata
from typing import Any

import gymnasium

from agentr_core import ConfigError, MissingDependencyError, PluginError, UsageError
from agentr_gymnasium.config import GymnasiumConfig

#: Prefixes of an id that are worlds with an interface of their own, and the package behind each.
TEXTARENA, TEXTWORLD = "textarena/", "textworld/"


def make_world(config: GymnasiumConfig) -> gymnasium.Env[Any, Any]:
    """A new environment; :class:`~agentr_core.AgentrError` with one sentence where it cannot be had."""
    for module in config.modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ConfigError(f"gymnasium.modules: '{module}' cannot be imported: {error}") from None
    if config.id.startswith(TEXTARENA):
        _require("textarena")
        from agentr_gymnasium.textarena_game import TextArenaGame

        return TextArenaGame(config.id.removeprefix(TEXTARENA), config.kwargs)
    if config.id.startswith(TEXTWORLD):
        _require("textworld")
        from agentr_gymnasium.textworld_game import TextWorldGame

        return TextWorldGame(game_files(config))
    return _registered(config)


def game_files(config: GymnasiumConfig) -> tuple[str, ...]:
    """The game files behind ``textworld/...``, sorted; the seed is a number of one of them. Empty for other ids."""
    if not config.id.startswith(TEXTWORLD):
        return ()
    from agentr_gymnasium.textworld_files import files_at

    return files_at(config.id.removeprefix(TEXTWORLD))


def package_version(config: GymnasiumConfig) -> str:
    """Name and version of the package that an environment comes from, as far as they can be told."""
    if config.id.startswith((TEXTARENA, TEXTWORLD)):
        module = config.id.partition("/")[0]
    else:
        spec = gymnasium.registry.get(config.id.partition(":")[2] or config.id)
        point = spec.entry_point if spec is not None else None
        module = point if isinstance(point, str) else str(getattr(point, "__module__", ""))
        module = module.partition(":")[0].partition(".")[0]
    try:
        return f"{module}={metadata.version(module)}"
    except (metadata.PackageNotFoundError, ValueError):
        return module or "gymnasium"


def _registered(config: GymnasiumConfig) -> gymnasium.Env[Any, Any]:
    try:
        # Its checker warns of what is checked here too, and of observations that are no numbers.
        return gymnasium.make(config.id, disable_env_checker=True, **config.kwargs)
    except gymnasium.error.UnregisteredEnv as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise UsageError(
            f"gymnasium.id: there is no environment '{config.id}' ({said}); name the module that registers it with "
            "-o gymnasium.modules=MODULE"
        ) from None
    except (gymnasium.error.Error, ModuleNotFoundError) as error:
        raise UsageError(f"gymnasium.id: '{config.id}' cannot be made: {' '.join(str(error).split())}") from None
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginError(f"gymnasium.id: '{config.id}' cannot be made with {config.kwargs}: {said}") from error


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingDependencyError(f"gymnasium.id={package}/...", package, f"pip install {package}")
