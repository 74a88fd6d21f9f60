"""The set that a trainer of preferences, actions or values reads: made of the trees in the store, one at a time.

A set is a view. What is stored of it is the trees that it is of, how many rows they give, and a hash over all of them;
the rows are made again each time they are gone through, and are the same ones: trees that are done do not change.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from typing import Any

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.hashing import canonical_json, content_hash
from agentr_core.interfaces.training_sets import AnyRow, PreferencePair, Reads, Rows, TreeSet
from agentr_core.interfaces.tree import Tree, take_apart
from agentr_core.records import Checkpoint
from agentr_core.registry.model_names import resolve_model
from agentr_core.run_context import RunContext
from agentr_core.seeds import derive_seed
from agentr_core.settings.run_config import ChosenPlugin
from agentr_core.store import Store
from agentr_core.store.rows import DatasetRow, RevisionSetRow, TreeRow
from agentr_core.train.mixture import named, trees_in_proportion
from agentr_core.train.tree_rows import action_rows, step_pairs, trajectory_pairs, value_rows
from agentr_core.turns import TrainingSet

#: Options of a searcher that say how it samples.
_SAMPLING = ("temperature", "top_p")
#: What a selection counts besides rows.
_TREES = ("trees", "used_trees", "left_out_trees")
#: What to say where a set came out empty, by what it is of.
_EMPTY = {
    "preferences": "no state of them has two actions of which one came to more",
    "actions": "none of them has attempts that came to more than others (solved or failed alike, nothing was better)",
    "values": "no attempt in them came to an end",
}


def collect_tree_set(
    context: RunContext,
    reads: Reads,
    revision_set: RevisionSetRow | None,
    iteration: int,
    start: Checkpoint,
    conversations: TrainingSet | None = None,
) -> tuple[DatasetRow, TreeSet[Any]]:
    """Make and store the set of one iteration for a training from ``start``; ``conversations`` are handed over with it.

    Preferences are those between attempts that ``revision_set`` found (none without one), and those between siblings.
    Actions are of the iteration's own trees, which its acting model grew; values of all trees up to them. Trees of an
    environment of weight 0 are left out.

    Raises :class:`~agentr_core.errors.NothingToDo` where the trees hold none.
    """
    trees = [
        tree
        for tree in context.store.trees.select(context.run.id, status="done")
        if context.config.weights.get(tree.env) != 0
        and (tree.iteration == iteration or (reads == "values" and tree.iteration < iteration))
    ]
    if not context.store.trees.select(context.run.id, iteration=iteration, status="done"):
        raise NothingToDo(f"run {context.run.short} has no finished tree in iteration {iteration}; search first")
    name = named(f"{reads}-{revision_set.critic}" if reads == "preferences" and revision_set else reads, context.config)
    set_id = revision_set.id if revision_set and reads == "preferences" else None
    mixed = _mixed(context, reads, trees, set_id, iteration)
    left_out = {"left_out_trees": len(trees) - len(mixed)} if len(mixed) < len(trees) else {}
    trees = mixed
    origin: dict[str, Any] = {
        "trees": [tree.id for tree in trees],
        "iterations": sorted({tree.iteration for tree in trees}),
        "models": sorted({tree.model for tree in trees}),
        "sampling": _sampling(context, trees),
    }
    made = _tree_set(context.store, name, reads, origin, set_id, conversations)
    made = replace(made, selection={**made.selection, **left_out})
    if not len(made):
        raise NothingToDo(f"there are no {reads} in the {len(trees):,} trees of iteration {iteration}: {_EMPTY[reads]}")
    beside = {"conversations": conversations.content_hash} if conversations is not None else {}
    row = context.store.datasets.save_view(context.run.id, iteration, made, reads, config=beside, set_id=set_id)
    return row, replace(made, on_policy=all(_is_start(context, model, start) for model in origin["models"]))


def _mixed(
    context: RunContext, reads: Reads, trees: Sequence[TreeRow], set_id: int | None, iteration: int
) -> list[TreeRow]:
    """The trees that the mixture of several environments takes: all, where neither weights nor a largest share say
    otherwise."""
    weights, max_share = context.config.weights, context.config.data.max_share
    if len(context.worlds) == 1 or not (weights or max_share < 1.0):
        return list(trees)
    counts = {tree.id: (tree.env, sum(1 for _ in _rows(context.store, reads, [tree.id], set_id))) for tree in trees}
    seed = derive_seed(context.config.seed, reads, iteration)
    kept = trees_in_proportion(counts, weights, max_share=max_share, seed=seed)
    return [tree for tree in trees if tree.id in kept]


def _is_start(context: RunContext, model: str, start: Checkpoint) -> bool:
    """Whether a model, as the store names it, is the one that training starts from."""
    kept = context.store.checkpoints.kept_model
    if model == kept(start.model):
        return True
    try:
        return kept(str(resolve_model(model))) == kept(start.model)
    except UsageError:  # a checkpoint by its place beside the database, and not this one
        return False


def read_tree_set(store: Store, row: DatasetRow) -> TreeSet[Any]:
    """The set of a stored row, without going through it; what was beside it is not read."""
    origin = row.config["origin"]
    rows = Rows(lambda: _rows(store, row.reads, origin["trees"], row.set_id), row.n_examples)
    return TreeSet(row.name, rows, row.content_hash, row.config["selection"], origin)


def checked_rows(store: Store, row: DatasetRow, differs: Callable[[], None]) -> Iterator[AnyRow]:
    """The rows of a stored set; behind the last one ``differs`` is called where they are not those that it was made of.

    Trees that are done do not change, but an agentr of another version may weigh their actions otherwise.
    """
    digest = _Digest()
    for each in read_tree_set(store, row).rows:
        digest.add(each)
        yield each
    if digest.with_conversations(row.config.get("conversations")) != row.content_hash:
        differs()


class _Digest:
    """The hash of rows as they come."""

    def __init__(self) -> None:
        self._found = blake2b(digest_size=16)

    def add(self, row: AnyRow) -> None:
        self._found.update(canonical_json(row.content()).encode("utf-8", "surrogatepass") + b"\n")

    def with_conversations(self, content: str | None) -> str:
        """The hash of all rows, and of the conversations beside them by their own hash."""
        found = self._found.hexdigest()
        return found if content is None else content_hash([found, content])


@dataclass(frozen=True, slots=True)
class TreeSetPage:
    """Some rows of a set, each with its place from 1 on; ``next`` is where those behind begin, None at the end."""

    items: list[tuple[int, AnyRow]]
    next: tuple[int, int, int] | None


def tree_set_page(
    store: Store, row: DatasetRow, after: tuple[int, int, int] | None, limit: int, kind: str = ""
) -> TreeSetPage:
    """At most ``limit`` rows (of a ``kind``, where one is given) of a stored set, from where the page before ended.

    A place is a tree of the set, how many of its rows come before, and how many rows in all: no tree before it is read.
    """
    ids = row.config["origin"]["trees"]
    tree, passed, place = after or (0, 0, 0)
    found: list[tuple[int, AnyRow]] = []
    for tree in range(tree, len(ids)):  # noqa: B020 - the first is where the page before ended
        for made in islice(_rows(store, row.reads, ids[tree : tree + 1], row.set_id), passed, None):
            if len(found) == limit:
                return TreeSetPage(found, (tree, passed, place))
            passed, place = passed + 1, place + 1
            if kind in ("", _kind(made, row.reads)):
                found.append((place, made))
        passed = 0
    return TreeSetPage(found, None)


def _kind(row: AnyRow, reads: Reads) -> str:
    return row.kind if isinstance(row, PreferencePair) else reads


def _tree_set(
    store: Store,
    name: str,
    reads: Reads,
    origin: Mapping[str, Any],
    set_id: int | None,
    conversations: TrainingSet | None,
) -> TreeSet[Any]:
    """Go through all rows once: how many there are, of which kind, and their hash."""
    digest, counts = _Digest(), Counter[str]()
    trees = set[int]()
    for row in _rows(store, reads, origin["trees"], set_id):
        counts[_kind(row, reads)] += 1
        trees.add(row.origin["tree"])
        digest.add(row)
    whole = digest.with_conversations(None if conversations is None else conversations.content_hash)
    rows = Rows(lambda: _rows(store, reads, origin["trees"], set_id), counts.total())
    selection = {**counts, "trees": len(origin["trees"]), "used_trees": len(trees)}
    return TreeSet(name, rows, whole, selection, origin, conversations)


def _trees(store: Store, ids: Sequence[int]) -> Iterator[tuple[int, Tree]]:
    """One tree after the other, each freed before the next one is read."""
    for number in ids:
        tree = store.trees.load(number)
        try:
            yield number, tree
        finally:
            take_apart(tree)


def _parted(store: Store, set_id: int | None) -> Mapping[int, list[tuple[int, int, int]]]:
    """Of each tree: where attempts part, with the better and the worse leaf, as a revision set found them."""
    found = defaultdict[int, list[tuple[int, int, int]]](list)
    for pair in store.revisions.preferences(set_id) if set_id is not None else ():
        found[pair.tree_id].append((pair.node, pair.chosen_leaf, pair.rejected_leaf))
    return found


def _rows(store: Store, reads: Reads, ids: Sequence[int], set_id: int | None) -> Iterator[AnyRow]:
    """All rows, tree by tree."""
    parted = _parted(store, set_id)
    for number, tree in _trees(store, ids):
        match reads:
            case "preferences":
                yield from trajectory_pairs(tree, number, parted.get(number, ()))
                yield from step_pairs(tree, number)
            case "actions":
                yield from action_rows(tree, number)
            case "values":
                yield from value_rows(tree, number)


def _sampling(context: RunContext, trees: Sequence[TreeRow]) -> dict[str, float | None]:
    """Temperature and top-p that the trees were sampled with; None where the run's searcher did not grow them all."""
    searcher = context.run.config["searcher"]
    if any(tree.searcher_hash != content_hash(searcher) for tree in trees):
        return dict.fromkeys(_SAMPLING)
    return sampling_of(context, ChosenPlugin(**searcher))


def sampling_of(context: RunContext, searcher: ChosenPlugin) -> dict[str, float | None]:
    """Temperature and top-p that a searcher samples with, as far as its options say."""
    options = context.registry.validate("searcher", searcher.name, searcher.options)
    return {name: getattr(options, name, None) for name in _SAMPLING}


def tree_set_note(selection: Mapping[str, int]) -> str:
    """``80 step, 12 trajectory of 16 of 40 trees``: the rows of a set by kind, and how many trees gave any."""
    kinds = [f"{count:,} {kind}" for kind, count in sorted(selection.items()) if kind not in _TREES]
    mixed = f", {left:,} more are over their share" if (left := selection.get("left_out_trees", 0)) else ""
    return f"{', '.join(kinds)} of {selection['used_trees']:,} of {selection['trees']:,} trees{mixed}"
