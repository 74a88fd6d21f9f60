"""Settings and turns that the tests of the policy ``openai`` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentr_core import Completion, Message

#: A failure ends a test within a second or two.
QUICK: dict[str, Any] = {"model": "stub", "timeout": 5.0, "backoff": 0.01, "retries": 2}
TURNS = (Message("system", "Be brief."), Message("user", "What now?"))
KEY = "sk-Very-Secret-123"
Ask = Callable[..., list[Completion]]
