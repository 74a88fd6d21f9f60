"""What went otherwise than it should, as numbers that people see: the account of a stage.

An account is counts by name. Names that stand beside a whole (``cut_off`` of ``turns``) have a share; above
:data:`WORTH_A_WARNING` it is a warning that says what to set. Silence must not look like success.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

#: A share above which people are told what to do about it.
WORTH_A_WARNING = 0.05


@dataclass(frozen=True, slots=True)
class Entry:
    """What a name means: how it is said, of what it is a share, and what helps where it is more than ``often``."""

    text: str
    whole: str = ""
    advice: str = ""
    often: float = WORTH_A_WARNING


ENTRIES: dict[str, Entry] = {
    "failed": Entry("failed", "tried", "look into the warnings above; agentr retry RUN takes them up again"),
    "retried": Entry("tried again", "tried", "the endpoint, engine or environment was away now and then"),
    "cut_off": Entry(
        "turns cut off", "turns", "give turns more tokens: the searcher's max_tokens, or evaluate.max_tokens"
    ),
    "context_full": Entry(
        "attempts ended by a full context", "", "use a model or setting with a longer context, or shorter observations"
    ),
    "shown_in_part": Entry("observations shortened"),
    "unvalued": Entry(
        "states too long for the value model",
        "turns",
        "they counted as much as what they came from: take a value model with a longer context",
    ),
    "refused": Entry(
        "actions refused",
        "turns",
        "this model hardly knows what can be done here, or goes on long after it has failed; see what it says (agentr "
        "evals show, agentr trajectories show), and where it solves little begin with a larger one, or with one that "
        "was trained on demonstrations",
        often=0.5,
    ),
    "duplicates": Entry("samples merged", "drawn"),
    "unreadable": Entry(
        "verdicts unreadable", "verdicts", "give the critic more tokens (its max_tokens), or take another critic"
    ),
    "direct": Entry(
        "without a cut (Direct-Revision)",
        "samples",
        "no verdict was bad: try another critic, or look at the verdicts",
    ),
    "unplayed": Entry(
        "rollouts not played",
        "rollouts",
        "the environment failed in them: their steps count as uncertain where it matters",
    ),
    "lost": Entry("splices dropped", "spliced", "their reward fell when they were executed; revise.repairs tries more"),
    "dropped": Entry("conversations dropped for length", "conversations"),  # the train stage itself warns of them
    "shortened": Entry("conversations shortened", "conversations"),
    "equal": Entry("equal conversations left out"),
    "over_caps": Entry("conversations over the caps of a tree (data.max_good_per_tree, data.max_revisions_per_tree)"),
}
#: Names that are common and no fault: they are stored, and shown in ``agentr runs show`` alone.
_QUIET = ("refused", "duplicates", "equal", "over_caps")


def describe(account: Mapping[str, int], *, quiet: bool = True) -> str:
    """What is not zero, in a few words: ``12 of 480 turns cut off · 1 of 40 failed``; all of it without ``quiet``."""
    return " · ".join(_said(name, account) for name in _names(account) if not (quiet and name in _QUIET))


def said(account: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Each name that is not zero, and what :func:`describe` says of it."""
    for name in _names(account):
        yield name, _said(name, account)


def warnings(account: Mapping[str, int]) -> Iterator[str]:
    """A sentence for each share that is worth one."""
    for name in _names(account):
        entry = ENTRIES[name]
        whole = account.get(entry.whole, 0)
        if entry.advice and whole and account[name] / whole > entry.often:
            yield f"{_said(name, account)} ({100 * account[name] / whole:.0f}%): {entry.advice}"


def _names(account: Mapping[str, int]) -> list[str]:
    return [name for name in ENTRIES if account.get(name)]


def _said(name: str, account: Mapping[str, int]) -> str:
    entry = ENTRIES[name]
    whole = account.get(entry.whole, 0)
    return f"{account[name]:,} of {whole:,} {entry.text}" if whole else f"{account[name]:,} {entry.text}"
