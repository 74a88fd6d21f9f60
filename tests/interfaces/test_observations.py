"""Observations that are too long: what is left out."""

from __future__ import annotations

import pytest

from agentr_core.errors import ConfigError
from agentr_core.interfaces.environment import EnvironmentConfig
from agentr_core.interfaces.observations import LEAST_CHARS, shortened
from agentr_core.interfaces.plugin_config import validate_config

WORDS = " ".join(f"word{number}" for number in range(500))


@pytest.mark.parametrize("text", ["", "short", "x" * LEAST_CHARS, WORDS])
def test_what_fits_is_shown_as_it_is(text: str) -> None:
    assert shortened(text, None) == (text, 0)
    assert shortened(text, max(len(text), LEAST_CHARS)) == (text, 0)


@pytest.mark.parametrize("limit", [100, 101, 137, 250, 1_000, len(WORDS) - 1])
def test_the_middle_is_left_out_between_words_and_counted(limit: int) -> None:
    shown, count = shortened(WORDS, limit)
    start, mark, end = shown.partition(f" ... [{count:,} characters left out] ... ")
    assert mark and limit - 60 < len(shown) <= limit
    assert len(start) + count + len(end) == len(WORDS)
    assert WORDS.startswith(f"{start} ") and WORDS.endswith(f" {end}")


def test_the_mark_counts_in_thousands() -> None:
    assert shortened("a " * 1_000, 1_000)[0].split(" ... ")[1] == "[1,039 characters left out]"


@pytest.mark.parametrize("text", ["x" * 5_000, "木" * 5_000, "\n" * 5_000, " x" + "y" * 5_000], ids=ascii)
def test_a_word_that_is_longer_than_its_part_is_cut(text: str) -> None:
    shown, count = shortened(text, 200)
    assert len(shown) <= 200 and f"[{count:,} characters left out]" in shown


def test_too_small_a_cap_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"env\.max_observation_chars: must be at least 100 \(got 20\)"):
        validate_config(EnvironmentConfig, {"max_observation_chars": 20}, "env.")
