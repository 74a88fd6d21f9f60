"""How models mark their reasoning, and the one way in which agentr writes it: ``<think>…</think>``."""

from __future__ import annotations

import re
from dataclasses import dataclass

OPEN, CLOSE = "<think>", "</think>"
#: The header of an answer, where a model's turn is made of channels (gpt-oss).
FINAL = "<|channel|>final<|message|>"


@dataclass(frozen=True, slots=True)
class Marks:
    """What a model writes before and after its reasoning."""

    opened: str
    closed: str

    def tagged(self, text: str) -> str:
        """``text`` with ``<think>`` and ``</think>`` in place of the marks."""
        return text.replace(self.closed, CLOSE).replace(self.opened, OPEN)

    def written(self, text: str) -> str:
        """The inverse of :meth:`tagged`."""
        return text.replace(CLOSE, self.closed).replace(OPEN, self.opened)


TAGS = Marks(OPEN, CLOSE)
#: Magistral.
BRACKETS = Marks("[THINK]", "[/THINK]")
#: gpt-oss: the analysis is a message of its own, and the answer another one.
CHANNELS = Marks("<|channel|>analysis<|message|>", f"<|end|><|start|>assistant{FINAL}")

_CHANNEL = re.compile(r"(?:<\|start\|>assistant)?<\|channel\|>analysis[^<]*<\|message\|>(.*?)(<\|end\|>|\Z)", re.DOTALL)
_FINAL = re.compile(r"(?:<\|start\|>assistant)?<\|channel\|>final[^<]*<\|message\|>")
#: Channels as text where somebody has dropped the special tokens.
_BARE_CHANNEL = re.compile(r"\Aanalysis(?=[A-Z])(.*?)(assistantfinal|\Z)", re.DOTALL)


def tagged(text: str) -> str:
    """``text`` with ``<think>`` tags in place of whatever marks a model has written around its reasoning."""
    if "THINK]" in text:
        text = BRACKETS.tagged(text)
    if "<|channel|>" in text:
        text = _FINAL.sub("", _CHANNEL.sub(_block, text))
    if text.startswith("analysis"):
        text = _BARE_CHANNEL.sub(_block, text)
    return text


def _block(found: re.Match[str]) -> str:
    """A block of reasoning; without an end where it was cut off."""
    return f"{OPEN}{found[1]}{CLOSE if found[2] else ''}"
