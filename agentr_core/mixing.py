"""Which conversations are trained on: recipes, caps, removal of duplicates, and general data (Agent-R equation 6)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentr_core.config import content_hash
from agentr_core.errors import NothingToDo, UsageError
from agentr_core.records import Example, Message, Role, TrainingSet
from agentr_core.rng import derive_rng
from agentr_core.settings import DataSettings

if TYPE_CHECKING:
    from agentr_core.store.rows import Sample

#: Which kinds of samples a recipe takes. A spliced trajectory whose cut no verdict set is of kind ``direct``.
RECIPES: dict[str, tuple[str, ...]] = {
    "agent-r": ("revision", "direct", "good"),
    "direct": ("direct", "good"),
    "optimal": ("good",),
    "good": ("good",),
}
_ROLES: dict[str, Role] = {
    "human": "user",
    "gpt": "assistant",
    "user": "user",
    "assistant": "assistant",
    "system": "system",
}


def build_dataset(
    samples: Iterable[Sample],
    messages_of: Callable[[Sample], tuple[Message, ...]],
    settings: DataSettings,
    *,
    name: str,
    seed: int,
) -> TrainingSet:
    """The training set that ``settings`` ask for, in a seeded order.

    Raises :class:`~agentr_core.errors.NothingToDo` where no sample is left, and
    :class:`~agentr_core.errors.UsageError` for a file of general conversations that cannot be read.
    """
    candidates = [(sample, _example(sample, messages_of(sample))) for sample in _of_recipe(samples, settings.recipe)]
    agent = _capped(_distinct(candidates), settings, seed)
    if not agent:
        raise NothingToDo(
            f"the recipe '{settings.recipe}' finds nothing to train on: no tree has a trajectory with enough reward "
            "(see agentr revisions list; lower revise.alpha, or search more tasks or simulations)"
        )
    mixed = agent + _general(settings, len(agent), seed)
    derive_rng(seed, "order").shuffle(mixed)
    return TrainingSet(name, tuple(mixed), content_hash([_content(example) for example in mixed]))


def _of_recipe(samples: Iterable[Sample], recipe: str) -> list[Sample]:
    kinds = RECIPES[recipe]
    kept = [sample for sample in samples if sample.kept and sample.kind in kinds]
    return [sample for sample in kept if sample.reward >= 1.0] if recipe == "optimal" else kept


def _distinct(candidates: Sequence[tuple[Sample, Example]]) -> list[tuple[Sample, Example]]:
    """The first of each set of equal conversations."""
    first: dict[str, tuple[Sample, Example]] = {}
    for sample, example in candidates:
        first.setdefault(content_hash(_content(example)), (sample, example))
    return list(first.values())


def _capped(candidates: Sequence[tuple[Sample, Example]], settings: DataSettings, seed: int) -> list[Example]:
    """At most so many good and spliced conversations of one tree, in their first order; ``prefer`` says which."""
    order = list(range(len(candidates)))
    derive_rng(seed, "caps").shuffle(order)
    if settings.prefer == "short":
        order.sort(key=lambda index: len(candidates[index][1].messages))
    used: Counter[tuple[int, bool]] = Counter()
    chosen = set()
    for index in order:
        sample = candidates[index][0]
        good = sample.kind == "good"
        if used[sample.tree_id, good] < (settings.max_good_per_tree if good else settings.max_revisions_per_tree):
            used[sample.tree_id, good] += 1
            chosen.add(index)
    return [example for index, (_, example) in enumerate(candidates) if index in chosen]


def _example(sample: Sample, messages: tuple[Message, ...]) -> Example:
    origin = {
        "tree": sample.tree_id,
        "bad_leaf": sample.bad_leaf,
        "good_leaf": sample.good_leaf,
        "divergence": sample.divergence,
        "cut": sample.cut,
        "reward": sample.reward,
        "bad_reward": sample.bad_reward,
        "good_reward": sample.good_reward,
        "verified": sample.verified,
        **sample.origin,
    }
    return Example(messages, sample.kind, origin)


def _content(example: Example) -> list[tuple[str, str, bool]]:
    return [(message.role, message.content, message.train) for message in example.messages]


def _general(settings: DataSettings, agent: int, seed: int) -> list[Example]:
    """So many general conversations that the agent data is a share eta of the whole."""
    if settings.general is None or settings.eta >= 1.0:
        return []
    wanted = round(agent * (1 - settings.eta) / settings.eta)
    conversations = list(read_conversations(Path(settings.general)))
    if not conversations:
        raise UsageError(f"data.general: '{settings.general}' holds no conversation; name a file of JSON lines")
    rng = derive_rng(seed, "general")
    rounds, rest = divmod(wanted, len(conversations))
    drawn = conversations * rounds + rng.sample(conversations, rest)
    return [Example(messages, "general", {"file": settings.general}) for messages in drawn]


def read_dataset(path: Path) -> TrainingSet:
    """The conversations of a file as a training set in the order of the file; see :func:`read_conversations`."""
    examples = tuple(Example(messages, "general", {"file": str(path)}) for messages in read_conversations(path))
    return TrainingSet(path.stem, examples, content_hash([_content(example) for example in examples]))


def read_conversations(path: Path) -> Iterator[tuple[Message, ...]]:
    """Conversations of a file: one JSON object a line, or one JSON array of them.

    An object is ``{"messages": [{"role", "content"}, ...]}`` or ShareGPT's ``{"conversations": [{"from", "value"},
    ...]}``. Assistant turns are trained unless a flag ``train`` of theirs says otherwise; one that says nothing is not.
    Raises :class:`~agentr_core.errors.UsageError` with the line or entry that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"'{path}' cannot be read: {error}") from None
    if text.lstrip().startswith("["):
        for number, entry in enumerate(_parsed(text, f"'{path}'"), 1):
            yield _conversation(entry, f"entry {number} of '{path}'")
        return
    # Not splitlines: it also splits at characters that JSON leaves as they are.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"line {number} of '{path}'"
            yield _conversation(_parsed(line, where), where)


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}") from None


def _conversation(value: Any, where: str) -> tuple[Message, ...]:
    try:
        turns = value["messages"] if "messages" in value else value["conversations"]
        messages = tuple(_message(turn) for turn in turns)
    except (KeyError, TypeError, AttributeError):
        raise UsageError(f'{where} is no conversation; write {{"messages": [{{"role": …, "content": …}}]}}') from None
    if not any(message.train for message in messages):
        raise UsageError(f"{where} has no assistant turn to train on")
    return messages


def _message(turn: Mapping[str, Any]) -> Message:
    role = _ROLES[turn["role"] if "role" in turn else turn["from"]]
    text = turn["content"] if "content" in turn else turn["value"]
    if not isinstance(text, str):
        raise TypeError
    return Message(role, text, role == "assistant" and bool(text.strip()) and bool(turn.get("train", True)))
