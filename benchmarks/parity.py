"""Do the engines say the same? Greedy answers of transformers, vLLM and ``vllm serve``, token for token.

    python benchmarks/parity.py [--prompts 50] [--model smollm2-135m] [--url http://127.0.0.1:8000/v1]

The prompts are TextCraft conversations of real tasks, every third one at its start and the others some turns later. All
compute in float32. Without ``--url`` a ``vllm serve`` is started for a while. For each first difference it is shown how
far apart the two likeliest tokens lay there, by the reference: rounding decides what is nearly a tie.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentr_core import (
    AnyEnvironment,
    ChatPrompts,
    Completion,
    Message,
    SampleRequest,
    SamplingParams,
    create,
    head,
    resolve_model,
)

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))

#: Two likeliest tokens nearer than this (natural log) are a near-tie: float32 sums in another order move a
#: log-probability of this model by up to a few thousandths.
NEAR_TIE = 0.02
CONTEXT = 2048


@dataclass(frozen=True)
class Difference:
    """Where two answers part: after ``position`` equal tokens; ``gap`` between the reference's two likeliest there."""

    prompt: int
    position: int
    gap: float
    reference: str
    other: str

    @property
    def near_tie(self) -> bool:
        return self.gap < NEAR_TIE


def prompts(count: int) -> list[list[Message]]:
    """Conversations of ``count`` tasks, 0 to 4 turns of the expert in."""
    found = []
    tasks = create("env", "textcraft").tasks("train")
    for number in range(count):
        environment: AnyEnvironment = create("env", "textcraft")
        task = tasks[number * len(tasks) // count]
        messages = list(head(environment, task, environment.reset(task)))
        expert = list(environment.demonstrate(task) or ())[: (0, 1, 2, 0, 3, 4)[number % 6]]
        for action in expert[: max(0, len(expert))]:
            result = environment.step(action)
            if result.terminated:
                break
            messages += [
                Message("assistant", f"Thought: I go on.\nAction: {action}"),
                Message("user", result.observation),
            ]
        found.append(messages)
    return found


def answers(policy: Any, asked: Sequence[Sequence[Message]], max_tokens: int) -> list[Completion]:
    """One greedy answer to each; all are in flight at once."""
    params = SamplingParams(temperature=0.0, max_tokens=max_tokens)

    async def scene() -> list[Completion]:
        try:
            found = await asyncio.gather(
                *(policy.sample(SampleRequest(tuple(turns), params, session=str(turns))) for turns in asked)
            )
            return [each[0] for each in found]
        finally:
            await policy.close()

    return asyncio.run(scene())


class Reference:
    """The model in float32, to see how near the second likeliest token was."""

    def __init__(self, model: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        source = resolve_model(model)
        self._torch, self.tokenizer = torch, AutoTokenizer.from_pretrained(source)
        self._model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
        self._prompts = ChatPrompts(self.tokenizer, {}, model)

    def gap(self, turns: Sequence[Message], drawn: Sequence[int]) -> float:
        """The distance of the two likeliest tokens after ``turns`` and ``drawn``, in natural log."""
        ids = self._torch.tensor([[*self._prompts.ids(turns), *drawn]])
        with self._torch.inference_mode():
            best = self._model(input_ids=ids, logits_to_keep=1).logits[0, -1].log_softmax(-1).topk(2).values
        return float(best[0] - best[1])

    def differences(
        self, asked: Sequence[Sequence[Message]], ours: Sequence[Completion], theirs: Sequence[Completion]
    ) -> Iterator[Difference]:
        """The first difference of each pair of answers that differ."""
        for number, (turns, one, other) in enumerate(zip(asked, ours, theirs, strict=True)):
            if one.token_ids == other.token_ids:
                continue
            pairs = list(zip(one.token_ids, other.token_ids, strict=False))
            at = next((i for i, (left, right) in enumerate(pairs) if left != right), len(pairs))
            words = (self.tokenizer.decode(answer.token_ids[at : at + 1]) for answer in (one, other))
            yield Difference(number, at, self.gap(turns, one.token_ids[:at]), *words)


@contextlib.contextmanager
def serving(model: str, url: str | None) -> Iterator[str]:
    """The address of a ``vllm serve``: the one given, or one that runs for a while."""
    if url is not None:
        yield url
        return
    from vllm_server import VLLMServer

    with tempfile.TemporaryDirectory() as folder, VLLMServer(resolve_model(model), Path(folder) / "log") as server:
        yield server.url


def collect(model: str, asked: Sequence[Sequence[Message]], max_tokens: int, url: str) -> dict[str, list[Completion]]:
    """The answers by engine; one engine runs at a time beside the server."""
    served = {"model": model, "base_url": url, "token_ids": True}
    text = {"api": "completions", "tokenizer": str(resolve_model(model))}
    local = {"model": model, "dtype": "float32", "context_length": CONTEXT}
    return {
        "transformers": answers(create("policy", "transformers", device="cpu", **local), asked, max_tokens),
        "vllm": answers(create("policy", "vllm", **local), asked, max_tokens),
        "openai, chat": answers(create("policy", "openai", **served), asked, max_tokens),
        "openai, completions": answers(create("policy", "openai", **served, **text), asked, max_tokens),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--max-tokens", type=int, default=40)
    parser.add_argument("--url", help="a vllm serve with this model in float32 (default: start one)")
    options = parser.parse_args()
    asked = prompts(options.prompts)
    with serving(options.model, options.url) as url:
        found = collect(options.model, asked, options.max_tokens, url)
    reference = Reference(options.model)
    ours = found.pop("transformers")
    print(
        f"{len(asked)} prompts of {min(a.prompt_tokens for a in ours)} to {max(a.prompt_tokens for a in ours)} tokens, "
        f"{sum(len(a.token_ids) for a in ours)} tokens generated; against transformers:\n"
    )
    print("| engine | equal | near-ties | others |\n| --- | ---: | ---: | ---: |")
    parted = {name: list(reference.differences(asked, ours, theirs)) for name, theirs in found.items()}
    for name, differences in parted.items():
        ties = sum(each.near_tie for each in differences)
        print(f"| {name} | {len(asked) - len(differences)} | {ties} | {len(differences) - ties} |")
    for name, differences in parted.items():
        for each in differences:
            print(
                f"{name}: prompt {each.prompt} parts after {each.position} tokens, {each.reference!r} or "
                f"{each.other!r}; the two likeliest are {each.gap:.5f} apart"
            )
    for name, theirs in found.items():
        moved = max(
            abs(a - b)
            for one, other in zip(ours, theirs, strict=True)
            if one.token_ids == other.token_ids
            for a, b in zip(one.logprobs, other.logprobs, strict=True)
        )
        print(f"{name}: log-probabilities of equal answers differ by at most {moved:.5f}")


if __name__ == "__main__":
    main()
