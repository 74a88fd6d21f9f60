"""Prompts as text, through the chat template of a tokenizer: for servers that are asked to complete text."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentr_core import (
    ChatPrompts,
    Message,
    MissingDependencyError,
    ModelNotHere,
    UsageError,
    resolve_model,
    tokenizer_of,
)


class Template:
    """The tokenizer at ``source``, a folder, hub id or short name, and ``options`` of its chat template.

    transformers is imported here and nowhere else. Raises :class:`~agentr_core.UsageError` where there is none, it has
    no chat template, or an option is wrong.
    """

    def __init__(self, source: str, options: Mapping[str, Any]) -> None:
        if importlib.util.find_spec("transformers") is None:
            install = "pip install 'agentr-core[openai]' transformers jinja2"
            raise MissingDependencyError("openai.tokenizer", "transformers", install)
        from transformers import AutoTokenizer

        # A folder may hold a tokenizer alone.
        place = Path(source) if Path(source).is_dir() else resolve_model(source)
        try:
            tokenizer = AutoTokenizer.from_pretrained(tokenizer_of(place))
        except (OSError, ValueError) as error:
            kind = UsageError if isinstance(place, Path) else ModelNotHere
            raise kind(f"openai.tokenizer: there is no tokenizer at '{source}': {_line(error)}") from None
        self._prompts = ChatPrompts(tokenizer, options, source)
        self._start = str(tokenizer.bos_token) if self._prompts.adds_start() else ""

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation up to where the assistant begins to write.

        Without the token that begins a text where servers, which encode it as plain text, put that in front themselves.
        """
        return self._prompts.render(messages).removeprefix(self._start)

    def count(self, messages: Sequence[Message]) -> int:
        """The length of the prompt in tokens."""
        return len(self._prompts.ids(messages))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
