"""Which trees and revisions a report shows: those where a good and a bad attempt part clearly and a verdict cuts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from agentr_core.interfaces.tree import Tree
from agentr_core.report.marks import Marks, marks_of
from agentr_core.runs.report import set_labels
from agentr_core.store import RevisionSetRow, RunRow, Sample, Store, TreeRow


@dataclass(frozen=True, slots=True)
class Example:
    """A tree with the marks of each critic that has revised it, and the revision of it that is shown, if any."""

    run: RunRow
    row: TreeRow
    tree: Tree
    critics: dict[str, Marks]
    sample: Sample | None = None
    revision_set: RevisionSetRow | None = None


def examples(store: Store, runs: Sequence[RunRow], count: int) -> Iterator[Example]:
    """At most ``count`` examples, from all runs in turn; trees are loaded one after the other."""
    pools = [_chosen(store, run, count) for run in runs]
    turns = chain.from_iterable(zip_longest(*pools))
    known = {run.id: known_sets(store, run) for run in runs}
    for found in [each for each in turns if each is not None][:count]:
        yield _example(store, known[found[0].id], *found)


Known = Sequence[tuple[str, RevisionSetRow]]
_Found = tuple[RunRow, TreeRow, Sample | None, RevisionSetRow | None]


def _chosen(store: Store, run: RunRow, count: int) -> list[_Found]:
    """The best of each tree that was revised, best first; of a run without revisions its first trees."""
    best: dict[int, tuple[tuple[float, ...], Sample, RevisionSetRow]] = {}
    for revision_set in own_first(store, run):
        for sample in store.revisions.samples(revision_set.id):
            known = best.get(sample.tree_id)
            if sample.kind != "good" and (known is None or _rank(sample) < known[0]):
                best[sample.tree_id] = (_rank(sample), sample, revision_set)
    ranked = sorted(best.items(), key=lambda item: (item[1][0], item[0]))[:count]
    if not ranked:
        rows = [row for row in store.trees.select(run.id) if row.n_nodes]
        return [(run, row, None, None) for row in rows[:count]]
    return [(run, store.trees.get(tree), sample, revision_set) for tree, (_, sample, revision_set) in ranked]


def _rank(sample: Sample) -> tuple[float, ...]:
    """Lower is better: kept, cut by a verdict, executed and held, wide in reward, with something shared, short."""
    gap = (sample.good_reward or 0.0) - (sample.bad_reward or 0.0)
    return (not sample.kept, not sample.judged, not sample.verified, -gap, not sample.divergence, sample.cut)


def own_first(store: Store, run: RunRow) -> list[RevisionSetRow]:
    """The finished revision sets of a run, those of the run itself before those of single stages."""
    own = {stage.result_id for stage in store.runs.stages(run.id) if stage.stage == "revise"}
    done = [row for row in store.revisions.select(run.id) if row.status == "done"]
    return sorted(done, key=lambda row: (row.id not in own, row.id))


def _example(
    store: Store, known: Known, run: RunRow, row: TreeRow, sample: Sample | None, revision_set: RevisionSetRow | None
) -> Example:
    tree = store.trees.load(row.id)
    return Example(run, row, tree, critic_marks(store, known, row, tree), sample, revision_set)


def known_sets(store: Store, run: RunRow) -> Known:
    """The finished revision sets of a run, by what the table of critics calls them."""
    done = own_first(store, run)
    labels = set_labels(sorted(done, key=lambda each: each.id))
    return [(labels[each.id], each) for each in done]


def critic_marks(store: Store, known: Known, row: TreeRow, tree: Tree) -> dict[str, Marks]:
    """The marks of each of the sets that has revised a tree's iteration."""
    return {label: marks_of(store, tree, row.id, each) for label, each in known if each.iteration == row.iteration}
