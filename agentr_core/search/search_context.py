"""Many pieces of work in flight, and what a searcher is lent while it grows one tree."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from typing import Any

from agentr_core.errors import EnvironmentFailure, PluginError, PolicyFailure, boundary
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.searcher import Choose, MergeKey, by_action
from agentr_core.interfaces.tree import CONTEXT_FULL, KEPT, Node, Tree
from agentr_core.interfaces.turn_parsing import REVISION_ACTION, ParsedAction, parse_turn, step_of
from agentr_core.play.admission import Admission
from agentr_core.play.branches import Branches, Outcome
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.prompts.conversation import fit, fits, head
from agentr_core.records import Completion, SampleRequest, SamplingParams, Task
from agentr_core.seeds import derive_rng, derive_seed
from agentr_core.turns import Message

#: Stores what one commit brings: the tree, its nodes that are new, and the older ones whose values changed.
Save = Callable[[Tree, Sequence[Node], Sequence[Node]], Awaitable[None]]


@dataclass(slots=True)
class TreeStats:
    """What one tree cost. Seconds are spent waiting: trees in flight wait for the same batch at the same time."""

    requests: int = 0
    samples: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    policy_seconds: float = 0.0
    store_seconds: float = 0.0


@dataclass(slots=True)
class _Sample:
    """Equal samples of one expansion: the first completion, what it does, its temperature, how many there are."""

    completion: Completion
    parsed: ParsedAction
    temperature: float
    copies: int = 0


_VALUES = attrgetter("visits", "value_sum", "terminal", "exhausted", "expanded", "copies")


class TreeContext:
    """A searcher's ``SearchContext``: grows one tree over a policy, pooled environments and a store.

    Make it with :meth:`open`. What it does depends on the tree alone: a context on a tree out of the store goes on
    exactly as the one that was interrupted would have.
    """

    def __init__(
        self,
        tree: Tree,
        branches: Branches,
        policy: AnyPolicy,
        save: Save,
        *,
        session: str,
        stop: Callable[[], bool] = lambda: False,
        admission: Admission | None = None,
        stored: int = 0,
        turned: Callable[[Tree, int], None] = lambda tree, turns: None,
    ) -> None:
        self.tree, self.branches, self.policy, self._admission = tree, branches, policy, admission
        self.session, self.stats = session, TreeStats()
        self._save, self._stop = save, stop
        self._stored = list(map(_VALUES, tree.nodes[:stored]))
        self._conversations: dict[int, tuple[Message, ...]] = {0: tree.head}
        self._draws: Counter[int] = Counter()
        self._last_turn: asyncio.Event | None = None
        self._turned, self._turns = turned, 0

    @classmethod
    async def open(
        cls,
        task: Task,
        *,
        pool: EnvironmentPool,
        policy: AnyPolicy,
        save: Save,
        seed: int,
        session: str,
        tree: Tree | None = None,
        stop: Callable[[], bool] = lambda: False,
        admission: Admission | None = None,
        revision_action: str = REVISION_ACTION,
        turned: Callable[[Tree, int], None] = lambda tree, turns: None,
    ) -> TreeContext:
        """A context for a new tree of ``task``, or for the stored ``tree`` to go on with.

        The first commit of a new tree saves its root as well. ``admission`` is told what the tree takes of the engine,
        ``turned`` each time a node has been expanded how many were since the last commit.
        """
        branches = Branches(task, pool, tree, revision_action=revision_action)
        stored = 0 if tree is None else len(tree.nodes)
        if tree is None:
            first = await branches.start()
            with boundary(EnvironmentFailure, f"the environment gave no instructions for task '{task.key}'"):
                turns = head(pool.reference, task, first.result.observation)
            tree = Tree(task, turns, seed=seed, state_key=first.state_key)
            tree.root.info = first.result.info
        return cls(
            tree, branches, policy, save, session=session, stop=stop, admission=admission, stored=stored, turned=turned
        )

    @property
    def stopping(self) -> bool:
        """True once the run is being interrupted."""
        return self._stop()

    def rng(self, *names: str | int) -> random.Random:
        """A generator for one purpose of this tree; equal names, equal numbers."""
        return derive_rng(self.tree.seed, *names)

    def count(self, tokens: int) -> None:
        """Count what a model of the searcher's own has read, among the tokens of prompts."""
        self.stats.prompt_tokens += tokens

    async def sample(self, node: Node, n: int, params: SamplingParams, *, note: str = "") -> list[Completion]:
        """``n`` completions of the conversation at ``node``, trimmed to the policy's context, in one request.

        ``note`` is told at the end of the last turn where it leaves room for an answer. Raises
        :class:`~agentr_core.errors.PolicyFailure` where the policy raises or has no usable answer.
        """
        draw, self._draws[node.index] = self._draws[node.index], self._draws[node.index] + 1
        seed = derive_seed(self.tree.seed, "sample", node.index, self.tree.simulations, draw)
        began = time.perf_counter()
        with boundary(PolicyFailure, f"the policy '{self.policy.model}' failed on task '{self.tree.task.key}'"):
            asked = SampleRequest(
                tuple(self._prompt(node, params, note)), params, n, seed=seed, session=self.session, task=self.tree.task
            )
            answers = await self.policy.sample(asked)
        self.stats.policy_seconds += time.perf_counter() - began
        completions = [answer for answer in answers if answer.finish_reason != "error"]
        if not completions:
            raise PolicyFailure(
                f"the policy '{self.policy.model}' gave no usable completion on task '{self.tree.task.key}' "
                f"({n} were asked for): look into its log, or ask for fewer at once"
            )
        self._count(completions)
        return completions

    async def expand(
        self,
        node: Node,
        n: int,
        params: SamplingParams,
        *,
        merge: MergeKey = by_action,
        horizon: int | None = None,
        again: Sequence[SamplingParams] = (),
        note: str = "",
        keep: Mapping[str, Any] | None = None,
        choose: Choose | None = None,
    ) -> list[Node]:
        """Sample ``n`` actions at ``node``, merge equal ones, do each distinct one once, append the children.

        What is a copy is asked for ``again``. ``keep``, and a ``note`` that was told, stay with the new children in
        ``info["search"]``. Of the samples only those are done that ``choose`` takes.
        """
        kept = {**(keep or {}), **({"note": note} if note and self._has_room(node, params, note) else {})}
        before, done = self._last_turn, asyncio.Event()
        self._last_turn = done
        try:
            samples = await self._draw(node, n, (params, *again), merge, note)
            if choose is not None:
                kept["chosen_of"] = sum(sample.copies for sample in samples.values())
                samples = await _chosen(node, samples, choose)
            actions = [sample.parsed.action for sample in samples.values()]
            executed = [action for action in actions if self.branches.reaches(action)]
            outcomes = dict(zip(executed, await self.branches.step(node, executed), strict=True))
            if before is not None:
                await before.wait()
            children = self._append(node, samples, outcomes, merge, horizon, params, kept)
            self._turns += 1
            self._turned(self.tree, self._turns)
            return children
        finally:
            done.set()

    async def commit(self, simulations: int = 1) -> None:
        """So many simulations are complete: save new nodes and all changed values."""
        began = time.perf_counter()
        self.tree.simulations += simulations
        now = list(map(_VALUES, self.tree.nodes))
        changed = [node for node, old, new in zip(self.tree.nodes, self._stored, now, strict=False) if old != new]
        await self._save(self.tree, self.tree.nodes[len(self._stored) :], changed)
        self._stored = now
        self._draws.clear()
        self._turns = 0
        self.stats.store_seconds += time.perf_counter() - began

    def costs(self) -> dict[str, Any]:
        """All counts and seconds of this tree so far, flat."""
        environment = {f"environment_{name}": value for name, value in asdict(self.branches.stats).items()}
        return {**asdict(self.stats), **environment}

    def close(self) -> None:
        """Drop snapshots and give the environments back."""
        self.branches.close()

    def _prompt(self, node: Node, params: SamplingParams, note: str) -> Sequence[Message]:
        told = note and self._has_room(node, params, note)
        turns = self._noted(node, note) if told else self._conversation(node)
        return fit(self.policy, turns, params, head_turns=len(self.tree.head))

    def _has_room(self, node: Node, params: SamplingParams, note: str) -> bool:
        """True where ``note`` leaves room for an answer."""
        return fits(self.policy, self._noted(node, note), params, head_turns=len(self.tree.head))

    def _noted(self, node: Node, note: str) -> tuple[Message, ...]:
        *turns, last = self._conversation(node)
        return (*turns, replace(last, content=f"{last.content}\n\n{note}"))

    def _conversation(self, node: Node) -> tuple[Message, ...]:
        """The turns up to ``node``. A child shares its parent's messages."""
        unknown: list[Node] = []
        while (turns := self._conversations.get(node.index)) is None:
            unknown.append(node)
            node = node.parent or self.tree.root
        for step in reversed(unknown):
            turns += (Message("assistant", step.response), Message("user", step.observation))
            self._conversations[step.index] = turns
        return turns

    def _count(self, completions: Sequence[Completion]) -> None:
        stats = self.stats
        stats.requests += 1
        stats.samples += len(completions)
        prompt, drawn = completions[0].prompt_tokens, sum(len(completion.token_ids) for completion in completions)
        stats.prompt_tokens += prompt
        stats.cached_tokens += completions[0].cached_tokens
        stats.completion_tokens += drawn
        if self._admission is not None:
            self._admission.note(self.session, prompt + drawn)

    async def _draw(
        self, node: Node, n: int, attempts: Sequence[SamplingParams], merge: MergeKey, note: str
    ) -> dict[Any, _Sample]:
        """``n`` samples, and as many again as came out as copies, with each of ``attempts`` in turn."""
        samples: dict[Any, _Sample] = {}
        known = self._present(node, merge).keys() if len(attempts) > 1 else ()
        for params in attempts:
            missing = n - sum(key not in known for key in samples)
            if missing > 0:
                self._merge(await self.sample(node, missing, params, note=note), merge, params, samples)
        return samples

    def _merge(
        self, completions: Sequence[Completion], merge: MergeKey, params: SamplingParams, into: dict[Any, _Sample]
    ) -> None:
        with boundary(EnvironmentFailure, f"the environment could not parse an answer to '{self.tree.task.key}'"):
            for completion in completions:
                parsed = self._parse(completion.text, completion)
                key = merge(completion.text, parsed)
                same = into.setdefault(key, _Sample(completion, parsed, params.temperature))
                same.copies += 1

    def _present(self, node: Node, merge: MergeKey) -> dict[Any, Node]:
        """The children that are there, by what samples are merged by."""
        return {merge(each.response, self._parse(each.response, each.completion)): each for each in node.children}

    def _parse(self, response: str, said: Completion | None) -> ParsedAction:
        cut_off = said is not None and said.finish_reason == "length"
        return parse_turn(self.branches.pool.reference.parse, response, cut_off=cut_off)

    def _append(
        self,
        node: Node,
        samples: dict[Any, _Sample],
        outcomes: dict[str, Outcome],
        merge: MergeKey,
        horizon: int | None,
        params: SamplingParams,
        kept: Mapping[str, Any],
    ) -> list[Node]:
        present = self._present(node, merge)
        children = []
        for key, sample in samples.items():
            child = present.get(key)
            if child is None:
                hotter = {} if sample.temperature == params.temperature else {"temperature": sample.temperature}
                child = self._child(node, sample, outcomes, {**kept, **hotter})
                self._end_where_full(child, params)
                child.terminal = child.terminated or child.truncated or child.depth == horizon
            else:
                child.copies += sample.copies
            children.append(child)
        node.expanded = True
        return children

    def _end_where_full(self, node: Node, params: SamplingParams) -> None:
        """A node whose conversation no longer fits the policy's context is an end: truncated, its reward as it is."""
        if self.policy.context_length is None or node.terminated or node.truncated:
            return
        turns = self._conversation(node)
        if not fits(self.policy, turns, params, head_turns=len(self.tree.head)):
            node.truncated, node.info = True, {**node.info, CONTEXT_FULL: True}

    def _child(self, node: Node, sample: _Sample, outcomes: dict[str, Outcome], kept: Mapping[str, Any]) -> Node:
        action, text = sample.parsed.action, sample.completion.text
        # Where the environment was not asked, it is where it was.
        result, state_key = outcomes[action] if self.branches.reaches(action) else (None, node.state_key)
        cut_off = sample.completion.finish_reason == "length"
        info = result.info if result is not None else {}
        step = step_of(text, sample.parsed, result, reward=node.reward, score=node.score, cut_off=cut_off)
        return self.tree.add(
            node,
            response=text,
            action=action,
            copies=sample.copies,
            completion=sample.completion,
            observation=step.observation,
            reward=step.reward,
            score=step.score,
            terminated=step.terminated,
            truncated=step.truncated,
            invalid=step.invalid,
            info={**info, KEPT: dict(kept)} if kept else info,
            state_key=state_key,
        )


async def _chosen(node: Node, samples: dict[Any, _Sample], choose: Choose) -> dict[Any, _Sample]:
    """Those of the samples that are to be done; :class:`~agentr_core.errors.PluginError` where none is."""
    places = {*await choose(node, [sample.completion.text for sample in samples.values()])}
    chosen = {key: each for place, (key, each) in enumerate(samples.items()) if place in places}
    if not chosen:
        raise PluginError(f"the searcher chose none of {len(samples)} turns at node {node.index}; it must choose one")
    return chosen
