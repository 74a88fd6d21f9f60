"""A benchmark on this commit and on another one by turns: the ratio of each pair, of which the median is told.

    python benchmarks/pairs.py COMMIT framework nodes/CPU [--pairs 5] [--] --repeat 1 --trees 12 --in-flight 8
    python benchmarks/pairs.py COMMIT store µs/node [--pairs 5] [--] --trees 4

The third word is the column that is read, of the last line that is printed. Each commit is laid out in a folder of its
own, with its own benchmark; both run in this Python, one after the other, so that one machine, however its speed
changes, is the same for both of a pair. The order changes from pair to pair.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[1]


def lay_out(commit: str, folder: Path) -> Path:
    """The files of a commit, in a folder."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=REPOSITORY, check=True, capture_output=True).stdout
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive, check=True)
    return folder


def run(tree: Path, benchmark: str, column: str, arguments: Sequence[str]) -> float:
    """What a benchmark says in the last line of its table, in the column whose head has ``column`` in it."""
    places = [tree, *sorted(path for path in (tree / "plugins").iterdir() if path.is_dir())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    told = [sys.executable, str(tree / "benchmarks" / f"{benchmark}.py"), *arguments]
    said = subprocess.run(told, cwd=tree, env=environment, check=True, capture_output=True, text=True).stdout
    rows = [re.split(r" *\| *|  +", line.strip(" |")) for line in said.splitlines() if line.strip("|-: ")]
    at = next(number for number, head in enumerate(rows[0]) if column in head)
    return float(rows[-1][at].replace(",", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commit", help="the one to compare with")
    parser.add_argument("benchmark", help="its name: framework, store")
    parser.add_argument("column", help="words of the head of the column that counts")
    parser.add_argument("--pairs", type=int, default=5)
    options, arguments = parser.parse_known_args()
    arguments = [word for word in arguments if word != "--"]
    with tempfile.TemporaryDirectory(prefix="pairs-") as place:
        before, after = (lay_out(commit, Path(place) / commit) for commit in (options.commit, "HEAD"))
        ratios = []
        for pair in range(options.pairs):
            first, second = (before, after) if pair % 2 == 0 else (after, before)
            found = {tree: run(tree, options.benchmark, options.column, arguments) for tree in (first, second)}
            ratios.append(found[after] / found[before])
            print(f"pair {pair + 1}: {found[before]:,.1f} then {found[after]:,.1f}, ratio {ratios[-1]:.3f}", flush=True)
    print(f"median of {len(ratios)} ratios: {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
