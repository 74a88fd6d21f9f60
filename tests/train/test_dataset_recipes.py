"""Which conversations a dataset holds: recipes, duplicates, caps, and the share of general data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentr_core import ConfigError, Example, Message, NothingToDo, TrainingSet, UsageError, validate_config
from agentr_core.settings.run_config import DataSettings
from agentr_core.store.rows import Sample
from agentr_core.train.dataset_recipes import build_dataset, check_general
from agentr_core.train.length_notes import selection_note


def sample(kind: Any, tree: int, leaf: int, **fields: Any) -> Sample:
    """A sample whose conversation says which one it is."""
    turns = (Message("user", f"task {tree}"), Message("assistant", f"{kind} {tree} {leaf}", train=True))
    return Sample(tree_id=tree, kind=kind, good_leaf=leaf, **{"messages": turns, "reward": 1.0, **fields})


def build(samples: Sequence[Sample], *, seed: int = 0, too_long: Any = lambda _: {}, **settings: Any) -> TrainingSet:
    chosen = DataSettings(**settings)
    return build_dataset(samples, lambda one: one.messages, chosen, name="test", seed=seed, too_long=too_long)


def long(*kinds_and_leaves: str) -> Any:
    """What a trainer says that is too long: conversations that end so, of 900 tokens and more."""

    def too_long(examples: Sequence[Example]) -> dict[int, int]:
        ends = [example.messages[-1].content for example in examples]
        return {place: 900 + place for place, end in enumerate(ends) if end in kinds_and_leaves}

    return too_long


def said(dataset: TrainingSet) -> list[str]:
    return [example.messages[-1].content for example in dataset.examples]


SAMPLES = [
    sample("good", 1, 1),
    sample("good", 1, 2, reward=0.6),
    sample("revision", 1, 3),
    sample("revision", 1, 4, kept=False),
    sample("direct", 1, 5),
]


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("agent-r", {"good 1 1", "good 1 2", "revision 1 3", "direct 1 5"}),
        ("direct", {"good 1 1", "good 1 2", "direct 1 5"}),
        ("good", {"good 1 1", "good 1 2"}),
        ("optimal", {"good 1 1"}),
    ],
)
def test_a_recipe_takes_its_kinds_and_never_a_dropped_sample(recipe: str, expected: set[str]) -> None:
    dataset = build(SAMPLES, recipe=recipe)
    assert sorted(said(dataset)) == sorted(expected)
    assert {example.kind for example in dataset.examples} == {text.split()[0] for text in expected}


def test_examples_know_where_they_come_from() -> None:
    one = sample("revision", 4, 9, bad_leaf=2, divergence=1, cut=3, bad_reward=0.0, good_reward=1.0, origin={"seed": 5})
    (example,) = build([one]).examples
    expected = {"tree": 4, "good_leaf": 9, "bad_leaf": 2, "divergence": 1, "cut": 3, "good_reward": 1.0, "seed": 5}
    assert expected.items() <= example.origin.items()


def test_equal_conversations_are_taken_once() -> None:
    twin = sample("good", 2, 7, messages=SAMPLES[0].messages)
    untrained = sample("good", 3, 8, messages=(SAMPLES[0].messages[0], Message("assistant", "good 1 1")))
    dataset = build([SAMPLES[0], twin, untrained])
    # The same words with another mask are another conversation.
    assert sorted(example.origin["tree"] for example in dataset.examples) == [1, 3]


def test_duplicates_do_not_use_up_the_cap() -> None:
    twins = [sample("good", 1, leaf, messages=SAMPLES[0].messages) for leaf in range(10)]
    others = [sample("good", 1, leaf) for leaf in range(20, 23)]
    assert len(build([*twins, *others], max_good_per_tree=4).examples) == 4


def test_no_tree_gives_more_than_its_caps() -> None:
    samples = [sample(kind, tree, leaf) for tree in (1, 2) for leaf in range(30) for kind in ("good", "revision")]
    dataset = build(samples, max_good_per_tree=3, max_revisions_per_tree=5)
    counts = Counter((example.origin["tree"], example.kind) for example in dataset.examples)
    assert counts == {(1, "good"): 3, (2, "good"): 3, (1, "revision"): 5, (2, "revision"): 5}


def test_the_order_is_the_seeds() -> None:
    samples = [sample("good", tree, 0) for tree in range(40)]
    first, again, other = build(samples, seed=1), build(samples, seed=1), build(samples, seed=2)
    assert said(first) == said(again)
    assert first.content_hash == again.content_hash
    assert said(first) != said(other)
    assert sorted(said(first)) == sorted(said(other))
    assert said(first) != [one.messages[-1].content for one in samples]


@pytest.fixture
def general(tmp_path: Path) -> Path:
    path = tmp_path / "general.jsonl"
    turns = [{"role": "user", "content": "hello\u2028there"}, {"role": "assistant", "content": "hi"}]
    shared = [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]
    lines = [json.dumps({"messages": turns}, ensure_ascii=False), "", json.dumps({"conversations": shared})]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(("eta", "wanted"), [(0.2, 40), (0.5, 10), (0.8, 2), (1.0, 0)])
def test_eta_is_the_share_of_agent_conversations(eta: float, wanted: int, general: Path) -> None:
    agent = [sample("good", tree, 0) for tree in range(10)]
    dataset = build(agent, eta=eta, general=str(general))
    kinds = Counter(example.kind for example in dataset.examples)
    assert kinds == Counter({"good": 10, "general": wanted})
    each = Counter(example.messages for example in dataset.examples if example.kind == "general")
    assert not each or max(each.values()) - min(each.values()) <= 1  # all are used before one is used again


def test_general_conversations_that_cannot_be_used_are_left_out(general: Path) -> None:
    with general.open("a", encoding="utf-8") as file:
        file.write('\n{"messages": []}\n{"messages": [{"role": "wizard", "content": "a"}]}\n{"mess')
    dataset = build([sample("good", tree, 0) for tree in range(10)], eta=0.5, general=str(general))
    drawn = [example for example in dataset.examples if example.kind == "general"]
    assert Counter(example.origin["line"] for example in drawn) == {1: 5, 3: 5}
    read = check_general(DataSettings(eta=0.5, general=str(general)))
    assert read is not None
    assert read.skipped == {"empty": 1, "unknown role 'wizard'": 1, "not JSON": 1}


def test_the_file_is_checked_even_where_nothing_is_drawn_from_it(tmp_path: Path) -> None:
    assert check_general(DataSettings()) is None
    with pytest.raises(UsageError, match=r"^data\.general: .*nowhere\.jsonl' cannot be read: No such file"):
        check_general(DataSettings(general=str(tmp_path / "nowhere.jsonl")))


def test_a_general_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        build(SAMPLES, eta=0.5, general=str(tmp_path / "nowhere.jsonl"))
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(UsageError, match=r"data\.general: .* holds no conversation"):
        build(SAMPLES, eta=0.5, general=str(tmp_path / "empty.jsonl"))


def test_eta_needs_a_file() -> None:
    with pytest.raises(ConfigError, match="name their file"):
        validate_config(DataSettings, {"eta": 0.5}, "data.")


def test_nothing_to_train_on_says_what_to_do() -> None:
    with pytest.raises(NothingToDo, match=r"lower revise\.alpha"):
        build([SAMPLES[3]])


def test_what_is_too_long_is_left_out_before_caps_and_eta(general: Path) -> None:
    """Two of ten are too long: the caps are filled with others, and the share is that of what is trained."""
    samples = [sample("revision", 1, leaf) for leaf in range(6)] + [sample("good", 1, leaf) for leaf in range(4)]
    dataset = build(samples, too_long=long("revision 1 0", "good 1 3"), max_revisions_per_tree=5)
    assert sorted(said(dataset)) == [*(f"good 1 {n}" for n in range(3)), *(f"revision 1 {n}" for n in range(1, 6))]
    assert dataset.selection == {
        "revisions": 6, "good": 4, "taken_revisions": 5, "taken_good": 3,
        "equal": 0, "over_caps": 0, "dropped": 2, "longest": 909,
    }  # fmt: skip
    mixed = build(samples, too_long=long("revision 1 0", "good 1 3"), eta=0.5, general=str(general))
    assert Counter(example.kind == "general" for example in mixed.examples) == {True: 8, False: 8}


def test_general_conversations_that_are_too_long_are_drawn_anew(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    turns = [[{"role": "user", "content": "hello"}, {"role": "assistant", "content": f"hi {n}"}] for n in range(20)]
    path.write_text("\n".join(json.dumps({"messages": each}) for each in turns))
    agent = [sample("good", tree, 0) for tree in range(3)]
    ends = {example.messages[-1].content for example in general_of(build(agent, eta=0.5, general=str(path)))}
    dataset = build(agent, eta=0.5, general=str(path), too_long=long(*ends))
    drawn = {example.messages[-1].content for example in general_of(dataset)}
    assert len(drawn) == 3 and not ends & drawn
    assert dataset.selection["dropped"] == len(ends) == 3
    short = [f"hi {n}" for n in range(20)][1:]
    repeated = build(agent, eta=0.5, general=str(path), too_long=long(*short))
    assert [example.messages[-1].content for example in general_of(repeated)] == ["hi 0"] * 3


def general_of(dataset: TrainingSet) -> list[Example]:
    return [example for example in dataset.examples if example.kind == "general"]


def test_where_nothing_fits_it_is_said_how_long_they_are() -> None:
    with pytest.raises(NothingToDo, match=r"none of the 1 conversations fits the trainer \(the longest has 900 tokens"):
        build([sample("good", 1, 1)], too_long=long("good 1 1"))


def test_the_selection_says_how_samples_became_examples() -> None:
    samples = [sample("revision", 1, leaf) for leaf in range(5)] + [sample("good", 1, 1), sample("good", 2, 1)]
    twice = sample("good", 3, 1, messages=samples[-1].messages)
    dataset = build([*samples, twice], max_revisions_per_tree=3)
    told = "3 of 5 revisions, 2 of 3 good (2 over the caps of a tree, 1 equal)"
    assert selection_note(dataset.selection) == told
    assert selection_note(build(samples).selection) == ""
