"""The contract of a policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from agentr_core.errors import PolicyFailure
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.signatures import outdated
from agentr_core.prompts.conversation import head
from agentr_core.records import Completion, EngineLoad, SampleRequest, SamplingParams, Task
from agentr_core.testing.contract import Contract, current, require, same
from agentr_core.testing.fakes import CounterEnvironment
from agentr_core.turns import Message

T = TypeVar("T")
PARAMS = SamplingParams(temperature=1.0, max_tokens=24)


class PolicyContract(Contract):
    """Rules for the policies that ``make`` makes, asked about tasks of ``make_environment``'s world."""

    subject = "policy"

    def __init__(
        self,
        make: Callable[[], AnyPolicy],
        *,
        make_environment: Callable[[], AnyEnvironment] = CounterEnvironment,
    ) -> None:
        self._make, self._make_environment = make, make_environment
        environment = make_environment()
        self._task: Task = environment.tasks(environment.splits()[0])[0]
        self._messages = head(environment, self._task, environment.reset(self._task))
        environment.close()

    def it_is_written_for_this_agentr(self) -> None:
        """``sample`` takes one request."""

        async def look(policy: AnyPolicy) -> None:
            current(outdated(type(policy)))

        self._run(look)

    def it_gives_as_many_answers_as_were_asked_for(self) -> str:
        """Texts, each with a finish reason."""
        answers = self._run(lambda policy: self._ask(policy, n=3, seed=1))
        same(3, len(answers), "the number of answers to n=3")
        require(all(isinstance(answer, Completion) for answer in answers), "completions", answers)
        return self._run(_name)

    def the_same_seed_gives_the_same_answers(self) -> None:
        """In another instance as well."""
        first = self._run(lambda policy: self._ask(policy, n=2, seed=5))
        same(_texts(first), _texts(self._run(lambda policy: self._ask(policy, n=2, seed=5))), "the answers")

    def an_answer_does_not_depend_on_what_else_is_in_flight(self) -> None:
        """Asked alone and beside others (greedily, so that the rounding of batched arithmetic decides nothing)."""

        async def together(policy: AnyPolicy) -> list[list[Completion]]:
            return await asyncio.gather(*(self._ask(policy, n=1, seed=seed, temperature=0.0) for seed in (1, 2, 3)))

        alone = self._run(lambda policy: self._ask(policy, n=1, seed=2, temperature=0.0))
        same(_texts(alone), _texts(self._run(together)[1]), "the answer")

    def token_ids_and_logprobs_fit_together(self) -> str:
        """One logprob (at most 0) for each token, and no more tokens than allowed."""
        answers = self._run(lambda policy: self._ask(policy, n=2, seed=3))
        for answer in answers:
            require(len(answer.token_ids) <= PARAMS.max_tokens, f"at most {PARAMS.max_tokens} tokens", answer.token_ids)
            if answer.logprobs:
                same(len(answer.token_ids), len(answer.logprobs), "the numbers of token ids and of logprobs")
                require(max(answer.logprobs) <= 1e-6, "logprobs of at most 0", max(answer.logprobs))
        return "token ids" if answers[0].token_ids else "text only"

    def stop_strings_are_not_in_the_text(self) -> str:
        """Where the policy is a model: scripted ones say whole turns."""
        answers = self._run(lambda policy: self._ask(policy, n=2, seed=4, stop=("e",)))
        if not answers[0].token_ids and answers[0].finish_reason != "length":
            return "text only"
        require(not any("e" in answer.text for answer in answers), "no 'e' in the text", _texts(answers))
        return ""

    def scores_are_logprobs(self) -> str:
        """Where it can score: one number, at most 0, for each token."""

        async def score(policy: AnyPolicy) -> list[float] | None:
            try:
                return await policy.score(self._messages, "Thought: I count.\nAction: add 1")
            except NotImplementedError:
                return None

        scores = self._run(score)
        if scores is None:
            return "not offered"
        require(scores and max(scores) <= 1e-6, "numbers of at most 0", scores)
        return f"{len(scores)} tokens"

    def counting_tokens_grows_with_the_conversation(self) -> str:
        """And the context length, where there is one, is positive."""

        async def counts(policy: AnyPolicy) -> tuple[int, int, int | None]:
            longer = [*self._messages, Message("assistant", "Action: add 1"), Message("user", "You are at 2.")]
            return policy.count_tokens(self._messages), policy.count_tokens(longer), policy.context_length

        short, long, limit = self._run(counts)
        require(0 < short < long, "more tokens for more turns", f"{short} and {long}")
        require(limit is None or limit > 0, "a positive context length, or None", limit)
        return f"context {limit or 'without limit'}"

    def what_it_tells_of_its_engine_is_possible(self) -> str:
        """Before and after it was asked: shares in [0, 1], room for at least one token."""

        async def loads(policy: AnyPolicy) -> list[EngineLoad | None]:
            before = policy.engine_load()
            await self._ask(policy, n=2, seed=5)
            return [before, policy.engine_load()]

        told = [load for load in self._run(loads) if load is not None]
        for load in told:
            for share in (load.kv_used, load.busy, load.cached):
                require(share is None or 0.0 <= share <= 1.0, "shares in [0, 1]", load)
            require(load.kv_tokens is None or load.kv_tokens > 0, "kv_tokens above 0, or None", load)
        return "told" if told else "not told"

    def a_conversation_that_is_too_long_is_answered_or_refused(self) -> str:
        """With PolicyFailure: any other exception would look like a defect of the policy."""

        async def ask(policy: AnyPolicy) -> str:
            text = "You are at 1. " * (policy.context_length or 10_000)
            try:
                await policy.sample(self._request((*self._messages[:-1], Message("user", text))))
            except PolicyFailure:
                return "refused"
            return "answered"

        return self._run(ask)

    def odd_text_is_answered(self) -> None:
        """Control characters, other scripts and nothing at all, as an environment may show them."""

        async def ask(policy: AnyPolicy) -> list[Completion]:
            odd = (Message("assistant", ""), Message("user", "\x00\x1b[31m 剪 ✂"))
            return await policy.sample(self._request((*self._messages, *odd)))

        same(1, len(self._run(ask)), "the number of answers to n=1")

    def a_critics_question_is_answered(self) -> None:
        """Any policy may be asked to judge."""

        async def ask(policy: AnyPolicy) -> list[Completion]:
            question = (Message("system", "You check an agent."), Message("user", "Is this action good or bad?"))
            return await policy.sample(replace(self._request(question), n=2, purpose="judge"))

        same(2, len(self._run(ask)), "the number of answers to n=2")

    def closing_twice_is_fine(self) -> None:
        """``close`` may be called again."""
        self._run(lambda policy: policy.close())

    def _run(self, work: Callable[[AnyPolicy], Coroutine[Any, Any, T]]) -> T:
        """Do ``work`` with a new policy in an event loop of its own, and close the policy."""

        async def scene() -> T:
            policy = self._make()
            policy.bind(lambda task=None: self._make_environment())
            try:
                return await work(policy)
            finally:
                await policy.close()

        return asyncio.run(scene())

    async def _ask(
        self, policy: AnyPolicy, *, n: int, seed: int, temperature: float = 1.0, stop: Sequence[str] = ()
    ) -> list[Completion]:
        params = PARAMS.model_copy(update={"temperature": temperature, "stop": tuple(stop)})
        return await policy.sample(replace(self._request(self._messages), params=params, n=n, seed=seed))

    def _request(self, messages: tuple[Message, ...]) -> SampleRequest:
        return SampleRequest(messages, PARAMS, seed=1, session="1", task=self._task)


async def _name(policy: AnyPolicy) -> str:
    require(policy.model, "a name in policy.model", policy.model)
    return policy.model


def _texts(answers: Sequence[Completion]) -> list[str]:
    return [answer.text for answer in answers]
