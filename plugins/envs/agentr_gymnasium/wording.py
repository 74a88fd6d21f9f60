"""Texts for a world of spaces: observations into words, words into actions."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from enum import EnumType
from typing import Any

import numpy as np
from gymnasium import Env, spaces

from agentr_core import ConfigError, PluginError
from agentr_gymnasium.config import GymnasiumConfig

#: An array of more numbers is a picture, or nothing that a language model should read.
MOST_NUMBERS = 256
#: As many numbered actions are listed.
MOST_LISTED = 200
#: Where environments say what can be done now, in the order they are looked for.
VALID_KEYS = ("valid_actions", "admissible_commands", "admissible_actions", "available_actions", "legal_actions")


class Refused(ValueError):
    """A text that is no action here; the message says why."""


class Wording:
    """How one environment is put into words, by its spaces and the settings.

    :class:`~agentr_core.ConfigError` where a space needs a function that is not given.
    """

    def __init__(self, config: GymnasiumConfig, world: Env[Any, Any]) -> None:
        self._space = world.action_space
        self._reads = named_function(config.action, "action") if config.action else self._read
        self._writes = named_function(config.observation, "observation") if config.observation else text_of
        self.names: tuple[str, ...] = ()
        if isinstance(self._space, spaces.Discrete):
            self.names = config.actions or _own_names(world, int(self._space.n))
            if len(self.names) != self._space.n:
                raise ConfigError(
                    f"gymnasium.actions: there are {self._space.n} actions, and {len(self.names)} names: "
                    f"{', '.join(self.names)[:200]}"
                )
        elif not config.action and not _readable(self._space):
            raise ConfigError(
                f"gymnasium.action: actions of the space {self._space} need a function that makes them of a text: "
                "-o gymnasium.action=module:function"
            )

    @property
    def how(self) -> str:
        """What an action looks like, for the instructions."""
        if isinstance(self._space, spaces.Discrete) and len(self.names) <= MOST_LISTED:
            return f"These are the actions: {', '.join(self.names)}."
        if isinstance(self._space, spaces.Discrete):
            return f"An action is a number from {self.names[0]} to {self.names[-1]}."
        if isinstance(self._space, spaces.Text):
            return "An action is a line of text."
        return f"An action is a value of {self._space}, written as JSON."

    def text_of(self, observation: Any) -> str:
        """An observation in words."""
        return str(self._writes(observation))

    def action_of(self, text: str) -> Any:
        """The action that a text stands for; :class:`Refused` where it stands for none."""
        try:
            return self._reads(text)
        except Refused:
            raise
        except ValueError as error:
            raise Refused(str(error) or f"'{text[:80]}' is no action here.") from None

    def valid(self, info: Mapping[str, Any]) -> tuple[str, ...] | None:
        """What can be done now, as far as the environment says; None where it does not."""
        for key in VALID_KEYS:
            found = info.get(key)
            if isinstance(found, list | tuple) and all(isinstance(each, str) and each for each in found):
                return tuple(found)
        if not self.names or len(self.names) > MOST_LISTED:
            return None
        mask = info.get("action_mask")
        return self.names if mask is None else tuple(name for name, can in zip(self.names, mask, strict=True) if can)

    def _read(self, text: str) -> Any:
        space = self._space
        if isinstance(space, spaces.Text):
            return text
        if isinstance(space, spaces.Discrete):
            return self._numbered(text, space)
        value = _typed(space, _parsed(text))
        if not space.contains(value):
            raise Refused(f"'{text[:80]}' is not a value of {space}.")
        return value

    def _numbered(self, text: str, space: spaces.Discrete) -> Any:
        wanted = " ".join(text.lower().split())
        by_name = {" ".join(name.lower().split()): number for number, name in enumerate(self.names)}
        number = by_name.get(wanted)
        if number is None and wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
            number = int(wanted) - int(space.start)
        if number is None or not 0 <= number < space.n:
            raise Refused(f"There is no action '{text[:80]}'. {self.how}")
        return space.start + np.int64(number)


def text_of(observation: Any) -> str:
    """An observation in words by the plain rules; :class:`~agentr_core.PluginError` where they say nothing about it."""
    if isinstance(observation, str):
        return observation
    if isinstance(observation, Mapping):
        return "\n".join(f"{key}: {text_of(value)}" for key, value in observation.items())
    if isinstance(observation, list | tuple):
        return "\n".join(text_of(each) for each in observation)
    if isinstance(observation, bool | int | float | np.generic):
        return f"{observation:.6g}" if isinstance(observation, float | np.floating) else str(observation)
    if isinstance(observation, np.ndarray) and observation.size <= MOST_NUMBERS and observation.ndim <= 2:
        rows = observation if observation.ndim == 2 else [observation.reshape(-1)]
        return "\n".join(" ".join(text_of(number) for number in row) for row in rows)
    what = f"arrays of shape {observation.shape}" if isinstance(observation, np.ndarray) else type(observation).__name__
    raise PluginError(
        f"gymnasium: there is no rule that puts observations ({what}) into words; "
        "name a function that does with -o gymnasium.observation=module:function"
    )


def named_function(name: str, setting: str) -> Callable[[Any], Any]:
    """The function ``module:function``; :class:`~agentr_core.ConfigError` where there is none."""
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"gymnasium.{setting}: '{name}' cannot be imported: {error}") from None
    if not callable(found):
        raise ConfigError(f"gymnasium.{setting}: '{name}' is no function")
    return found  # type: ignore[no-any-return]


def _own_names(world: Env[Any, Any], number: int) -> tuple[str, ...]:
    """The environment's own names of its actions; else their numbers."""
    inner: Any = world.unwrapped
    if callable(meanings := getattr(inner, "get_action_meanings", None)):
        names: Sequence[str] = meanings()
    else:
        enumerated = getattr(inner, "actions", None)  # an IntEnum in MiniGrid and its kin
        names = list(enumerated.__members__) if isinstance(enumerated, EnumType) else []
    start = int(world.action_space.start)  # type: ignore[attr-defined]
    return tuple(names) if len(names) == number else tuple(str(start + each) for each in range(number))


def _readable(space: spaces.Space[Any]) -> bool:
    if isinstance(space, spaces.Dict):
        return all(_readable(each) for each in space.spaces.values())
    if isinstance(space, spaces.Tuple):
        return all(_readable(each) for each in space.spaces)
    plain = spaces.Text | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary | spaces.Box
    return isinstance(space, plain)


def _parsed(text: str) -> Any:
    """JSON; numbers side by side (``1 0 2``) are a list."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return [json.loads(part) for part in text.replace(",", " ").split()]
    except (ValueError, RecursionError):
        raise Refused(f"'{text[:80]}' is not JSON.") from None


def _typed(space: spaces.Space[Any], value: Any) -> Any:
    """A value from JSON with the types that the space asks for; whether it is inside is for the space to say."""
    if isinstance(space, spaces.Dict) and isinstance(value, dict) and value.keys() == space.spaces.keys():
        return {key: _typed(each, value[key]) for key, each in space.spaces.items()}
    if isinstance(space, spaces.Tuple) and isinstance(value, list) and len(value) == len(space.spaces):
        return tuple(_typed(each, part) for each, part in zip(space.spaces, value, strict=True))
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary | spaces.Box):
        try:
            return np.asarray(value, dtype=space.dtype)
        except (ValueError, TypeError, OverflowError):
            raise Refused(f"'{value}' is not a value of {space}.") from None
    return value
