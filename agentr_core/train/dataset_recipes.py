"""Which conversations are trained on: recipes, caps, removal of duplicates, and general data (Agent-R equation 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.hashing import content_hash
from agentr_core.seeds import derive_rng
from agentr_core.settings.run_config import DataSettings
from agentr_core.train.conversation_files import ReadConversations, read_conversations
from agentr_core.train.mixture import in_proportion
from agentr_core.turns import Example, Message, TrainingSet

if TYPE_CHECKING:
    from agentr_core.store.rows import Sample

#: Which kinds of samples a recipe takes. A spliced trajectory whose cut no verdict set is of kind ``direct``.
RECIPES: dict[str, tuple[str, ...]] = {
    "agent-r": ("revision", "direct", "good"),
    "direct": ("direct", "good"),
    "optimal": ("good",),
    "good": ("good",),
    "demonstrations": (),
}
#: The recipe of a training on demonstrations and nothing else.
DEMONSTRATIONS = "demonstrations"


#: A conversation that may be taken, with its sample; a demonstration has none.
Candidate = tuple["Sample | None", Example]
#: Which of some conversations are too long for the trainer, by their place, and the tokens of each.
TooLong = Callable[[Sequence[Example]], Mapping[int, int]]


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
    demonstrations: Sequence[Example] = (),
    too_long: TooLong = lambda _: {},
) -> TrainingSet:
    """The training set that ``settings`` ask for, in a seeded order; its ``selection`` counts what was left out.

    What is ``too_long`` is left out first: caps and the share eta are those of what is trained. ``general`` is what
    :func:`check_general` gave, where it was asked already. ``env_of`` says of which environment a tree is, where a run
    has several: what of each is taken is :func:`in_proportion`'s to say. ``demonstrations`` are agent data beside the
    samples, of no tree and so under no cap.

    Raises :class:`~agentr_core.errors.NothingToDo` where no sample is left, and
    :class:`~agentr_core.errors.UsageError` for a file of general conversations that cannot be read.
    """
    chosen = _of_recipe(samples, settings.recipe)
    candidates: list[Candidate] = [(sample, _example(sample, messages_of(sample))) for sample in chosen]
    candidates += [(None, example) for example in demonstrations]
    if not candidates:
        raise NothingToDo(
            f"the recipe '{settings.recipe}' finds nothing to train on: no tree has a trajectory with enough reward "
            "(see agentr revisions list; lower revise.alpha, or search more tasks or simulations)"
        )
    distinct = _distinct(candidates)
    left = too_long([example for _, example in distinct])
    fitting = [each for place, each in enumerate(distinct) if place not in left]
    if not fitting:
        raise _none_fits(left)
    agent = capped = _capped(fitting, settings, seed)
    if env_of is not None:
        known = [_of_environment(one, env_of) for one in capped]
        agent = in_proportion(known, weights or {}, max_share=settings.max_share, seed=seed)
        if not agent:
            raise NothingToDo("the environments that brought something to train on all have the weight 0")
    drawn = _general(settings, len(agent), seed, general, too_long)
    mixed = agent + drawn.examples
    derive_rng(seed, "order").shuffle(mixed)
    selection = {
        **_counted("", [example.kind for _, example in candidates]),
        **_counted("taken_", [example.kind for example in agent]),
        "equal": len(candidates) - len(distinct),
        "over_caps": len(fitting) - len(capped),
        **({"over_mixture": len(capped) - len(agent)} if env_of is not None else {}),
        "dropped": len(left) + drawn.dropped,
        "longest": max([0, drawn.longest, *left.values()]),
        **({"demonstrations": len(demonstrations)} if demonstrations else {}),
    }
    return TrainingSet(name, tuple(mixed), content_hash([example.content() for example in mixed]), selection)


def _none_fits(left: Mapping[int, int]) -> NothingToDo:
    return NothingToDo(
        f"none of the {len(left):,} conversations fits the trainer (the longest has {max(left.values()):,} tokens): "
        "raise its max_length, or take a model with a longer context"
    )


def _counted(prefix: str, kinds: Sequence[str]) -> dict[str, int]:
    good = kinds.count("good")
    return {f"{prefix}revisions": len(kinds) - good, f"{prefix}good": good}


def _of_recipe(samples: Iterable[Sample], recipe: str) -> list[Sample]:
    kinds = RECIPES[recipe]
    kept = [sample for sample in samples if sample.kept and sample.kind in kinds]
    return [sample for sample in kept if sample.reward >= 1.0] if recipe == "optimal" else kept


def without_revisions(recipe: str, samples: Iterable[Sample], critic: str) -> str | None:
    """Why a recipe that is to hold revisions finds none; None where it finds some, or is to hold none."""
    wanted, made = set(RECIPES[recipe]) - {"good"}, list(samples)
    kinds = Counter(sample.kind for sample in made if sample.kept)
    if not wanted or wanted & set(kinds):
        return None
    if others := sum(count for kind, count in kinds.items() if kind != "good"):
        return (
            f"the recipe '{recipe}' takes those that no verdict cut, and the critic '{critic}' cut all {others:,}; "
            "for Direct-Revision take --critic last"
        )
    if dropped := sum(sample.kind != "good" for sample in made):
        return f"none of the {dropped:,} that were made was kept; see agentr revisions list"
    return "no failed attempt has a good one beside it; search more simulations or samples (see agentr trees list)"


def _of_environment(example: Example, env_of: Mapping[int, str]) -> Example:
    """A demonstration says of which environment it is; a sample's tree does."""
    if "env" in example.origin:
        return example
    return replace(example, origin={"env": env_of[example.origin["tree"]], **example.origin})


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The first of each set of equal conversations."""
    first: dict[str, Candidate] = {}
    for sample, example in candidates:
        first.setdefault(content_hash(example.content()), (sample, example))
    return list(first.values())


def _capped(candidates: Sequence[Candidate], settings: DataSettings, seed: int) -> list[Example]:
    """At most so many good and spliced conversations of one tree, in their first order; ``prefer`` says which."""
    order = list(range(len(candidates)))
    derive_rng(seed, "caps").shuffle(order)
    if settings.prefer == "short":
        order.sort(key=lambda index: len(candidates[index][1].messages))
    used: Counter[tuple[int, bool]] = Counter()
    chosen = set()
    for index in order:
        sample = candidates[index][0]
        if sample is None:
            chosen.add(index)
            continue
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


@dataclass(frozen=True, slots=True)
class _Drawn:
    """General conversations, and those that were drawn and left out for their length."""

    examples: list[Example] = field(default_factory=list)
    dropped: int = 0
    longest: int = 0


def _general(
    settings: DataSettings, agent: int, seed: int, read: ReadConversations | None, too_long: TooLong
) -> _Drawn:
    """So many general conversations that the agent data is a share eta of the whole."""
    wanted = round(agent * (1 - settings.eta) / settings.eta)
    read = (read or check_general(settings)) if settings.eta < 1.0 else None
    if read is None or not wanted:
        return _Drawn()
    found = [
        Example(messages, "general", {"file": settings.general, read.unit: place})
        for messages, place in zip(read.conversations, read.places, strict=True)
    ]
    order = derive_rng(seed, "general").sample(found, len(found))
    kept, left = list[Example](), list[int]()
    while order and len(kept) < wanted:  # not all of a large file is measured
        part, order = order[: wanted - len(kept)], order[wanted - len(kept) :]
        long = too_long(part)
        kept += [example for place, example in enumerate(part) if place not in long]
        left += long.values()
    if not kept:
        raise _none_fits(dict(enumerate(left)))
    rounds, rest = divmod(wanted, len(kept))
    return _Drawn(kept * rounds + kept[:rest], len(left), max(left, default=0))
