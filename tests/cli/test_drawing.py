from __future__ import annotations

import click
import pytest

from agentr_core.cli.drawing import View, draw
from agentr_core.cli.reading import clean, one_line
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.records import Task
from agentr_core.report.marks import NO_MARKS, Marks
from agentr_core.turns import Message


@pytest.fixture
def tree() -> Tree:
    """Two ways on from the first log; the right one is taken once, and one child is never visited."""
    tree = Tree(Task(key="t", split="train", instruction="Craft."), (Message("user", "go"),), seed=1)

    def add(parent: Node, action: str | None, observation: str, visits: int, value: float, **values: object) -> Node:
        return tree.add(
            parent,
            action=action,
            response=action or "hm",
            observation=observation,
            visits=visits,
            value_sum=visits * value,
            **values,
        )

    tree.root.visits, tree.root.value_sum = 4, 1.0
    log = add(tree.root, "get 1 log", "Got 1 log", 4, 0.25, copies=3)
    planks = add(log, "craft planks", "Crafted", 1, 1.0)
    add(planks, "craft chest", "Crafted", 1, 1.0, reward=1.0, terminal=True, terminated=True)
    chest = add(log, None, "Error: no\naction", 3, 0.0, invalid=True)
    add(chest, "get chest", "Could not", 2, 0.0, terminal=True, truncated=True)
    add(chest, "wait", "ok.", 0, 0.0)
    return tree


MARKS = Marks({2: "good", 4: "bad"}, {4: 2}, {})


def drawn(tree: Tree, view: View, width: int = 100) -> list[str]:
    return [click.unstyle(line) for line in draw(tree, MARKS, view, width)]


def test_the_drawing_shows_what_follows_what_and_what_came_of_it(tree: Tree) -> None:
    assert drawn(tree, View()) == [
        "●                                     N=4    Q=0.25",
        "↓ get 1 log ×3 → Got 1 log            N=4    Q=0.25",
        "├─ craft planks → Crafted             N=1    Q=1.00  good",
        "│  ↓ craft chest → Crafted            N=1    Q=1.00  r=1.00",
        "└─ (no action) hm → Error: no action  N=3    Q=0.00  bad  ✂ cut of 2 revisions",
        "   ├─ get chest → Could not           N=2    Q=0.00  r=0.00 cap",
        "   └─ + 1 never visited",
    ]


def test_failed_shows_the_failed_attempts_alone(tree: Tree) -> None:
    assert [line.split("  N=")[0].rstrip() for line in drawn(tree, View(failed=True))] == [
        "●",
        "↓ get 1 log ×3 → Got 1 log",
        "↓ (no action) hm → Error: no action",
        "↓ get chest → Could not",
    ]


def test_depth_folds_what_is_below(tree: Tree) -> None:
    assert [line.split("  N=")[0].rstrip() for line in drawn(tree, View(depth=1))] == [
        "●",
        "↓ get 1 log ×3 → Got 1 log",
        "└─ … 5 nodes below",
    ]


def test_everything_shows_nodes_that_were_never_visited(tree: Tree) -> None:
    assert any(line.startswith("   └─ wait → ok.") for line in drawn(tree, View(everything=True)))


def test_a_narrow_terminal_cuts_the_text_and_keeps_the_numbers(tree: Tree) -> None:
    lines = drawn(tree, View(), width=52)
    assert lines[2:6] == [
        "├ craft planks → Crafted        N=1   Q=1.00 good",
        "│↓ craft chest → Crafted        N=1   Q=1.00 r=1.00",
        "└ (no action) hm → Error: no …  N=3   Q=0.00 bad ✂2",
        " ├ get chest → Could not        N=2   Q=0.00 r=0.00 cap",
    ]


def test_a_deep_tree_stays_in_a_narrow_terminal_and_says_what_was_done(tree: Tree) -> None:
    node = tree.nodes[1]
    for depth in range(40):
        for action in (f"step {depth} of many", f"other {depth}"):
            tree.add(node, action=action, response=action, observation="Done", visits=2, value_sum=1.0)
        node = tree.nodes[-1]
    lines = drawn(tree, View(), width=60)
    assert max(map(len, lines)) <= 60
    assert all(any(f"step {depth} of" in line for line in lines) for depth in range(40))
    assert sum(line.startswith("…") and "N=" in line for line in lines) > 20


def test_text_for_the_terminal_shows_what_a_terminal_would_obey() -> None:
    assert clean("a\x1b[31mb\x00\tc\nd\udc80") == "a\\x1b[31mb\\x00 c\nd\\udc80"
    assert clean("pay \u202e001\u2066 \x9b2J \u2028") == "pay \\u202e001\\u2066 \\x9b2J \\u2028"
    assert clean("Grüße 木 👩\u200d🚀 می\u200cخواهم") == "Grüße 木 👩\u200d🚀 می\u200cخواهم", "words stay as they are"
    assert one_line("  one\n two\r\n\rthree ", 12) == "one two \\rt…"


def test_what_every_page_begins_with_is_shown_once() -> None:
    head = "Instruction: find me a red shirt of size 4, for less than 20 dollars"
    tree = Tree(Task(key="t", split="train", instruction="Buy."), (Message("user", "go"),), seed=1)
    node = tree.root
    for action, page in [("search", "Page 1"), ("next", "Page 2"), ("next", "Page 2"), ("look", "short")]:
        node = tree.add(node, action=action, response=action, observation=f"{head} {page}" if page != "short" else page)
        node.visits = 1
    lines = [line.rstrip().split(" → ")[1] for line in draw(tree, NO_MARKS, View(), 200) if " → " in line]
    shown = [click.unstyle(line).split("   ")[0].split("  N=")[0] for line in lines]
    assert shown == [f"{head} Page 1", "… 2", "the same again", "short"]
