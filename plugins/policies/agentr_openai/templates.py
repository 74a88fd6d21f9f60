"""Prompts as text, through the chat template of a tokenizer: for servers that are asked to complete text."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from agentr_core import Message, MissingDependencyError, UsageError


class Template:
    """The tokenizer at ``source``, a folder or hub id; transformers is imported here and nowhere else.

    Raises :class:`~agentr_core.UsageError` where there is none, or it has no chat template.
    """

    def __init__(self, source: str) -> None:
        if importlib.util.find_spec("transformers") is None:
            install = "pip install 'agentr-core[openai]' transformers jinja2"
            raise MissingDependencyError("openai.tokenizer", "transformers", install)
        from transformers import AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source)
        except (OSError, ValueError) as error:
            raise UsageError(f"openai.tokenizer: there is no tokenizer at '{source}': {_line(error)}") from None
        if getattr(self._tokenizer, "chat_template", None) is None:
            raise UsageError(f"openai.tokenizer: the tokenizer of '{source}' has no chat template")

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation up to where the assistant begins to write.

        Without the token that begins a text: servers put that in front themselves.
        """
        turns = [message.as_dict() for message in messages]
        text = str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        return text.removeprefix(self._tokenizer.bos_token or "")

    def count(self, messages: Sequence[Message]) -> int:
        """The length of the prompt in tokens."""
        return len(self._tokenizer(self.render(messages))["input_ids"])


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
