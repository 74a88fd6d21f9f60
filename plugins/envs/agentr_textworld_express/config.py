"""Settings of the ``textworld_express`` environment."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, field_validator, model_validator

from agentr_core import EnvironmentConfig
from agentr_textworld_express.games import PARAMETERS, game_named


def _split(value: object) -> object:
    """``"coin,twc"``, as it is typed on a command line, is two names."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class TextWorldExpressConfig(EnvironmentConfig):
    """Settings of the ``textworld_express`` environment."""

    argument: ClassVar[str | None] = "game"

    game: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        ("coin",), min_length=1, description=f"the games to play, of: {', '.join(PARAMETERS)}; or all"
    )
    params: dict[str, int] = Field(
        default_factory=dict,
        description="parameters of the games, e.g. params.numLocations=5; left out: the games' own",
    )
    max_steps: int = Field(50, ge=0, description="actions after which an episode is truncated; 0: never")
    show_actions: bool = Field(False, description="list the valid actions with each observation")
    memory_mb: int = Field(512, ge=64, description="heap of the Java process in MB")
    timeout: float = Field(
        120.0, gt=0, description="seconds after which a Java process that does not answer is killed and replaced"
    )
    java: str = Field("", description="the java program (default: that of JAVA_HOME, else of the PATH)")
    cache: str = Field("", description="folder of the demonstrations once found (default: the user's cache folder)")

    @field_validator("game")
    @classmethod
    def _known_games(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(PARAMETERS) if names == ("all",) else tuple(dict.fromkeys(game_named(name) for name in names))

    @model_validator(mode="after")
    def _known_parameters(self) -> TextWorldExpressConfig:
        known = sorted({name for game in self.game for name in PARAMETERS[game]})
        if wrong := [name for name in self.params if name not in known]:
            which = f"there are: {', '.join(known)}" if known else "they have none"
            raise ValueError(f"params: {', '.join(self.game)} take no parameter '{wrong[0]}'; {which}")
        return self

    def params_of(self, game: str) -> str:
        """The parameters that ``game`` takes, as the games read them: ``"numLocations=5,includeDoors=0"``."""
        return ",".join(f"{name}={value}" for name, value in self.params.items() if name in PARAMETERS[game])
