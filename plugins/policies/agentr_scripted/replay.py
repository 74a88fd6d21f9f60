"""Replay: answers with what a model said in a stored run, for looking at that run again without the model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice

from agentr_core import (
    Completion,
    Message,
    Policy,
    PolicyFailure,
    SampleRequest,
    Tree,
    UsageError,
    derive_rng,
    open_store,
)
from agentr_scripted.config import ReplayConfig

#: By conversation: what each stored tree or episode has drawn there.
Recordings = dict[bytes, list[list[Completion]]]


class ReplayPolicy(Policy[ReplayConfig]):
    """Gives the completions that a run has recorded for the same conversation.

    Where several trees hold the conversation, those with ``n`` completions are preferred and the seed chooses. A
    conversation that the run never came to is a :class:`~agentr_core.PolicyFailure`.
    """

    config_class = ReplayConfig

    def __init__(self, config: ReplayConfig) -> None:
        super().__init__(config)
        path = config.db or os.environ.get("AGENTR_DB") or "agentr.db"
        self._recorded = _load(path, config.run)
        if not self._recorded:
            raise UsageError(f"the run '{config.run}' in {path} has no completions to replay; choose another run")

    @property
    def model(self) -> str:
        """``replay:RUN``."""
        return f"replay:{self.config.run}"

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """The recorded completions; as many as there are where ``request.n`` is more."""
        messages, n, task = request.messages, request.n, request.task
        if request.purpose == "judge":
            raise PolicyFailure("a run's verdicts cannot be replayed; choose a critic that asks no model: value, last")
        found = self._recorded.get(conversation_key(messages))
        if found is None:
            what = f"a conversation of {len(messages)} turns" + (f" on task '{task.key}'" if task else "")
            raise PolicyFailure(f"the run '{self.config.run}' has nothing recorded for {what}")
        fitting = [drawn for drawn in found if len(drawn) == n] or found
        return derive_rng(request.seed, "replay").choice(fitting)[:n]


def conversation_key(messages: Sequence[Message], start: bytes = b"") -> bytes:
    """A hash of the turns; ``start`` is the key of the turns before them."""
    key = start
    for message in messages:
        content = message.content.encode("utf-8", "surrogatepass")
        key = blake2b(key + message.role.encode() + b"\0" + content, digest_size=16).digest()
    return key


def _load(path: str, run: str) -> Recordings:
    recordings: Recordings = {}
    with open_store(path, read_only=True) as store:
        row = store.runs.find(run)
        for tree in store.trees.select(row.id):
            if tree.head is not None:
                for key, drawn in _drawn(store.trees.load(tree.id)):
                    recordings.setdefault(key, []).append(drawn)
        for evaluation in store.evaluations.select(row.id):
            for result in store.evaluations.results(evaluation.id):
                if result.conversation is not None:
                    for key, completion in _said(store.conversations.get(result.conversation)):
                        recordings.setdefault(key, []).append([completion])
    return recordings


def _drawn(tree: Tree) -> Iterator[tuple[bytes, list[Completion]]]:
    """Of each expanded node: its conversation, and its children's completions with their copies."""
    keys = {0: conversation_key(tree.head)}
    for node in islice(tree.nodes, 1, None):
        assert node.parent is not None
        step = (Message("assistant", node.response), Message("user", node.observation))
        keys[node.index] = conversation_key(step, keys[node.parent.index])
    for node in tree.nodes:
        if node.children:
            drawn = [[child.completion or Completion(text=child.response)] * child.copies for child in node.children]
            yield keys[node.index], [completion for copies in drawn for completion in copies]


def _said(messages: Sequence[Message]) -> Iterator[tuple[bytes, Completion]]:
    """Of each agent turn of an episode: the conversation before it, and the turn."""
    key = b""
    for message in messages:
        if message.role == "assistant":
            yield key, Completion(text=message.content)
        key = conversation_key([message], key)
