"""What several trainers make of the same trees: held-out success, tokens, time and memory, each beside SFT.

The trees are those of a run's iteration (by default the newest run's first one). Every way is a process of its own: it
trains beside the run and is then measured on the run's held-out tasks, greedily. Time is that of the processor, so that
what else runs on the machine counts little. What is done is kept in ``--out`` and not done again.

    agentr run --env textcraft --searcher mcts --iterations 1
    python benchmarks/trainers.py agentr.db --out trainers.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

#: Ways to learn: a trainer and its settings. SFT sees some 49,000 tokens in a default run, actions as many in 2 epochs.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "sft": ("sft", {}),
    "dpo step": ("dpo", {"pairs": "step", "epochs": 2}),
    "dpo both": ("dpo", {"pairs": "both"}),
    "dpo step, 8 epochs": ("dpo", {"pairs": "step", "epochs": 8}),
    "dpo both, 8 epochs": ("dpo", {"pairs": "both", "epochs": 8}),
    "tree pg": ("tree", {"epochs": 2}),
    "tree pg at 3e-4": ("tree", {"epochs": 2, "learning_rate": 3e-4}),
    "tree awr": ("tree", {"epochs": 2, "loss": "awr", "learning_rate": 3e-4}),
    "tree pg + revisions": ("tree", {"epochs": 1, "revision_weight": 1.0, "learning_rate": 3e-4}),
    "value": ("value", {"epochs": 1}),
}
COLUMNS = ("way", "rows", "tokens", "CPU s", "× sft", "peak MB", "× sft", "success", "reward")


def agentr(*arguments: str) -> tuple[Any, float, float]:
    """A command's JSON, the processor's seconds that it took, and its largest memory in MB."""
    command = [sys.executable, "-m", "agentr_core", *arguments, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return json.loads(printed), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(db: Path, run: str, iteration: int, way: str, more: list[str]) -> dict[str, Any]:
    """Train and measure in one way."""
    trainer, options = WAYS[way]
    options = {**options, "save_steps": 1000}  # nothing but the training is timed, and it is no training that is there
    where = ["--run", run, "--db", str(db)]
    settings = [part for name, value in options.items() for part in ("-o", f"{trainer}.{name}={value}")]
    made, seconds, memory = agentr("train", *where, "--iteration", str(iteration), "--trainer", trainer, *settings)
    found = {"way": way, "trained": made[0], "seconds": seconds, "megabytes": memory}
    if trainer != "value":  # a model to ask, not one to act with
        (found["measured"],), *_ = agentr("eval", *where, "--checkpoint", "last", "--no-revision-test", *more)
    return found


def row(found: dict[str, Any], base: dict[str, Any]) -> list[str]:
    """One line of the table."""
    trained, measured = found["trained"], found.get("measured", {})
    share = {name: found[name] / base[name] for name in ("seconds", "megabytes")}
    return [
        found["way"],
        f"{trained.get('examples', trained.get('rows', 0)):,.0f}",
        f"{trained.get('trained_tokens', 0):,.0f}",
        f"{found['seconds']:,.0f}",
        f"{share['seconds']:.2f}",
        f"{found['megabytes']:,.0f}",
        f"{share['megabytes']:.2f}",
        f"{100 * measured['success']:.0f}%" if measured else "-",
        f"{measured['reward']:.2f}" if measured else "-",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("db", type=Path)
    parser.add_argument("--run", default="last")
    parser.add_argument("--iteration", type=int, default=1)
    parser.add_argument("--ways", default=";".join(WAYS), help="separated by ; of: " + "; ".join(WAYS))
    parser.add_argument("--out", type=Path, default=Path("trainers.json"))
    parser.add_argument("--eval", nargs="*", default=[], help="further options of agentr eval")
    options = parser.parse_args()
    known = json.loads(options.out.read_text()) if options.out.is_file() else {}
    for way in ["sft", *(name for name in WAYS if name in options.ways.split(";") and name != "sft")]:
        if way not in known:
            known[way] = measure(options.db, options.run, options.iteration, way, options.eval)
            options.out.write_text(json.dumps(known, indent=1))
        print(" | ".join(row(known[way], known["sft"])), flush=True)
    print("\n| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    for found in known.values():
        print("| " + " | ".join(row(found, known["sft"])) + " |")


if __name__ == "__main__":
    main()
