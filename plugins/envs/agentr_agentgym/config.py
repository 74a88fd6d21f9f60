"""Settings of the ``agentgym`` environment."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from agentr_agentgym.servers import SERVERS
from agentr_core import EnvironmentConfig


class AgentGymConfig(EnvironmentConfig):
    """Settings of the ``agentgym`` environment."""

    argument: ClassVar[str | None] = "server"

    parser: Literal["lenient", "agentgym", "agent-r"] = Field(
        default="agentgym",
        description="how the action is taken out of a turn: agentgym is the dialect of this kind of server; lenient "
        "and agent-r are those of all environments",
    )
    url: str = Field("http://127.0.0.1:36001", description="where the server is")
    server: str = Field("textcraft", description=f"whose protocol it speaks, of: {', '.join(SERVERS)}")
    train: str = Field(
        "", description="ids of the split train: 0-99,120, or a file of ids (default: all that are not in test)"
    )
    test: str = Field("", description="ids of the split test, the same way (default: AgentGym's list for evaluation)")
    instructions: str = Field("", description="a file whose text heads every conversation in place of agentr's own")
    max_steps: int = Field(0, ge=0, description="steps after which an episode is truncated; 0: when the server says so")
    timeout: float = Field(300.0, gt=0, description="seconds in which the server must have answered")
    retries: int = Field(2, ge=0, le=20, description="attempts on a new session after one that failed")
    wait: float = Field(
        0.5, ge=0, description="seconds before a server that was away is tried again, doubled each time"
    )
    many_sessions: bool = Field(
        True,
        description="up to 64 sessions in use at once; false: one for each core here, for a server whose session is a "
        "process, such as AgentGym's ScienceWorld",
    )

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address such as http://127.0.0.1:36001")
        return url.rstrip("/")

    @field_validator("server")
    @classmethod
    def _known(cls, server: str) -> str:
        if server not in SERVERS:
            raise ValueError(f"there is no such server; there are: {', '.join(SERVERS)}")
        return server
