"""Whether servers read whole prompts: some cut what is longer than their context, and say nothing but their count."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from agentr_core import Message
from agentr_openai.replies import TokenCounts

logger = logging.getLogger("agentr.openai")

#: Prompts with fewer tokens are not compared: templates and rounding would matter.
SHORTEST = 64
#: A server that counts less than this share of what a prompt must have has not read all of it.
SHARE = 0.8


class PromptSizes:
    """Compares what a prompt must have with what servers counted; the first that counts markedly less is warned of.

    ``count`` gives a prompt's length in tokens. Without it, what is certain is one token for each word.
    """

    def __init__(self, count: Callable[[Sequence[Message]], int] | None) -> None:
        self._count = count
        self._warned = False

    def compare(self, url: str, messages: Sequence[Message], counted: TokenCounts | None) -> None:
        """Warn once where ``counted`` cannot be the whole of ``messages``."""
        if self._warned or counted is None or counted.prompt_tokens == 0:
            return
        least = self._count(messages) if self._count else sum(len(turn.content.split()) for turn in messages)
        # Some count only what was not in their cache.
        read = max(counted.prompt_tokens, counted.cached_tokens)
        if counted.cached_tokens > counted.prompt_tokens:
            read = counted.prompt_tokens + counted.cached_tokens
        if least >= SHORTEST and read < SHARE * least:
            self._warned = True
            unit = "tokens" if self._count else "words, and so as many tokens at least"
            logger.warning(
                "%s counted %d tokens of a prompt that has %d %s: it seems to have cut the conversation without a "
                "word. Give it a longer context (Ollama: num_ctx, llama.cpp: -c, LM Studio: context length), or set "
                "openai.context_length, so that whole old turns are left out",
                url, read, least, unit,
            )  # fmt: skip
