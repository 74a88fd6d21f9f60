"""Which conversations are trained on: recipes, caps, removal of duplicates, and general data (Agent-R equation 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.hashing import content_hash
from agentr_core.records import Example, Message, TrainingSet
from agentr_core.seeds import derive_rng
from agentr_core.settings.run_config import DataSettings
from agentr_core.train.conversation_files import ReadConversations, read_conversations
from agentr_core.train.mixture import in_proportion

if TYPE_CHECKING:
    from agentr_core.store.rows import Sample

#: Which kinds of samples a recipe takes. A spliced trajectory whose cut no verdict set is of kind ``direct``.
RECIPES: dict[str, tuple[str, ...]] = {
    "agent-r": ("revision", "direct", "good"),
    "direct": ("direct", "good"),
    "optimal": ("good",),
    "good": ("good",),
}


def build_dataset(
    samples: Iterable[Sample],
    messages_of: Callable[[Sample], tuple[Message, ...]],
    settings: DataSettings,
    *,
    name: str,
    seed: int,
    general: ReadConversations | None = None,
    env_of: Mapping[int, str] | None = None,
    weights: Mapping[str, float] | None = None,
) -> TrainingSet:
    """The training set that ``settings`` ask for, in a seeded order.

    ``general`` is what :func:`check_general` gave, where it was asked already. ``env_of`` says of which environment a
    tree is, where a run has several: what of each is taken is :func:`in_proportion`'s to say. Raises
    :class:`~agentr_core.errors.NothingToDo` where no sample is left, and :class:`~agentr_core.errors.UsageError` for a
    file of general conversations that cannot be read.
    """
    candidates = [(sample, _example(sample, messages_of(sample))) for sample in _of_recipe(samples, settings.recipe)]
    agent = _capped(_distinct(candidates), settings, seed)
    if not agent:
        raise NothingToDo(
            f"the recipe '{settings.recipe}' finds nothing to train on: no tree has a trajectory with enough reward "
            "(see agentr revisions list; lower revise.alpha, or search more tasks or simulations)"
        )
    if env_of is not None:
        agent = [
            replace(example, origin={"env": env_of[example.origin["tree"]], **example.origin}) for example in agent
        ]
        agent = in_proportion(agent, weights or {}, max_share=settings.max_share, seed=seed)
    mixed = agent + _general(settings, len(agent), seed, general)
    derive_rng(seed, "order").shuffle(mixed)
    return TrainingSet(name, tuple(mixed), content_hash([example.content() for example in mixed]))


def what_was_left(samples: Sequence[Sample], dataset: TrainingSet, settings: DataSettings) -> str:
    """How many conversations the caps and the removal of equal ones left, in a few words; nothing where all stay."""
    offered = _of_recipe(samples, settings.recipe)
    taken = [example for example in dataset.examples if example.kind != "general"]
    if len(taken) == len(offered):
        return ""
    good = sum(sample.kind == "good" for sample in offered)
    kept = sum(example.kind == "good" for example in taken)
    return (
        f"{len(taken) - kept} of {len(offered) - good} revisions and {kept} of {good} good attempts: equal ones once, "
        f"at most {settings.max_revisions_per_tree} and {settings.max_good_per_tree} of one tree "
        "(data.max_revisions_per_tree, data.max_good_per_tree)"
    )


def _of_recipe(samples: Iterable[Sample], recipe: str) -> list[Sample]:
    kinds = RECIPES[recipe]
    kept = [sample for sample in samples if sample.kept and sample.kind in kinds]
    return [sample for sample in kept if sample.reward >= 1.0] if recipe == "optimal" else kept


def _distinct(candidates: Sequence[tuple[Sample, Example]]) -> list[tuple[Sample, Example]]:
    """The first of each set of equal conversations."""
    first: dict[str, tuple[Sample, Example]] = {}
    for sample, example in candidates:
        first.setdefault(content_hash(example.content()), (sample, example))
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


def check_general(settings: DataSettings) -> ReadConversations | None:
    """The general conversations of ``data.general``, opened and counted; None where no file is named.

    Raises :class:`~agentr_core.errors.UsageError`, which names the setting, for a file that cannot be read or holds
    nothing that can be used.
    """
    if settings.general is None:
        return None
    try:
        return read_conversations(settings.general)
    except UsageError as error:
        raise UsageError(f"data.general: {error}") from None


def _general(settings: DataSettings, agent: int, seed: int, read: ReadConversations | None) -> list[Example]:
    """So many general conversations that the agent data is a share eta of the whole."""
    if settings.eta >= 1.0:
        return []
    read = read or check_general(settings)
    if read is None:
        return []
    wanted = round(agent * (1 - settings.eta) / settings.eta)
    found = list(zip(read.conversations, read.places, strict=True))
    rng = derive_rng(seed, "general")
    rounds, rest = divmod(wanted, len(found))
    drawn = found * rounds + rng.sample(found, rest)
    return [Example(messages, "general", {"file": settings.general, read.unit: place}) for messages, place in drawn]
