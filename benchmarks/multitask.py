"""Multi-task against single-task training over the same trees: TextCraft and a game of TextWorldExpress, three seeds.

    python benchmarks/multitask.py --folder multitask          # half an hour of two cores; one that was killed goes on
    python benchmarks/multitask.py --folder multitask --table  # what is there so far, without doing anything

The start is made once: ``tiny``, which knows TextCraft, is trained further on what an expert did in both worlds, so
that it knows each a little. Then, for each seed, both worlds are searched from this start (``agentr search``), the
trees revised, and the start is trained three times over them: on the trees of both worlds, and with ``-o
textworld_express.weight=0`` and ``-o textcraft.weight=0`` on those of one. So the ways differ in nothing but whose
trees they learn from. Every model plays the same held-out tasks of both worlds, greedily. The commands are printed as
they are run.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from agentr_core import ExitCode, Store, iteration_rows, open_store
from agentr_core.runs.side_by_side import over_seeds
from agentr_core.store import RunRow

WORLDS = ("textcraft", "textworld_express")
#: Both worlds; of the games the one in which words that the model has never seen are to be said again, five times.
BOTH = ("--env", ",".join(WORLDS), "--iterations", "1", "-o", "textworld_express.game=simonsays")
#: What the expert does, of which the start is made.
EXPERT = ("--searcher", "greedy", "--policy", "expert", "--critic", "last", "--trainer", "none")
#: How a model is trained on it.
TAUGHT = ("--critic", "last", "--recipe", "good", "--policy", "transformers", "--trainer", "sft")
#: How the worlds are searched and models measured: the expert needs 5 actions in the game, 3 to 13 in TextCraft.
SEARCH = (
    *("--searcher", "mcts", "--critic", "value", "-o", "mcts.simulations=3", "-o", "mcts.depth=12"),
    *("-o", "mcts.max_tokens=48", "-o", "evaluate.max_turns=14", "--no-revision-test"),
)
#: Of each tree so many conversations.
TRAINED = (
    *("-o", "data.max_good_per_tree=3", "-o", "data.max_revisions_per_tree=3", "-o", "revise.max_pairs_per_tree=6"),
    *("-o", "sft.batch_size=8"),
)
#: The ways to train, by the environments of the dataset, and how they are asked for; the first is not trained.
WAYS = {
    "the start": ("", ()),
    "textcraft alone": ("textcraft", ("-o", "textworld_express.weight=0")),
    "textworld_express alone": ("textworld_express", ("-o", "textcraft.weight=0")),
    "both": ("textcraft+textworld_express", ()),
}


def agentr(folder: Path, *arguments: str, allowed: Sequence[ExitCode] = (ExitCode.OK,)) -> bool:
    """Run the program in ``folder``, with its talk on stderr; false where it ended with another ``allowed`` code."""
    print(f"$ agentr {shlex.join(arguments)}", file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, "-m", "agentr_core", *arguments], cwd=folder, stdout=sys.stderr)
    if done.returncode not in allowed:
        raise SystemExit(f"agentr {arguments[0]} ended with {done.returncode}; the same command goes on from there")
    return done.returncode == ExitCode.OK


def runs(folder: Path) -> dict[str, RunRow]:
    """The runs that were begun, by name."""
    if not (folder / "agentr.db").is_file():
        return {}
    with open_store(folder / "agentr.db", read_only=True) as store:
        return {run.name or run.key: run for run in store.runs.select()}


def make_start(folder: Path, sizes: argparse.Namespace) -> str:
    """The model that all seeds begin with; made where it is not there yet."""
    name = "demonstrations"
    if name in runs(folder):
        agentr(folder, "resume", name)
    else:
        shown = ("--tasks", str(sizes.shown), "-o", f"textcraft.search.tasks={sizes.shown_textcraft}")
        agentr(folder, "search", *BOTH, *EXPERT, *shown, "--name", name)
    agentr(folder, "revise", "--run", name, "--critic", "last")
    rate = ("-o", f"sft.epochs={sizes.epochs}", "-o", f"sft.learning_rate={sizes.rate}")
    agentr(folder, "train", "--run", name, *TAUGHT, "--model", sizes.model, *rate, "-o", "sft.batch_size=8")
    with open_store(folder / "agentr.db", read_only=True) as store:
        return store.checkpoints.select(store.runs.find(name).id, complete=True)[-1].path


def measure(folder: Path, start: str, seed: int, sizes: argparse.Namespace) -> None:
    """One seed: the trees of both worlds, and the models that are made of them; the first seed measures the start."""
    name = f"seed-{seed}"
    if name in runs(folder):
        agentr(folder, "resume", name)
    else:
        counts = ("--tasks", str(sizes.tasks), "--eval-tasks", str(sizes.measured), "--seed", str(seed))
        agentr(
            folder, "search", *BOTH, *SEARCH, *TRAINED, *counts, "--trainer", "sft", "--model", start, "--name", name
        )
    agentr(folder, "revise", "--run", name)
    if seed == sizes.seeds[0]:
        agentr(folder, "eval", "--run", name)
    for _, options in list(WAYS.values())[1:]:  # a world whose trees hold nothing good leaves the start as it is
        if agentr(folder, "train", "--run", name, *options, allowed=(ExitCode.OK, ExitCode.NOTHING)):
            agentr(folder, "eval", "--run", name, "--checkpoint", "last")


def evaluated(store: Store, run: RunRow) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The ways of a seed that are measured, each with its row of the run's table."""
    sets = {row.name: row for row in store.datasets.select(run.id)}
    for row in iteration_rows(store, run):
        items = store.datasets.items(sets[row["dataset"]].id) if row["dataset"] else []
        of = "+".join(sorted({str(item.origin["env"]) for item in items}))
        yield next(way for way, (worlds, _) in WAYS.items() if worlds == of), {**row, "rows": len(items)}


def table(folder: Path) -> Iterator[str]:
    """Success by way and environment: the mean over the seeds with its 95% interval, and that of each seed.

    Beside it the mean reward and the mean number of refused actions an episode.
    """
    found: dict[str, list[Mapping[str, Any]]] = {way: [] for way in WAYS}
    seeds = sorted((run for name, run in runs(folder).items() if name.startswith("seed-")), key=lambda run: run.seed)
    with open_store(folder / "agentr.db", read_only=True) as store:
        for run in seeds:
            for way, row in evaluated(store, run):
                found[way].append(row)
    columns = ["trained on", "rows"]
    columns += [f"{world}{more}" for world in WORLDS for more in ("", ", each seed", ", reward", ", refused")]
    columns += ["mean"]
    yield f"| {' | '.join(columns)} |"
    yield "| --- |" + " ---: |" * (len(columns) - 1)
    for way, rows in found.items():
        if rows:
            yield f"| {' | '.join(cells(way, rows))} |"


def cells(way: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One row of the table, of the seeds that there are."""
    yield way
    yield ", ".join(str(row["rows"]) for row in rows)
    for world in WORLDS:
        measured = [row["environments"][world] for row in rows]
        values = [metrics["success"] for metrics in measured]
        yield interval(values)
        yield ", ".join(f"{100 * value:.0f}" for value in values)
        yield f"{mean(metrics['reward'] for metrics in measured):.3f}"
        yield f"{mean(metrics['invalid'] for metrics in measured):.1f}"
    yield interval([row["success"] for row in rows])


def interval(values: Sequence[float]) -> str:
    """The mean in percent, with Student's 95% interval over the seeds."""
    middle, half = over_seeds(values)
    return f"{100 * middle:.1f}" + ("" if half is None else f" ± {100 * half:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("multitask"), help="where the database and models go")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", type=int, default=16, help="trees of each world")
    parser.add_argument("--measured", type=int, default=40, help="held-out tasks of each world")
    parser.add_argument("--model", default="tiny", help="what the start is trained from")
    parser.add_argument("--shown", type=int, default=100, help="demonstrations of the game that the start is made of")
    parser.add_argument("--shown-textcraft", type=int, default=60, help="and of TextCraft, which it knows already")
    parser.add_argument("--epochs", type=int, default=8, help="epochs over them")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of it")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not options.table:
        start = make_start(folder, options)
        for seed in options.seeds:
            measure(folder, start, seed, options)
            print("\n".join(table(folder)), file=sys.stderr, flush=True)
    print("\n".join(table(folder)))


if __name__ == "__main__":
    main()
