"""Generation for many prompts at once: prefill what is new, repeat it for the samples, decode all rows together.

``generate()`` of transformers has one random state for a whole batch; here every row draws from its own seed, so what
a request gets does not depend on what else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from agentr_core import EngineLoad
from agentr_transformers.decode import Decoder, Flags, StopCheck
from agentr_transformers.jobs import Job, Sample
from agentr_transformers.kv import PrefixCache
from agentr_transformers.prefill import distinct, prefill
from agentr_transformers.probe import check_batches
from agentr_transformers.runner import Runner
from agentr_transformers.runtime import torch


class Engine:
    """A model with its prefix cache."""

    def __init__(
        self,
        model: Any,
        *,
        end_ids: Sequence[int],
        pass_tokens: int,
        prefix_cache_bytes: int,
        static_cache: bool | None = None,
        context: int | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._runner, self._pass_tokens = Runner(model, context, interrupted), pass_tokens
        self._fixed = self._runner.graphs is not None if static_cache is None else static_cache
        self.vocabulary, self.token_bytes = self._runner.vocabulary, self._runner.token_bytes
        self._ends = np.zeros(self.vocabulary, dtype=bool)
        self._ends[[token for token in end_ids if token < self.vocabulary]] = True
        blocks = prefix_cache_bytes // (self.token_bytes * PrefixCache.BLOCK)
        self._prefixes = PrefixCache(self._runner.layouts, blocks, self._runner.like)
        #: Prompt tokens so far, and those of them that were in the cache.
        self._asked = self._found = 0

    def check(self, ids: Sequence[int]) -> None:
        """Refuse a model that answers otherwise in a batch; ``ids``: as for :func:`.check_batches`."""
        check_batches(self._runner, ids)

    def load(self) -> EngineLoad:
        """Room and use of the prefix cache, in tokens, and what it has spared; nothing where it is off."""
        if not self._prefixes.tokens:
            return EngineLoad()
        asked, found = self._asked, self._found
        used = self._prefixes.tokens_used / self._prefixes.tokens
        return EngineLoad(kv_tokens=self._prefixes.tokens, kv_used=used, cached=found / asked if asked else None)

    @torch.inference_mode()
    def generate(self, jobs: Sequence[Job], enders: Flags | None, holds_stop: StopCheck) -> list[list[Sample]]:
        """The samples of each job, all computed together; see :meth:`Decoder.run` for the last two."""
        prompts = distinct(jobs)
        filled = list(prefill(self._runner, self._prefixes, prompts, self._pass_tokens))
        self._asked += sum(len(prompt.ids) for prompt in prompts)
        self._found += sum(prompt.cached for prompt in prompts)
        return Decoder(self._runner, jobs, filled, self._fixed).run(self._ends, enders, holds_stop)

    @torch.inference_mode()
    def logprobs(self, prompt: Sequence[int], completion: Sequence[int]) -> list[float]:
        """The log-probability of each token of ``completion`` after ``prompt``."""
        return self._runner.logprobs(list(prompt), list(completion))
