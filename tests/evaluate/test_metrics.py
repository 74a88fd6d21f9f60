"""Statistics against numbers worked out elsewhere."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentr_core.evaluate.metrics import (
    agreement,
    clustered_wilson,
    loop_count,
    loop_profile,
    mean,
    paired_difference,
    repeats,
    standard_error,
    summarize,
    wilson,
)
from agentr_core.store.rows import EvalResult


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        # Newcombe (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (100, 100, 0.9630, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson(successes: int, total: int, low: float, high: float) -> None:
    assert wilson(successes, total) == pytest.approx((low, high), abs=5e-5)


def test_standard_error_uses_n_minus_1() -> None:
    assert standard_error([1.0, 2.0, 3.0, 4.0]) == pytest.approx(math.sqrt(5 / 3) / 2)
    assert standard_error([1.0]) == math.inf
    assert mean([]) == 0.0


def test_paired_difference_looks_at_common_tasks_alone() -> None:
    before = {"a": 0.0, "b": 1.0, "c": 0.0, "only before": 1.0}
    after = {"a": 1.0, "b": 1.0, "c": 0.5, "only after": 0.0}
    centre, error = paired_difference(after, before)
    assert (centre, error) == (pytest.approx(0.5), pytest.approx(0.5 / math.sqrt(3)))


@pytest.mark.parametrize(
    ("actions", "length", "runs"),
    [
        ("aaaa", 1, [4]),
        ("aabbb", 1, [2, 3]),
        ("ababab", 2, [3]),
        ("xababay", 2, [2]),
        ("aaaa", 2, []),  # one action four times is a loop of length 1, not also one of length 2
        ("abcabc", 3, [2]),
        ("abc", 1, []),
        ("", 1, []),
        ("ab", 2, []),
    ],
)
def test_repeats(actions: str, length: int, runs: list[int]) -> None:
    assert repeats(list(actions), length) == runs


@pytest.mark.parametrize(
    ("actions", "count"),
    [
        ("abcd", 0),
        ("aaaa", 3),
        ("ababab", 4),
        ("aabbab", 2),
        ("abcabcabc", 6),
        ("aaaxababab", 6),  # 2 steps repeat 'a', 4 repeat 'ab'
        ("abcdeabcde", 0),  # longer than the longest sequence that is looked for
        ("", 0),
    ],
)
def test_steps_that_only_repeat_what_was_just_done(actions: str, count: int) -> None:
    assert loop_count(list(actions)) == count


def test_loop_profile_is_figure_4() -> None:
    """For each length the mean count of consecutive repeats; 1 where nothing repeats."""
    profile = loop_profile([list("ababababab"), list("abc")], longest=3)
    assert profile == {1: 1.0, 2: 3.0, 3: 1.0}


def test_summary_is_over_the_tasks_that_were_played() -> None:
    rows = [
        EvalResult(task_id=1, reward=1.0, success=True, steps=4, loops=1, completion_tokens=10),
        EvalResult(task_id=2, reward=0.5, steps=8, invalid=2, loops=3, completion_tokens=30),
        EvalResult(task_id=3, error="it broke"),
        EvalResult(task_id=4, reward=1.0, success=True, steps=4),
    ]
    found = summarize(rows)
    low, high = wilson(2, 3)
    expected = {
        "tasks": 3.0, "success": 2 / 3, "success_low": low, "success_high": high, "reward": 2.5 / 3, "failed": 1.0,
        "completion_tokens": 40.0,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def episodes(*tasks: str) -> list[EvalResult]:
    """A row for each repeat: ``"110"`` is a task that was solved twice and then not; ``"x"`` was not played."""
    outcomes: dict[str, dict[str, Any]] = {"1": {"success": True, "reward": 1.0}, "0": {}, "x": {"error": "it broke"}}
    return [
        EvalResult(task_id=number, repeat=repeat, **outcomes[one])
        for number, task in enumerate(tasks)
        for repeat, one in enumerate(task)
    ]


def test_repeats_of_a_task_that_are_all_alike_tell_no_more_than_one() -> None:
    alike = summarize(episodes(*["1111"] * 6, *["0000"] * 14), 4)
    assert (alike["success_low"], alike["success_high"]) == pytest.approx(wilson(6, 20))
    none = summarize(episodes(*["0000"] * 20), 4)
    assert (none["success_low"], none["success_high"]) == wilson(0, 20), "80 episodes are no 80 tasks"


def test_repeats_that_do_not_depend_on_their_task_tell_as_much_as_tasks_would() -> None:
    """Two of four everywhere: no task differs from another, so all 80 episodes count."""
    found = summarize(episodes(*["1010"] * 20), 4)
    assert (found["success_low"], found["success_high"]) == pytest.approx(wilson(40, 80))


def test_between_the_two_the_interval_has_the_variance_over_tasks() -> None:
    rows = episodes(*["1111"] * 5, *["1100"] * 10, *["0000"] * 5)
    found = summarize(rows, 4)
    error = standard_error([1.0] * 5 + [0.5] * 10 + [0.0] * 5)
    effective = 0.25 / error**2
    assert 20 < effective < 80
    assert (found["success_low"], found["success_high"]) == pytest.approx(wilson(effective / 2, effective))
    assert found["reward_error"] == pytest.approx(error) and found["tasks"] == 20


def test_pass_at_k_is_over_the_tasks_that_had_all_their_chances() -> None:
    found = summarize(episodes("100", "000", "1x0", "001", "xxx"), 3)
    assert (found["repeats"], found["pass_at_k"], found["failed"]) == (3.0, 2 / 3, 4.0)
    assert (found["pass_low"], found["pass_high"]) == wilson(2, 3)
    assert found["tasks"] == 4 and found["success"] == pytest.approx((1 / 3 + 0 + 1 / 2 + 1 / 3) / 4)
    assert "pass_at_k" not in summarize(episodes("1", "0"))


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=40))
def test_an_interval_over_tasks_lies_between_that_of_tasks_and_that_of_episodes(tasks: list[list[bool]]) -> None:
    low, high = clustered_wilson(tasks)
    share = mean([mean(task) for task in tasks])
    assert 0.0 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1.0
    wide, narrow = wilson(share * len(tasks), len(tasks)), wilson(share * sum(map(len, tasks)), sum(map(len, tasks)))
    assert wide[0] - 1e-9 <= low <= narrow[0] + 1e-9 and narrow[1] - 1e-9 <= high <= wide[1] + 1e-9


def test_agreement_is_about_what_both_cut() -> None:
    assert agreement({1: 2, 2: 3, 3: 4}, {1: 2, 2: 4}) == 0.5
    assert agreement({1: 2}, {2: 2}) is None


@example(0, 461)
@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share_and_stays_within_0_and_1(successes: int, more: int) -> None:
    low, high = wilson(successes, successes + more)
    assert 0.0 <= low <= successes / (successes + more) <= high <= 1.0


@given(st.lists(st.sampled_from("ab"), max_size=30), st.integers(1, 4))
def test_repeats_are_really_there(actions: list[str], length: int) -> None:
    runs = repeats(actions, length)
    assert all(count >= 2 for count in runs)
    assert sum(runs) * length <= len(actions)
    assert 0 <= loop_count(actions) < max(1, len(actions))


def test_no_rows_and_one_row_have_finite_metrics() -> None:
    for rows in ([], [EvalResult(task_id=1, reward=1.0, success=True)]):
        assert all(math.isfinite(value) for value in summarize(rows).values())
