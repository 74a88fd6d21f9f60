"""Settings of the ``openenv`` environment."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from agentr_core import EnvironmentConfig


class OpenEnvConfig(EnvironmentConfig):
    """Settings of the ``openenv`` environment."""

    argument: ClassVar[str | None] = "env"

    url: str = Field("http://127.0.0.1:8000", description="where the server is")
    env: str = Field("", description="which of its environments to take tasks of (default: the first it lists)")
    tasks: int = Field(
        100, ge=1, description="tasks of each split where the server lists none: the seeds 0, 1, 2, ... of its reset"
    )
    reset: str = Field("{}", description='what every reset is sent besides, as JSON, e.g. {"difficulty": "hard"}')
    text: str = Field("", description="the field of an observation that the agent sees (default: its only text)")
    instructions: str = Field("", description="a file whose text heads every conversation")
    full: float = Field(1.0, gt=0, description="the reward that counts as 1")
    max_steps: int = Field(0, ge=0, description="steps after which an episode is truncated; 0: when the server says so")
    probe: bool = Field(
        True, description="reset twice before the first task, to see that the server heeds what chooses the task"
    )
    timeout: float = Field(300.0, gt=0, description="seconds in which the server must have answered")
    retries: int = Field(2, ge=0, le=20, description="attempts on a new connection after one that failed")
    wait: float = Field(
        0.5, ge=0, description="seconds before a server that was away is tried again, doubled each time"
    )
    many_sessions: bool = Field(
        True,
        description="up to 64 connections in use at once; false: one for each core here (a server that allows only one "
        "session at a time needs a run with concurrency 1)",
    )

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address such as http://127.0.0.1:8000")
        return url.rstrip("/")
