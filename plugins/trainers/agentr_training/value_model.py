"""A value model that is asked: the policy that reads it, made when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentr_core import AnyPolicy, Message, PolicyFailure, UsageError, boundary, create
from agentr_training.value_question import NO, YES, asked, asked_before, probability

#: Is told how many tokens were read.
Count = Callable[[int], None]
#: Policies that read a model's folder themselves; to others, such as a server's, a path is a name.
_READS_FOLDERS = ("transformers", "vllm")


class ValueModel:
    """Says how likely attempts are to succeed. ``options`` are those of the policy ``policy``, the model among them.

    ``setting`` is where a user names the model, for messages. ``prepare`` is called with the policy before it is asked.
    """

    def __init__(
        self,
        policy: str,
        options: Mapping[str, Any],
        *,
        setting: str,
        prepare: Callable[[AnyPolicy], None] = lambda policy: None,
    ) -> None:
        self._name, self._options, self._setting, self._prepare = policy, dict(options), setting, prepare
        self._model: AnyPolicy | None = None
        self._turn = asyncio.Lock()

    def check(self) -> None:
        """See that a model is named, and that it is there where it is a folder here; nothing is loaded.

        Raises :class:`~agentr_core.UsageError`.
        """
        model = self._options.get("model")
        if not model:
            raise UsageError(
                f"{self._setting}: name a checkpoint of the trainer 'value' (agentr train --run RUN --trainer value "
                "makes one)"
            )
        is_path = self._name in _READS_FOLDERS and str(model).startswith((".", "/", "~"))
        if is_path and not Path(model).expanduser().is_dir():
            raise UsageError(f"{self._setting}: there is no model folder '{model}'; name one that is there")

    async def value(self, messages: Sequence[Message], count: Count) -> float | None:
        """The probability of success, asked after an observation; None where the model cannot be asked about it.

        ``count`` is told the tokens that were read for it.
        """
        return await self._probability(asked(messages), count)

    async def value_before(self, messages: Sequence[Message], count: Count) -> float | None:
        """The same of a conversation that ends with an action of which nobody knows yet what it does."""
        return await self._probability(asked_before(messages), count)

    async def _probability(self, prompt: Sequence[Message], count: Count) -> float | None:
        model = await self._ready()
        try:
            yes, no = [await model.score(prompt, word) for word in (YES, NO)]
        except PolicyFailure:  # it does not fit the model's context
            return None
        count(2 * model.count_tokens(prompt) + len(yes) + len(no))
        return probability(yes[0], no[0])

    async def _ready(self) -> AnyPolicy:
        async with self._turn:  # many trees ask at once
            if self._model is None:
                self.check()
                self._model = create("policy", self._name, **self._options)
                self._prepare(self._model)
                with boundary(PolicyFailure, f"the value model '{self._model.model}' did not get ready"):
                    await self._model.ready()
            return self._model

    async def close(self) -> None:
        """Release the model. May be called twice."""
        if self._model is not None:
            await self._model.close()
            self._model = None
