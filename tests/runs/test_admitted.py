"""The search stage lets trees begin as the engine has room for them."""

from __future__ import annotations

import importlib
import io
import sys
from itertools import groupby
from pathlib import Path

import pytest

from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import run

CROWDED = """
from agentr_core import EngineLoad
from agentr_scripted.flawed import FlawedPolicy

SESSIONS = []

class Crowded(FlawedPolicy):
    def engine_load(self):
        return EngineLoad(kv_tokens=150, busy=0.25)
    async def sample(self, request):
        SESSIONS.append(request.session)
        answers = await super().sample(request)
        return [answer.model_copy(update={"prompt_tokens": 100, "cached_tokens": 60}) for answer in answers]
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crowded.py").write_text(CROWDED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "crowded", raising=False)


def test_trees_wait_for_the_room_that_those_before_them_took(empty, settings) -> None:
    """Four begin, which nobody knows the size of; once one has ended, a second tree never fits beside another."""
    empty.run(settings(policy="crowded:Crowded", concurrency=4), "search")
    turns = [session for session, _ in groupby(importlib.import_module("crowded").SESSIONS)]
    last = [turns.count(session) for session in list(dict.fromkeys(turns))[4:]]
    assert last == [1] * 6, "each of them had the engine for itself"
    assert max(turns.count(session) for session in set(turns)) > 1, "the first four shared it"


def test_the_line_of_the_search_tells_how_full_the_engine_was(empty, settings) -> None:
    said = io.StringIO()
    config = settings(policy="crowded:Crowded", search={"tasks": 3})
    run(config, db=empty.path, stages=("search",), progress=Progress(stream=said))
    assert "engine 25% full · 60% cached" in said.getvalue()
