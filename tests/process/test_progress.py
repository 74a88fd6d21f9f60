"""What is told of a stage while it works, by a clock that the test moves."""

from __future__ import annotations

import io

import pytest

from agentr_core.process.progress import Progress, StageProgress, last_lines, moving_parts, plain_line, time_left

NOTE = "5,101 nodes · 35 nodes/s · model 96% env 0% store 0% · engine 36% full · 90% cached"


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_stage(clock: Clock, total: int = 40) -> StageProgress:
    return StageProgress("iter 1 search, revise", total, "trees", now=clock)


def shown(stage: StageProgress, width: int) -> str:
    left, bar, right = moving_parts(stage, width)
    return left + "━" * bar + right


def test_at_80_columns_bar_share_and_clock_stay_and_the_detail_gives_way(clock: Clock) -> None:
    stage = a_stage(clock)
    clock.time += 75
    stage.advance(10, NOTE)
    line = shown(stage, 80)
    assert line == "iter 1 search, revise     40 trees  ━━━━━━━━━━━━  25%   1:15   ~4:00 left"
    assert shown(stage, 100).endswith("~4:00 left · 5,101 nodes · 35 nodes/s")
    assert shown(stage, 200).endswith(NOTE)


@pytest.mark.parametrize("width", range(20, 200, 7))
def test_the_line_never_wraps_and_always_has_share_and_clock(clock: Clock, width: int) -> None:
    stage = a_stage(clock)
    clock.time += 75
    stage.advance(10, NOTE)
    assert len(shown(stage, width)) <= width
    assert " 25%   1:15" in shown(stage, width)


def test_a_turn_moves_the_line_before_anything_has_ended(clock: Clock) -> None:
    stage = a_stage(clock, total=2)
    shares = []
    for turn in range(1, 5):
        stage.partly("a tree", turn / 10)
        shares.append(stage.share)
    assert shares == [0.05, 0.1, 0.15, 0.2]
    stage.advance(key="a tree")
    assert stage.share == 0.5


def test_the_time_left_follows_from_what_is_done_and_in_flight(clock: Clock) -> None:
    stage = a_stage(clock, total=10)
    clock.time += 4
    stage.partly(1, 0.5)
    assert stage.seconds_left is None, "too early to say"
    clock.time += 6
    stage.partly(2, 0.5)
    assert stage.seconds_left == pytest.approx(90) and time_left(stage.seconds_left) == "~1:30 left"
    stage.advance(10)
    assert stage.seconds_left is None and time_left(stage.seconds_left) == ""


def test_what_an_earlier_run_did_took_no_time_in_this_one(clock: Clock) -> None:
    stage = a_stage(clock, total=100)
    stage.resume(90)
    clock.time += 10
    stage.advance(5)
    assert stage.seconds_left == pytest.approx(10)


def test_a_tree_that_an_earlier_run_grew_half_is_no_gain_of_this_one(clock: Clock) -> None:
    stage = a_stage(clock, total=4)
    stage.resume(1, {"half grown": 0.5, "new": 0.0})
    assert stage.share == 0.375
    clock.time += 10
    stage.partly("half grown", 0.75)
    assert stage.seconds_left == pytest.approx(90), "a quarter of a tree in ten seconds, two and a quarter are left"


@pytest.mark.parametrize(("seconds", "said"), [(7, "~0:05 left"), (100, "~1:40 left"), (4000, "~1:05:00 left")])
def test_the_time_left_is_no_finer_than_it_is_known(clock: Clock, seconds: float, said: str) -> None:
    stage = a_stage(clock, total=2)
    clock.time += seconds
    stage.advance(1)
    assert time_left(stage.seconds_left) == said


def test_a_log_gets_a_whole_line_now_and_then(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(stream=stream, now=clock).stage("iter 1 search", 40, "trees") as bar:
        for tree in range(40):
            clock.time += 4
            bar.partly(tree, 0.5, lambda: NOTE)
            bar.advance(key=tree)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1 + 160 // 32
    assert lines[0] == f"iter 1 search             40 trees   18%   0:32   ~2:30 left · {NOTE}"
    assert lines[-1] == f"iter 1 search             40 trees  100%   2:40   {NOTE}"


def test_what_stays_on_a_narrow_terminal_is_folded_between_its_parts(clock: Clock) -> None:
    stage = a_stage(clock)
    stage.advance(40, NOTE)
    lines = list(last_lines(stage, 80))
    assert all(len(line) <= 80 for line in lines)
    assert " · ".join([lines[0][50:], *(line.strip() for line in lines[1:])]) == NOTE
    assert list(last_lines(stage, None)) == [plain_line(stage)]
    stage.note = ""
    assert list(last_lines(stage, 80)) == ["iter 1 search, revise     40 trees  100%   0:00"]


def test_who_follows_a_stage_is_told_what_its_line_says_now_and_then(clock: Clock) -> None:
    heard, progress = [], Progress(quiet=True, now=clock)
    progress.heard = lambda bar: heard.append((bar.share, bar.seconds_left))
    with progress.stage("iter 1 search", 4, "trees") as bar:
        bar.partly("a tree", 0.5)
        clock.time += 1
        bar.partly("a tree", 0.75)
        clock.time += 9
        bar.advance(key="a tree")
    assert heard == [(0.125, None), (0.25, pytest.approx(30))]
