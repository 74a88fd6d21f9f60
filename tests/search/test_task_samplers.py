"""Which tasks an iteration searches, by what earlier ones came to; and what a sampler of the user's may not do."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import agentr_core
from agentr_core import TASK_SAMPLERS, PastSearch, SamplerRequest, Task, UsageError
from agentr_core.hashing import content_hash
from agentr_core.search.task_samplers import choose
from agentr_core.settings.run_config import SAMPLERS, SearchSettings

#: Twelve tasks whose depth grows against their order: a11 is the easiest.
TASKS = [Task(key=f"a{n}", split="train", instruction="", metadata={"depth": 12 - n}) for n in range(12)]
MIXED, FAILED, SOLVED = PastSearch(1, 1.0, 4, 1), PastSearch(1, 0.5, 4, 0), PastSearch(1, 1.0, 4, 4)


def asked(iteration: int = 1, *, history: Mapping[str, Any] | None = None, **changes: Any) -> SamplerRequest:
    values = {"iterations": 3, "wanted": 4, "rotate": True, "rng": random.Random(5), "history": history or {}}
    return SamplerRequest(iteration=iteration, **{**values, **changes})


def taken(name: str, request: SamplerRequest, tasks: Sequence[Task] = TASKS) -> list[str]:
    return [task.key for task in choose(name, tasks, request)]


def test_uniform_is_the_next_window_over_the_split() -> None:
    assert taken("uniform", asked(1)) == ["a0", "a1", "a2", "a3"]
    assert taken("uniform", asked(3, wanted=5)) == ["a10", "a11", "a0", "a1", "a2"]
    assert taken("uniform", asked(2, rotate=False)) == ["a0", "a1", "a2", "a3"]
    assert len(taken("uniform", asked(wanted=50))) == 12


@pytest.mark.parametrize(("wanted", "depths"), [(4, [(1, 4), (5, 8), (9, 12)]), (2, [(1, 4), (5, 8), (9, 12)])])
def test_by_depth_goes_through_all_depths_in_the_iterations_there_are(wanted: int, depths: list[Any]) -> None:
    of = {task.key: task.metadata["depth"] for task in TASKS}
    for iteration, (least, most) in enumerate(depths, 1):
        chosen = [of[key] for key in taken("by_depth", asked(iteration, wanted=wanted))]
        assert len(set(chosen)) == wanted and least <= min(chosen) <= max(chosen) <= most
    assert sorted(of[key] for key in taken("by_depth", asked(1, wanted=8))) == list(range(1, 9))


def test_by_depth_takes_new_tasks_of_its_window_first_and_tasks_without_depth_last() -> None:
    history = {"a4": (MIXED,), "a6": (MIXED,)}
    assert set(taken("by_depth", asked(2, wanted=2, history=history))) == {"a5", "a7"}
    plain = [Task(key=key, split="train", instruction="") for key in "wxyz"]
    easy = Task(key="easy", split="train", instruction="", metadata={"difficulty": 1})
    order = [taken("by_depth", asked(n, wanted=1, iterations=5), [*plain, easy]) for n in range(1, 6)]
    assert order == [["easy"], ["w"], ["x"], ["y"], ["z"]]


def test_failing_first_then_mixed_then_new_then_solved() -> None:
    history = {"a0": (SOLVED,), "a5": (MIXED,), "a7": (FAILED,), "a9": (MIXED, FAILED), "a11": (FAILED, MIXED, SOLVED)}
    new = ["a1", "a2", "a3", "a4", "a6", "a8", "a10"]
    everything = asked(4, wanted=12, history=history)
    assert taken("failing_first", everything) == ["a7", "a9", "a5", *new, "a0", "a11"]
    everything = asked(4, wanted=12, history=history, rotate=False)
    assert taken("failing_first", everything) == ["a7", "a9", "a5", "a0", "a11", *new]
    assert taken("failing_first", asked(1)) == taken("uniform", asked(1)), "in the first iteration all are new"


def test_what_exists_is_what_the_settings_offer() -> None:
    assert tuple(TASK_SAMPLERS) == SAMPLERS and SearchSettings().sampler == "uniform"


def test_the_default_leaves_the_hash_of_a_run_as_it_was_and_another_sampler_does_not() -> None:
    config = agentr_core.configure(policy="flawed", trainer="none")
    before = config.identity()
    del before["search"]["sampler"]
    assert config.hash == content_hash(before)
    other = agentr_core.configure(policy="flawed", trainer="none", search={"sampler": "by_depth"})
    assert other.hash != config.hash
    assert config.differences(other) == [("search.sampler", "uniform", "by_depth")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"search": {"sampler": "failing"}}, r"search\.sampler: there is no sampler 'failing'; did you mean"),
        ({"search": {"sampler": "by hand"}}, r"; there are uniform, by_depth, failing_first, or a function"),
        ({"textcraft": {"search": {"sampler": ":x"}}}, r"^textcraft\.search\.sampler: there is no sampler ':x'; there"),
    ],
    ids=str,
)
def test_an_unknown_sampler_is_one_sentence_with_what_there_is(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        agentr_core.configure(policy="flawed", trainer="none", **settings)
    assert "\n" not in str(caught.value) and "Value error" not in str(caught.value)


OWN = """
def last(tasks, request):
    return sorted(tasks, key=lambda task: task.key)[-request.wanted:]

def twice(tasks, request):
    return [tasks[0], tasks[0]]

def fails(tasks, request):
    return tasks[99]

def names(tasks, request):
    return [task.key for task in tasks]
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_samplers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)


def test_a_function_of_the_users_chooses(own: None) -> None:
    assert taken("own_samplers:last", asked(wanted=2)) == ["a8", "a9"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_samplers:twice", r"must give 1 to 4 of the tasks that it is given, each once \(it gave 2, 1 different"),
        ("own_samplers:names", r"must give 1 to 4 of the tasks"),
        ("own_samplers:fails", r"^search\.sampler 'own_samplers:fails': IndexError: list index out of range"),
        ("own_samplers:none", r"there is no function 'none' in own_samplers"),
        ("no_such_module:x", r"^search\.sampler 'no_such_module:x': importing no_such_module: ModuleNotFoundError"),
    ],
)
def test_one_that_cannot_be_used_says_why(own: None, name: str, message: str) -> None:
    with pytest.raises(agentr_core.AgentrError, match=message) as caught:
        taken(name, asked())
    assert "\n" not in str(caught.value)
