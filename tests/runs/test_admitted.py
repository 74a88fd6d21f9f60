"""Trees, episodes and revisions begin as the engine has room for them."""

from __future__ import annotations

import importlib
import io
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import run
from agentr_core.store import canonical_dump

CROWDED = """
import asyncio
from agentr_core import EngineLoad
from agentr_scripted.flawed import FlawedPolicy

ROOM = 150
ASKED = []

class Crowded(FlawedPolicy):
    def engine_load(self):
        return EngineLoad(kv_tokens=ROOM, busy=0.25)
    async def sample(self, request):
        kind = "plain" if request.session.startswith("plain") else request.purpose
        ASKED.append((kind, request.session))
        for _ in range(5):  # as with a model, others ask meanwhile
            await asyncio.sleep(0)
        answers = await super().sample(request)
        return [answer.model_copy(update={"prompt_tokens": 100, "cached_tokens": 60}) for answer in answers]
"""


@pytest.fixture(autouse=True)
def crowded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "crowded.py").write_text(CROWDED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "crowded", raising=False)
    return importlib.import_module("crowded")


def turns(crowded: Any, kind: str) -> list[str]:
    """Whose turn it was at the engine: a session each time that another one asked before it."""
    return [session for session, _ in groupby(session for asked, session in crowded.ASKED if asked == kind)]


def assert_alone_after_the_first(taken: list[str], first: int) -> None:
    """The ``first`` begin, which nobody knows the size of; once one has ended, a second never fits beside another."""
    later = list(dict.fromkeys(taken))[first:]
    assert len(later) >= 3 and [taken.count(session) for session in later] == [1] * len(later)
    assert max(taken.count(session) for session in set(taken)) > 1, "the first shared the engine"


def test_trees_wait_for_the_room_that_those_before_them_took(empty, settings, crowded) -> None:
    empty.run(settings(policy="crowded:Crowded", concurrency=4), "search")
    assert_alone_after_the_first(turns(crowded, "act"), 4)


def test_episodes_of_an_evaluation_wait_likewise(empty, settings, crowded) -> None:
    empty.run(settings(policy="crowded:Crowded", concurrency=4, evaluate={"tasks": 12, "repeats": 2}), "evaluate")
    assert_alone_after_the_first(turns(crowded, "plain"), 4)


def test_revisions_wait_likewise(empty, settings, crowded) -> None:
    empty.run(settings(policy="crowded:Crowded", concurrency=4), "search")
    crowded.ASKED.clear()
    empty.revise(settings(policy="crowded:Crowded", concurrency=2))
    assert_alone_after_the_first(turns(crowded, "judge"), 2)


def test_a_tree_that_is_revised_as_soon_as_it_is_grown_keeps_its_place(empty, settings, crowded) -> None:
    """Growing and revising are one item: no other tree begins between them, and all of it finds one session."""
    empty.run(settings(policy="crowded:Crowded", concurrency=4), "search", "revise")
    sessions = [session for kind, session in crowded.ASKED if session != "preflight"]
    assert_alone_after_the_first([session for session, _ in groupby(sessions)], 4)


def test_rows_do_not_depend_on_the_room(empty, settings, crowded, tmp_path: Path) -> None:
    dumps = []
    for room in (1, 10**9):
        crowded.ROOM = room
        project = type(empty)(tmp_path / f"{room}.db")
        config = settings(policy="crowded:Crowded", concurrency=6, revise={"repairs": 2}, evaluate={"repeats": 2})
        project.run(config, "search", "revise", "evaluate")
        with project.store() as store:
            dumps.append(list(canonical_dump(store)))
    assert dumps[0] == dumps[1]


def test_the_line_of_the_search_tells_how_full_the_engine_was(empty, settings) -> None:
    said = io.StringIO()
    config = settings(policy="crowded:Crowded", search={"tasks": 3})
    run(config, db=empty.path, stages=("search",), progress=Progress(stream=said))
    assert "engine 25% full · 60% cached" in said.getvalue()
