"""What critics have said of a tree's nodes: verdicts and cuts, out of the store. No drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentr_core.interfaces.tree import Node, TreeNodes
    from agentr_core.records import Label
    from agentr_core.store import RevisionSetRow, Sample, Store


@dataclass(frozen=True, slots=True)
class Marks:
    """What is known about the nodes of a tree: verdicts by node, and how many revisions are cut after each.

    ``reasons`` are what the critic said with a verdict, by node, where it said anything, and ``values`` what it thought
    the state after it to be worth.
    """

    verdicts: Mapping[int, Label]
    cuts: Mapping[int, int]
    reasons: Mapping[int, str]
    values: Mapping[int, float] = field(default_factory=dict)


NO_MARKS = Marks({}, {}, {})


def marks_of(store: Store, tree: TreeNodes, tree_id: int, revision_set: RevisionSetRow | None) -> Marks:
    """The verdicts of a set's critic on a tree, and the cuts of that set; none where there is no set."""
    if revision_set is None:
        return NO_MARKS
    verdicts = store.tree_views.verdicts_of_set(tree_id, revision_set)
    labels = {node: verdict.label for node, verdict in verdicts.items()}
    reasons = {node: verdict.rationale for node, verdict in verdicts.items() if verdict.rationale}
    samples = store.revisions.samples(revision_set.id, tree_id=tree_id)
    values = {node: verdict.value for node, verdict in verdicts.items() if verdict.value is not None}
    cuts = Counter(cut_node(tree, each).index for each in samples if each.kind != "good")
    return Marks(labels, cuts, reasons, values)


def cut_node(tree: TreeNodes, sample: Sample) -> Node:
    """The last node that a revision keeps of the bad attempt."""
    return tree.nodes[sample.bad_leaf].path()[sample.cut - 1]


def said_at_the_cut(store: Store, revision_set: RevisionSetRow, sample: Sample) -> str:
    """What the critic said about the step that it cut after; nothing where no verdict set the cut."""
    if sample.bad_leaf < 0 or not sample.judged:
        return ""
    node = store.tree_views.way(sample.tree_id, sample.bad_leaf)[sample.cut - 1]
    verdict = store.tree_views.verdicts_of_set(sample.tree_id, revision_set).get(node)
    return verdict.rationale if verdict else ""
