"""Kills workers, raylets and the run itself in turn, at random moments, and compares what is left with a quiet run.

    python tests/support/kill_campaign.py [--kills 20] [--seed 0] [--tasks 24]

The moments are drawn by how much is stored, and then by time, so that a kill may come anywhere: in the middle of a
tree, of a revision, of an episode, of a message or of a commit. A killed run is gone on with by ``agentr resume``.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from raylets import one_more, started
from scripted_runs import SCRIPTED, command, dump, environment, last_of_each

DYING = Path(__file__).parent / "dying.py"
#: A task's trees, revisions and episodes in two iterations, by a policy that takes its time: what is killed is at work.
RUN = (
    *("run", *SCRIPTED, "--iterations", "2", "--eval-tasks", "12", "-o", "revise.max_pairs_per_tree=3"),
    *("--plugin", str(DYING), "--policy", "dying:Dying", "-o", "policy.rate=0.5"),
)
#: Seconds that an answer takes, and that a kill comes after its moment at the most.
PAUSE, LATE = 0.05, 0.5
#: Workers, on two raylets with room for two each.
WORKERS, NODE = 3, {"num_cpus": 2}
#: What grows as a run goes on.
PROGRESS = ("nodes", "samples", "revised_trees", "eval_results")
#: Seconds without any progress after which the campaign is given up.
PATIENCE = 600.0


def told(tasks: int) -> list[str]:
    """The run's command; ``dying:Dying`` has the options of ``flawed``, which it is in place of."""
    words = last_of_each((*RUN, "--tasks", str(tasks)))
    at = next(number for number, word in enumerate(words) if word.startswith("flawed."))
    return words[: at - 1] + words[at + 1 :]


@dataclass
class Campaign:
    """One run under fire; ``say`` is told each kill."""

    folder: Path
    seed: int
    cluster: Any
    say: Callable[[str], None] = print
    kills: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.pids = self.folder / "pids"
        self.pids.mkdir()
        self.log: IO[bytes] = (self.folder / "stderr").open("wb")

    def fight(self, tasks: int, kills: int, rows: int) -> None:
        """Start the run, kill something ``kills`` times before ``rows`` rows are stored, and see it end."""
        victims = (self.kill_worker, self.kill_raylet, self.kill_run)
        self.begin(*told(tasks), *self.elsewhere())
        for number, moment in enumerate(sorted(self.random.uniform(0, 0.9 * rows) for _ in range(kills))):
            self.wait_for(lambda moment=moment: self.progress() >= moment, f"{moment:.0f} rows")
            time.sleep(self.random.uniform(0, LATE))
            victim = victims[number % len(victims)]
            name = victim.__name__.removeprefix("kill_")
            self.say(f"kill {number + 1}: a {name} at {self.progress()} of {rows} rows")
            victim()
            self.kills[name] = self.kills.get(name, 0) + 1
        assert self.process is not None
        self.process.wait()
        assert self.process.returncode == 0, self.said()

    def elsewhere(self) -> list[str]:
        """What makes it a run on the cluster."""
        given = f'{{PIDS = "{self.pids}", PAUSE = "{PAUSE}"}}'
        options = (f"address={self.cluster.address}", f"workers={WORKERS}", f"environment={given}")
        return ["--executor", "ray", *(word for option in options for word in ("-o", f"ray.{option}"))]

    def begin(self, *arguments: str) -> None:
        """Start the program, whose errors are kept in a file."""
        told = command(*arguments)
        self.process = subprocess.Popen(
            told, cwd=self.folder, env=environment(), stdout=subprocess.DEVNULL, stderr=self.log
        )

    def kill_run(self) -> None:
        """Kill the run's own process, and go on with it."""
        assert self.process is not None
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL, self.said()
        self.begin("resume", "last")

    def kill_worker(self) -> None:
        """Kill one of those that are ready."""
        self.wait_for(lambda: bool(self.alive()), "a worker")
        os.kill(self.random.choice(self.alive()), signal.SIGKILL)

    def kill_raylet(self) -> None:
        """Kill one with all that it has started, and bring another."""
        lost = self.random.choice(sorted(self.cluster.worker_nodes, key=lambda node: str(node.unique_id)))
        self.cluster.remove_node(lost, allow_graceful=False)
        one_more(self.cluster, **NODE)

    def alive(self) -> list[int]:
        """The workers of this campaign that are ready, by their numbers; another's process is never one of them."""
        return sorted(int(path.name) for path in self.pids.iterdir() if self.is_ours(int(path.name)))

    def is_ours(self, number: int) -> bool:
        """True for a living process that was told of this campaign's folder."""
        try:
            return str(self.pids).encode() in Path(f"/proc/{number}/environ").read_bytes()
        except OSError:
            return False

    def wait_for(self, there: Callable[[], bool], what: str) -> None:
        """Look until ``there`` says so, as long as the run goes on."""
        before, since = -1, time.monotonic()
        while not there():
            assert self.process is not None and self.process.poll() is None, f"before {what} it ended: {self.said()}"
            if (now := self.progress()) != before:
                before, since = now, time.monotonic()
            assert time.monotonic() - since < PATIENCE, f"waited for {what} at {now} rows: {self.said()}"
            time.sleep(0.02)

    def progress(self) -> int:
        """Rows that are stored."""
        return stored(self.folder / "agentr.db")

    def said(self) -> str:
        """The end of what the run has said."""
        return (self.folder / "stderr").read_text(errors="replace")[-3000:]

    def close(self) -> None:
        """Leave nothing running."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def stored(db: Path) -> int:
    """How many rows of :data:`PROGRESS` a database has; 0 where it is not there yet."""
    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=30) as connection:
            return sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in PROGRESS)
    except sqlite3.OperationalError:
        return 0


def undisturbed(folder: Path, tasks: int) -> Path:
    """The database of the run that nobody disturbs, in one process."""
    folder.mkdir()
    subprocess.run(command(*told(tasks)), cwd=folder, env=environment(), check=True, capture_output=True)
    return folder / "agentr.db"


def differences(quiet: Path, disturbed: Path) -> list[str]:
    """Rows that one of two databases has more often than the other, with a sign before them."""
    left, right = (Counter(dump(db)) for db in (quiet, disturbed))
    return [f"- {line}" for line in (left - right).elements()] + [f"+ {line}" for line in (right - left).elements()]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", type=int, default=24)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        quiet = undisturbed(Path(place) / "quiet", options.tasks)
        (disturbed := Path(place) / "disturbed").mkdir()
        cluster = started(NODE, NODE)
        campaign = Campaign(disturbed, options.seed, cluster, lambda line: print(line, flush=True))
        began = time.monotonic()
        try:
            campaign.fight(options.tasks, options.kills, stored(quiet))
        finally:
            campaign.close()
            cluster.shutdown()
        found = differences(quiet, disturbed / "agentr.db")
        print(*found[:20], sep="\n")
        print(f"{campaign.kills} in {time.monotonic() - began:.0f} s, {len(dump(quiet))} rows, {len(found)} differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
