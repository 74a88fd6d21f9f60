"""The account of a stage: what it says, and when it warns."""

from __future__ import annotations

from agentr_core.account import describe, warnings


def test_what_is_zero_is_not_said_and_what_is_common_only_where_asked() -> None:
    account = {"tried": 40, "failed": 0, "turns": 480, "cut_off": 12, "refused": 90, "duplicates": 7, "drawn": 487}
    assert describe(account) == "12 of 480 turns cut off"
    assert (
        describe(account, quiet=False)
        == "12 of 480 turns cut off · 90 of 480 actions refused · 7 of 487 samples merged"
    )
    assert describe({"tried": 40}) == ""


def test_a_share_above_a_twentieth_is_a_warning_that_says_what_to_set() -> None:
    assert list(warnings({"verdicts": 163, "unreadable": 163})) == [
        "163 of 163 verdicts unreadable (100%): give the critic more tokens (its max_tokens), or take another critic"
    ]
    assert list(warnings({"verdicts": 163, "unreadable": 8, "turns": 100, "cut_off": 5})) == []


def test_refused_actions_are_usual_until_a_model_does_little_else() -> None:
    assert list(warnings({"turns": 40, "refused": 20})) == []
    (said,) = warnings({"turns": 40, "refused": 40})
    assert said.startswith("40 of 40 actions refused (100%): this model hardly knows what can be done here")
