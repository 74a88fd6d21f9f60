"""The ``transformers`` policy: causal language models with attention, as the transformers library loads them."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from agentr_core import (
    BatchedPolicy,
    ChatPrompts,
    Completion,
    EngineLoad,
    Message,
    PolicyFailure,
    PolicyPreview,
    SampleRequest,
    derive_seed,
    end_tokens,
    resolve_model,
)
from agentr_transformers.config import TransformersConfig
from agentr_transformers.decode import Flags
from agentr_transformers.engine import Engine
from agentr_transformers.jobs import Job, Sample
from agentr_transformers.loading import load, load_settings
from agentr_transformers.memory import batch_bytes, prefix_cache_bytes
from agentr_transformers.positions import servable_context
from agentr_transformers.probe import NEEDED
from agentr_transformers.runtime import torch

#: What a new model is tried on.
_TEXT = "Thought: I need two oak planks before I can craft a stick, so I get a log first.\nAction: get 1 oak log\n" * 2
#: Rows from which a step costs more than starting one.
_LARGE = 32


class TransformersPolicy(BatchedPolicy[TransformersConfig]):
    """Answers in batches, ``n`` samples from one prefill, each sample from a seed of its own.

    A completion's ``token_ids`` and ``logprobs`` are all that was drawn, the end-of-turn token included; its text has
    neither that token nor the stop string. Raises :class:`~agentr_core.UsageError` where there is no such model.
    """

    config_class = TransformersConfig

    def __init__(self, config: TransformersConfig) -> None:
        super().__init__(config)
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self._source = resolve_model(config.model)
        model, tokenizer = load(config, self._source)
        self._context = servable_context(model.config, tokenizer, config.context_length)
        self._prompts = ChatPrompts(tokenizer, config.template_options, config.model)
        self._ends = end_tokens(model.generation_config, tokenizer) | self._prompts.end_of_turn()
        self._engine = Engine(
            model,
            end_ids=sorted(self._ends),
            pass_tokens=config.prefill_tokens,
            prefix_cache_bytes=prefix_cache_bytes(config.prefix_cache_mb, model.device),
            static_cache=config.static_cache,
            context=self._context,
            interrupted=lambda: self.closing,
        )
        if self._context > NEEDED:
            self._engine.check(self._prompts.encode(_TEXT)[:NEEDED])
        self._batch_tokens = batch_bytes(config.batch_mb, model.device) // self._engine.token_bytes
        self._enders: dict[tuple[str, ...], Flags] = {}
        self._pieces: list[str] = []

    @classmethod
    def preview(cls, config: TransformersConfig) -> PolicyPreview:
        """What is known by the model's configuration and tokenizer alone; see :meth:`agentr_core.Policy.preview`."""
        source = resolve_model(config.model)
        settings, tokenizer = load_settings(config, source)
        prompts = ChatPrompts(tokenizer, config.template_options, config.model)
        return PolicyPreview(
            model=config.model,
            weights=str(source),
            template_options=config.template_options,
            context_length=servable_context(settings, tokenizer, config.context_length),
            count_tokens=lambda messages: len(prompts.ids(messages)),
        )

    @property
    def model(self) -> str:
        """What the configuration calls the model."""
        return self.config.model

    @property
    def weights(self) -> str:
        """The folder or hub id that the model was loaded from."""
        return str(self._source)

    @property
    def max_rows(self) -> int:
        """Rows of one batch, as configured."""
        return self.config.max_rows

    @property
    def template_options(self) -> dict[str, Any]:
        """What the chat template is given, as configured."""
        return self.config.template_options

    @property
    def context_length(self) -> int:
        """Tokens of prompt and completion together."""
        return self._context

    def engine_load(self) -> EngineLoad:
        """Room and use of the prefix cache, and how full the batch at work is."""
        busy = super().engine_load()
        return replace(self._engine.load(), busy=busy.busy if busy is not None else None)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """The length of the rendered prompt."""
        return self._prompts.count(messages)

    def complete(self, requests: Sequence[SampleRequest]) -> list[list[Completion] | PolicyFailure]:
        """Answer all requests; a prompt that leaves no room for an answer fails alone."""
        outcomes: list[list[Completion] | PolicyFailure] = []
        jobs: dict[int, Job] = {}
        for index, request in enumerate(requests):
            ids = self._prompts.ids(request.messages)
            room = self._context - len(ids)
            outcomes.append(self._too_long(len(ids)))
            if room > 0:
                seeds = tuple(derive_seed(request.seed, "sample", sample) for sample in range(request.n))
                jobs[index] = Job(ids, request.params, seeds, min(room, request.params.max_tokens))
        for part in self._parts(jobs):
            asked = [jobs[index] for index in part]
            answers = self._engine.generate(asked, self._enders_of(asked), self._holds_stop)
            for index, job, samples in zip(part, asked, answers, strict=True):
                outcomes[index] = self._completions(job, samples)
        return outcomes

    async def score(self, messages: Sequence[Message], completion: str) -> list[float]:
        """The log-probability of each token of ``completion``, the end-of-turn token not included."""
        prompt, answer = self._prompts.ids(messages), self._prompts.encode(completion)
        if len(prompt) + len(answer) > self._context:
            raise self._too_long(len(prompt) + len(answer))
        return await self.in_thread(lambda: self._engine.logprobs(prompt, answer))

    def release(self) -> None:
        """Give the memory of model and caches back."""
        del self._engine
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _parts(self, jobs: dict[int, Job]) -> Iterator[list[int]]:
        """Cut the jobs, by length, so that the keys and values of each part fit the memory set aside for them.

        A large part also ends where prompts get twice as long as its shortest: short rows pay for the longest.
        """
        part: list[int] = []
        rows = 0
        for index in sorted(jobs, key=lambda index: len(jobs[index].ids)):
            job = jobs[index]
            widest = len(job.ids) + max(jobs[other].limit for other in [*part, index])
            full = part and (rows + len(job.seeds)) * widest > self._batch_tokens
            if full or (rows >= _LARGE and len(job.ids) > 2 * len(jobs[part[0]].ids)):
                yield part
                part, rows = [], 0
            part.append(index)
            rows += len(job.seeds)
        if part:
            yield part

    def _completions(self, job: Job, samples: Sequence[Sample]) -> list[Completion] | PolicyFailure:
        if not all(np.isfinite(sample.logprobs).all() for sample in samples):
            return PolicyFailure(
                f"'{self.model}' computed probabilities that are not numbers; set policy.dtype=float32"
            )
        return [
            Completion(
                text=self._text(job, sample),
                token_ids=sample.ids,
                logprobs=sample.logprobs,
                finish_reason="stop" if sample.stopped else "length",
                prompt_tokens=len(job.ids),
                cached_tokens=sample.cached,
            )
            for sample in samples
        ]

    def _text(self, job: Job, sample: Sample) -> str:
        text = self._prompts.decode(sample.ids[:-1] if sample.ended else sample.ids)
        found = [at for stop in job.params.stop if (at := text.find(stop)) >= 0]
        return text[: min(found)] if found else text

    def _holds_stop(self, stop: Sequence[str], ids: Sequence[int]) -> bool:
        text = self._prompts.decode(ids)
        return any(item in text for item in stop)

    def _enders_of(self, jobs: Sequence[Job]) -> Flags | None:
        """Tokens that may complete a stop string: those whose text has the last character of one.

        All others need no look at the row's text. A token that is only part of a character counts as well.
        """
        stops = tuple(sorted({stop for job in jobs for stop in job.params.stop if stop}))
        if not stops:
            return None
        if stops not in self._enders:
            self._pieces = self._pieces or self._prompts.pieces(self._engine.vocabulary)
            last = {*(stop[-1] for stop in stops), "\ufffd"}
            self._enders[stops] = np.array([not last.isdisjoint(piece) for piece in self._pieces])
        return self._enders[stops]

    def _too_long(self, tokens: int) -> PolicyFailure:
        return PolicyFailure(
            f"the conversation has {tokens} tokens and '{self.model}' reads at most {self._context}, the answer "
            "included; shorten the episodes, or use a model with a longer context"
        )
