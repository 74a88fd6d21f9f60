"""Settings of the ``gymnasium`` environment."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from agentr_core import EnvironmentConfig

#: First and last seed of each split, where nothing else is said.
SPLITS = {"train": (0, 999), "valid": (1_000, 1_099), "test": (2_000, 2_099)}


def _names(value: object) -> object:
    """``"a,b"``, as it is typed on a command line, is two names."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _json(value: object) -> object:
    """JSON, as it is typed on a command line."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f'must be JSON, such as {{"size": 4}}: {error}') from None


def _pair(value: object) -> object:
    """``"0,999"``, ``"0-999"`` and ``[0, 999]`` are all the same pair."""
    return _names(value.replace("-", ",")) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Seeds = Annotated[tuple[int, int], BeforeValidator(_pair)]
Function = Annotated[str, Field(pattern=r"^([\w.]+:[\w.]+)?$")]


class GymnasiumConfig(EnvironmentConfig):
    """Settings of the ``gymnasium`` environment."""

    argument: ClassVar[str | None] = "id"

    id: str = Field(
        min_length=1, description="what gymnasium.make takes, or textarena/NAME, or textworld/GAME_FILE_OR_FOLDER"
    )
    kwargs: Annotated[dict[str, Any], BeforeValidator(_json)] = Field(
        default_factory=dict, description="further arguments of gymnasium.make, as a table or JSON"
    )
    modules: Names = Field((), description="modules to import first, because they register environments")
    instructions: str = Field("", description="rules and answer format for the agent (default: made from the spaces)")
    actions: Names = Field((), description="names of the numbered actions, in order (default: the environment's own)")
    observation: Function = Field("", description="module:function that makes a text of an observation")
    action: Function = Field("", description="module:function that makes an action of a text; ValueError: refused")
    reward_range: Annotated[tuple[float, float], BeforeValidator(_names)] = Field(
        (0.0, 1.0), description="sums of rewards that are reward 0 and reward 1 (success), e.g. 0,500"
    )
    splits: dict[str, Seeds] = Field(
        default_factory=dict,
        description="first and last seed of each split, e.g. splits.train=0,99 (default: train 0-999, valid 1000-1099, "
        "test 2000-2099; game files are shared out 8:1:1)",
    )
    max_steps: int = Field(100, ge=0, description="actions after which an episode is truncated; 0: never")
    state: Literal["auto", "copy", "replay"] = Field(
        "auto", description="how a state is come back to; auto: by deep copies where a trial shows that they are exact"
    )

    @field_validator("reward_range")
    @classmethod
    def _ordered(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if not pair[0] < pair[1]:
            raise ValueError("the first must be less than the second")
        return pair

    @field_validator("splits")
    @classmethod
    def _ranges(cls, splits: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        for name, (first, last) in splits.items():
            if not 0 <= first <= last:
                raise ValueError(f"'{name}' must be a first and a last seed, such as 0,99")
        return splits
