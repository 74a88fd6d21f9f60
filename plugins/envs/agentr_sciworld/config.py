"""Settings of the ``sciworld`` environment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from agentr_core import EnvironmentConfig
from agentr_sciworld.tasks import kind_named

#: What makes the world easier; ``easy`` stands for all of them but the last.
SIMPLIFICATIONS = (
    "easy",
    "teleportAction",
    "selfWateringFlowerPots",
    "openContainers",
    "openDoors",
    "noElectricalAction",
)


def _split(value: object) -> object:
    """``"boil,melt"``, as it is typed on a command line, is two names."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]


class SciWorldConfig(EnvironmentConfig):
    """Settings of the ``sciworld`` environment."""

    only: Names = Field((), description="task kinds to take, e.g. boil,melt or 1-1,1-2 (none named: all of a split)")
    variations: int = Field(0, ge=0, description="most variations of each kind in a split; 0: all")
    simplifications: Names = Field((), description=f"what to make easier, of: {', '.join(SIMPLIFICATIONS)}")
    max_steps: int = Field(100, ge=0, description="actions after which an episode is truncated; 0: never")
    move_cap: int = Field(
        100, ge=0, description="truncated beyond so many moves of the simulator, where a wait is many; 0: never"
    )
    action_correction: Literal["none", "overlap"] = Field(
        "none", description="overlap: do the valid action that shares most words with the agent's (Agent-R's code)"
    )
    workers: int = Field(0, ge=0, le=256, description="most JVMs at once in this process; 0: one for each core")
    memory_mb: int = Field(256, ge=16, description="heap of a JVM in MB")
    timeout: float = Field(
        120.0, gt=0, description="seconds after which a JVM that does not answer is killed and replaced"
    )
    snapshots: Literal["auto", "on", "off"] = Field(
        "auto", description="copies of the simulator's state in its JVM; auto: where a JDK is found, on: or else fail"
    )
    recycle: int = Field(2000, ge=1, description="episodes begun after which a JVM is replaced by a new one")
    java: str = Field("", description="the java program (default: that of JAVA_HOME, else of the PATH)")
    cache: str = Field("", description="folder of the demonstrations once found (default: the user's cache folder)")

    @field_validator("only")
    @classmethod
    def _known_kinds(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(kind_named(name).name for name in names)

    @field_validator("simplifications")
    @classmethod
    def _known_simplifications(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in names if name not in SIMPLIFICATIONS]:
            raise ValueError(f"there is no simplification '{wrong[0]}'; there are: {', '.join(SIMPLIFICATIONS)}")
        return names
