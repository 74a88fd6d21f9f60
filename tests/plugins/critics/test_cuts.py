"""Where each critic cuts, worked out by hand (the attempts are drawn in tests/support/counting.py)."""

from __future__ import annotations

import pytest

from agentr_core import ConfigError, Cut, Verdict, divergence
from agentr_core.interfaces.first_error import first_bad

CUTS = [
    # value: the first step below which no attempt is as good as any above
    ("value", "over", "good", 3, True),
    ("value", "short", "good", 2, True),
    ("value", "slip", "late", 4, True),
    ("value", "slip", "good", 4, True),  # after the useless step there is still a way to success
    ("value", "astray", "good", 1, True),
    # oracle: the first step that brings the goal no nearer
    ("oracle", "over", "good", 3, True),
    ("oracle", "short", "good", 2, True),
    ("oracle", "slip", "good", 3, True),
    ("oracle", "slip", "late", 4, True),  # the useless third step is shared
    ("oracle", "astray", "good", 1, True),
    # actor: refused actions are bad, the verdict on "add 1" cannot be read
    ("actor", "over", "good", 3, False),
    ("actor", "short", "good", 3, True),
    ("actor", "slip", "good", 3, True),
    ("actor", "slip", "late", 4, False),
    ("actor", "astray", "good", 2, True),
    # last: Direct-Revision
    ("last", "over", "good", 3, False),
    ("last", "slip", "late", 4, False),
    ("last", "astray", "good", 5, False),
]


@pytest.mark.parametrize(("critic", "bad", "good", "step", "judged"), CUTS)
def test_the_cut(court, critic: str, bad: str, good: str, step: int, judged: bool) -> None:
    [cut] = court.judge(critic, (bad, good))
    assert (cut.step, cut.judged) == (step, judged)
    first = divergence(court.trajectory(bad), court.trajectory(good)) + 1
    assert all(verdict.step >= first for verdict in cut.verdicts)


def test_labels_and_reasons_of_the_oracle(court) -> None:
    [cut] = court.judge("oracle", ("astray", "good"))
    assert [verdict.label for verdict in cut.verdicts] == ["bad", "bad", "good", "good", "bad"]
    assert cut.verdicts[0].rationale == "4 steps from the goal before, 4 after"
    assert cut.verdicts[4].rationale == "2 steps from the goal before, inf after"


def test_the_oracle_knows_nothing_where_the_environment_does_not(court) -> None:
    class Silent:
        async def distances(self, trajectory):
            return [None, 3.0, 2.0, None]

    court._distances = Silent().distances
    [cut] = court.judge("oracle", ("over", "good"))
    assert (cut.step, cut.judged, [verdict.label for verdict in cut.verdicts]) == (3, False, ["uncertain"])


def test_random_cuts_every_step_after_the_divergence_alike(court) -> None:
    def drawn(bad: str, good: str) -> list[int]:
        return [court.judge("random", (bad, good), context=court.context(seed=seed))[0].step for seed in range(600)]

    counts = {step: drawn("astray", "good").count(step) for step in range(7)}
    assert counts[0] == counts[6] == 0
    assert all(80 < counts[step] < 160 for step in range(1, 6))  # 120 expected, 10 is the standard deviation
    assert set(drawn("slip", "good")) == {3, 4}
    assert set(drawn("slip", "late")) == {4}


def test_random_cuts_a_bad_trajectory_alike_beside_every_good_one_that_leaves_it_early_enough(court) -> None:
    apart = 0
    for seed in range(40):
        early, late = court.judge("random", ("slip", "short"), ("slip", "good"), context=court.context(seed=seed))
        assert late.step == early.step or early.step == 2
        apart += late.step != early.step
        assert early.judged
    assert 0 < apart < 40


def test_value_finds_nothing_where_all_attempts_are_alike(court) -> None:
    for leaf in court.leaves.values():
        leaf.reward = 0.5
    [cut] = court.judge("value", ("astray", "good"))
    assert (cut.step, cut.judged) == (5, False)


def test_a_bad_verdict_on_a_shared_step_is_never_asked_for(court) -> None:
    """The third step of ``slip`` is bad, and shared with ``late``: the official code cuts there (defect D10)."""
    [cut] = court.judge("actor", ("slip", "late"))
    assert (cut.step, cut.judged, len(court.policy.asked)) == (4, False, 1)


def test_first_bad_is_the_first_of_several() -> None:
    verdicts = [Verdict(step=step, label=label) for step, label in ((2, "uncertain"), (3, "bad"), (4, "bad"))]
    assert first_bad(verdicts, last=5) == Cut(step=3, judged=True, verdicts=tuple(verdicts))
    assert first_bad([], last=5) == Cut(step=5, judged=False)


@pytest.mark.parametrize("critic", ["actor", "value", "oracle", "last", "random"])
def test_no_cut_lies_in_the_shared_prefix(court, critic: str) -> None:
    names = list(court.leaves)
    pairs = [(bad, good) for bad in names for good in names if bad != good]
    for (bad, good), cut in zip(pairs, court.judge(critic, *pairs), strict=True):
        shared = divergence(court.trajectory(bad), court.trajectory(good))
        assert shared < cut.step <= len(court.trajectory(bad).steps)


def test_critics_without_settings_take_none(court) -> None:
    with pytest.raises(ConfigError, match="last: temperature: there is no such setting"):
        court.judge("last", temperature=1)
