"""The ``vllm`` policy: any causal language model that vLLM serves, on a GPU or a CPU."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transformers

from agentr_core import (
    BusyClock,
    ChatPrompts,
    Completion,
    EngineLoad,
    Message,
    Policy,
    PolicyFailure,
    SampleRequest,
    SamplingParams,
    UsageError,
    base_of,
    context_length,
    end_tokens,
    model_failure,
    resolve_model,
    tokenizer_of,
)
from agentr_vllm import adapters, devices, runtime
from agentr_vllm.config import VLLMConfig

#: vLLM gives sample i the seed of the request plus i, and takes 64 bits with a sign.
_SEED_BITS = (1 << 62) - 1


class VLLMPolicy(Policy[VLLMConfig]):
    """Hands every request to its session's engine at once, which batches what is in flight, ``n`` samples to a prompt.

    A completion's ``token_ids`` and ``logprobs`` are all that was drawn, the end-of-turn token included; its text has
    neither that token nor the stop string. Raises :class:`~agentr_core.UsageError` where there is no such model: at
    once where its files are missing, with the first request where vLLM cannot serve it.
    """

    config_class = VLLMConfig

    def __init__(self, config: VLLMConfig) -> None:
        super().__init__(config)
        self._source = resolve_model(config.model)
        settings, generation, tokenizer = _files(config, self._source)
        self._context = context_length(settings, tokenizer, config.context_length)
        self._prompts = ChatPrompts(tokenizer, config.template_options, config.model)
        self._ends = end_tokens(generation, tokenizer) | self._prompts.end_of_turn()
        self._devices = devices.shared_out(runtime.gpus(), config.engines, config.tensor_parallel_size)
        self._lease = adapters.lend(self._source, config, self._context, self._devices)
        self._busy = BusyClock()
        self._closed = False

    @property
    def model(self) -> str:
        """What the configuration calls the model."""
        return self.config.model

    @property
    def weights(self) -> str:
        """The folder or hub id of the whole model, an adapter merged into it included."""
        return str(self._source)

    @property
    def template_options(self) -> dict[str, Any]:
        """What the chat template is given, as configured."""
        return self.config.template_options

    @property
    def context_length(self) -> int:
        """Tokens of prompt and completion together."""
        return self._context

    @property
    def runs_on(self) -> str:
        """How many engines there are, and on which GPUs."""
        return devices.told(self._devices, self.config.tensor_parallel_size, on_cpu=runtime.ON_CPU)

    @property
    def busy_seconds(self) -> float:
        """Seconds in which at least one request was in flight."""
        return self._busy.seconds

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """The length of the rendered prompt."""
        return len(self._prompts.ids(messages))

    def engine_load(self) -> EngineLoad | None:
        """What the engines' schedulers said after their last steps, together; None before the first request."""
        return self._lease.engines.load()

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """``request.n`` completions from one request to the engine; see :meth:`Policy.sample`."""
        n, params = request.n, request.params
        if n < 1:
            return []
        ids = self._prompts.ids(request.messages)
        room = self._context - len(ids)
        if room < 1:
            raise self._too_long(len(ids))
        # Greedy samples are all the same, and vLLM draws only one.
        draws = n if params.temperature > 0 else 1
        asked = self._params(params, draws, request.seed, min(room, params.max_tokens))
        output = await self._ask(request.session, ids, asked)
        answers = [self._completion(drawn, params, output) for drawn in output.outputs]
        return answers * (n // draws)

    async def score(self, messages: Sequence[Message], completion: str) -> list[float]:
        """The log-probability of each token of ``completion``, the end-of-turn token not included."""
        prompt, answer = self._prompts.ids(messages), tuple(self._prompts.encode(completion))
        # The engine wants to draw a token as well, though it is thrown away.
        if len(prompt) + len(answer) + 1 > self._context:
            raise self._too_long(len(prompt) + len(answer) + 1)
        if not answer:
            return []
        params = runtime.SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
        output = await self._ask("", (*prompt, *answer), params)
        found = output.prompt_logprobs[len(prompt) :]
        return [min(0.0, float(known[token].logprob)) for known, token in zip(found, answer, strict=True)]

    async def close(self) -> None:
        """Give the engines back: their processes end, unless ``lora`` keeps them for the next adapter."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._lease.end)

    async def _ask(self, session: str, ids: tuple[int, ...], params: runtime.SamplingParams) -> Any:
        if self._closed:
            raise PolicyFailure(f"the policy '{self.model}' is closed and answers no more")
        with self._busy:
            return await self._lease.engines.ask(session, ids, params, self._lease.adapter)

    def _params(self, params: SamplingParams, n: int, seed: int, limit: int) -> runtime.SamplingParams:
        return runtime.SamplingParams(
            n=n,
            temperature=params.temperature,
            top_p=params.top_p,
            max_tokens=limit,
            stop=[stop for stop in params.stop if stop],
            stop_token_ids=sorted(self._ends),
            seed=seed & _SEED_BITS,
            logprobs=0,  # of the token that was drawn, and no others
            detokenize=any(params.stop),  # only a stop string needs the text while it grows
            output_kind=runtime.RequestOutputKind.FINAL_ONLY,
        )

    def _completion(self, drawn: Any, params: SamplingParams, output: Any) -> Completion:
        ids = tuple(drawn.token_ids)
        logprobs = [float(known[token].logprob) for known, token in zip(drawn.logprobs, ids, strict=True)]
        if not all(map(math.isfinite, logprobs)):
            raise PolicyFailure(f"'{self.model}' computed probabilities that are not numbers; set vllm.dtype=float32")
        return Completion(
            text=self._text(ids, params.stop),
            token_ids=ids,
            logprobs=tuple(min(0.0, value) for value in logprobs),
            finish_reason=drawn.finish_reason if drawn.finish_reason in ("stop", "length") else "error",
            prompt_tokens=len(output.prompt_token_ids),
            cached_tokens=output.num_cached_tokens or 0,
        )

    def _text(self, ids: tuple[int, ...], stops: Sequence[str]) -> str:
        text = self._prompts.decode(ids[:-1] if ids and ids[-1] in self._ends else ids)
        found = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
        return text[: min(found)] if found else text

    def _too_long(self, tokens: int) -> PolicyFailure:
        return PolicyFailure(
            f"the conversation has {tokens} tokens and '{self.model}' reads at most {self._context}, the answer "
            "included; shorten the episodes, or use a model with a longer context"
        )


def _files(config: VLLMConfig, source: Path | str) -> tuple[Any, Any, Any]:
    """The model's configuration, its generation settings (None: it has none) and its tokenizer."""
    remote = {"trust_remote_code": config.trust_remote_code}
    try:
        settings = transformers.AutoConfig.from_pretrained(base_of(source), **remote)
        tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_of(source), **remote)
    except UsageError:
        raise
    except Exception as cause:  # OSError, ValueError, KeyError, errors of jinja and tokenizers ...
        raise model_failure(config.model, source, cause) from cause
    try:
        generation = transformers.GenerationConfig.from_pretrained(base_of(source))
    except OSError:
        generation = None
    return settings, generation, tokenizer
