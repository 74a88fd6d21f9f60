"""Observers are told of each stage, and one that fails changes nothing."""

from __future__ import annotations

from pathlib import Path

from scripted_runs import SCRIPTED, Agentr

OBSERVER = """
import dataclasses, json, pathlib
from agentr_core import hookimpl

def note(event):
    with pathlib.Path("events.jsonl").open("a") as file:
        file.write(json.dumps([type(event).__name__, dataclasses.asdict(event)], default=str) + "\\n")

@hookimpl
def agentr_run_started(event): note(event)
@hookimpl
def agentr_tree_finished(event):
    note(event)
    raise RuntimeError("a careless observer")
@hookimpl
def agentr_revisions_built(event): note(event)
@hookimpl
def agentr_evaluated(event): note(event)
@hookimpl
def agentr_run_finished(event): note(event)
"""


def test_each_stage_is_told_and_a_failing_observer_is_only_logged(agentr: Agentr, tmp_path: Path) -> None:
    (tmp_path / "observer.py").write_text(OBSERVER)
    done = agentr("run", *SCRIPTED, "--iterations", "1", "--plugin", "observer.py")
    assert done.returncode == 0, done.stderr
    assert "a careless observer" in done.stderr and "Traceback" not in done.stderr
    import json

    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    names = [name for name, _ in events]
    assert names[0] == "RunStarted" and names[-1] == "RunFinished"
    assert names.count("TreeFinished") == 12 and names.count("RevisionsBuilt") == 1 and names.count("Evaluated") == 2
    assert events[-1][1]["status"] == "done"
