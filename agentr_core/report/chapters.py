"""What a report of some runs holds: chapters of tables, each computed where the rest of agentr computes it.

A part without rows says what is missing and why; that is said, never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agentr_core.process.terminal import one_line
from agentr_core.runs import report
from agentr_core.runs.costs import costs
from agentr_core.runs.report import Table
from agentr_core.runs.side_by_side import side_by_side
from agentr_core.runs.stages import stages
from agentr_core.runs.trainers import has_several, trainers
from agentr_core.runs.yields import against_tokens, losses, yields
from agentr_core.store import RunRow, Store

_MOST_NAME = 80
Plot = Literal["success", "seeds", "trained", "yield", "loss", "tokens"]


@dataclass(frozen=True, slots=True)
class Part:
    """One table of a chapter. ``missing`` is said where it has no rows, ``plot`` how it is drawn besides.

    ``key`` is stable, for programs; a ``long`` table is folded on the page.
    """

    key: str
    title: str
    table: Table
    missing: str = ""
    plot: Plot | None = None
    long: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    """The parts of one run, or those of several side by side (``run`` is then None).

    ``unfinished`` is what is to be known first of a run that is not done, ``odd`` what went otherwise than it should.
    """

    title: str
    parts: Sequence[Part]
    run: RunRow | None = None
    unfinished: str = ""
    odd: Sequence[str] = ()


def chapters(store: Store, runs: Sequence[RunRow]) -> list[Chapter]:
    """The chapters of a report: several runs side by side, then each run by itself."""
    together = [_together(store, runs)] if len(runs) > 1 else []
    return [*together, *(_of_run(store, run, alone=len(runs) == 1) for run in runs)]


def name_of(run: RunRow) -> str:
    """What people call a run, in a line that is no longer than a heading."""
    return one_line(run.name, _MOST_NAME) if run.name else run.short


def _together(store: Store, runs: Sequence[RunRow]) -> Chapter:
    tables = side_by_side(store, runs)
    parts = [Part("runs", "Success and cost, run by run", tables[0], plot="success")]
    parts += [Part("seeds", "Over seeds", table, plot="seeds") for table in tables[1:]]
    if not tables[1:]:
        alone = Table(["runs"], [], [])
        parts.append(Part("seeds", "Over seeds", alone, "No two of these runs differ in the seed alone."))
    parts.append(_critics(store, runs))
    return Chapter(f"{len(runs)} runs side by side", parts)


def _critics(store: Store, runs: Sequence[RunRow]) -> Part:
    missing = "No revision set is finished, so there are no critics to compare."
    return Part("critics", "Critics over the same trees", report.critics(store, runs), missing, plot="trained")


def _of_run(store: Store, run: RunRow, *, alone: bool) -> Chapter:
    training = run.config["trainer"]["name"] != "none" and "train" in run.config.get("stages", ["train"])
    no_loss = "No training has reported a loss yet." if training else "This run trains no model."
    parts = [
        Part("iterations", "Success by iteration", report.iterations(store, run), _NOT_EVALUATED, plot="success"),
        Part("tokens", "Success against tokens", against_tokens(store, run), _NO_TOKENS, plot="tokens"),
        Part("yield", "From trees to training rows", yields(store, run), _NOT_REVISED, plot="yield"),
        *([_critics(store, [run])] if alone else []),
        Part("loss", "Loss", losses(store, run), no_loss, plot="loss", long=True),
        Part("stages", "Stages", stages(store, run), "No stage of this run was begun."),
    ]
    if has_several(made := trainers(store, [run])):
        parts.insert(3, Part("trainers", "Trainers over the same trees", made))
    if (took := costs(store, run, alone=True)).rows:
        parts.insert(2, Part("environments", "What each environment took", took))
    title = f"Run {name_of(run)}" + (f" ({run.short})" if run.name else "")
    return Chapter(title, parts, run, _unfinished(store, run), _odd(store, run))


_NOT_EVALUATED = "No model of this run has been evaluated, so there is no success to show."
_NO_TOKENS = "No tokens were counted: nothing was searched and evaluated, or what acted was no language model."
_NOT_REVISED = "No revision set of this run is finished, so there is no yield to show."


def _unfinished(store: Store, run: RunRow) -> str:
    """What is to be known of a run that has not come to its end."""
    state = store.runs.state(run)
    if state == "done":
        return ""
    went_on = f"agentr resume {run.short} goes on with it"
    trees = store.trees.select(run.id)
    done = sum(tree.status == "done" for tree in trees)
    so_far = f"; {done} of {len(trees)} trees are done" if trees else "; it has no trees"
    if state == "running":
        return f"This run is still going{so_far}. The report shows what it had come to when it was made."
    because = f": {run.error}" if run.error else ""
    ended = {"failed": "has failed", "interrupted": "was interrupted", "killed": "was killed"}.get(state, f"is {state}")
    return f"This run {ended}{because}{so_far}. The report shows what it came to; {went_on}."


def _odd(store: Store, run: RunRow) -> list[str]:
    """What went otherwise than it should, trees that failed among it."""
    failed = [tree for tree in store.trees.select(run.id) if tree.status == "failed"]
    told = [f"{len(failed)} trees failed, the first one: {failed[0].error}"] if failed else []
    return [*told, *report.account_lines(store, run, quiet=False)]
