"""What vLLM says when it cannot start, as the one sentence that matters."""

from __future__ import annotations

import re
from pathlib import Path

_RAISED = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception): (.+)$")
#: Only says that another process failed, and where to look.
_ELSEWHERE = re.compile(r"root cause|background process", re.IGNORECASE)


def reason(error: BaseException, log: Path) -> str:
    """Why an engine did not start: the first exception in its log, else what was raised here."""
    for line in _lines(log):
        raised = _RAISED.match(line)
        if raised and not _ELSEWHERE.search(raised[1]):
            return _short(raised[1])
    return _short(_of_validation(str(error)) or type(error).__name__)


def _lines(log: Path) -> list[str]:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines()]


def _of_validation(text: str) -> str:
    """The sentence in a message of pydantic, which begins with a count and the name of a class."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wanted = [line.removeprefix("Value error, ") for line in lines if line.startswith("Value error, ")]
    return (wanted or lines or [""])[0]


def _short(text: str) -> str:
    text = re.sub(r" \[type=.*", "", " ".join(text.split())).rstrip(".")
    return text if len(text) <= 300 else text[:299] + "…"
