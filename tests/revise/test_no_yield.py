"""A set without revisions says why, and what to set."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import run

#: A world where one useless step can never be made good.
NO_WAY_BACK = """
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft

class NoWayBack(TextCraft):
    config_class = TextCraftConfig
    supports_snapshot = False
    useful, spoilt = (), False
    def reset(self, task):
        self.useful, self.spoilt = self.demonstrate(task), False
        return super().reset(task)
    def step(self, action):
        result = super().step(action)
        self.spoilt = self.spoilt or action not in self.useful
        return result.model_copy(update={"reward": 0.0, "score": 0.0}) if self.spoilt else result
"""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"env": "no_way_back:NoWayBack", "critic": "last", "revise": {"repairs": 0}},
         "no revisions: no splice kept its reward: what the bad start did was not made good by the tail; try more "
         "revise.repairs (now 0), or leave splices unexecuted with revise.splice=recorded"),
        ({"mcts": {"simulations": 2, "depth": 1}}, "no revisions: no attempt came to a reward of 0.5: lower"),
        ({"flawed": {"rate": 0.0}}, "no revisions: no good attempt has a worse one beside it (revise.beta=0.2)"),
        ({}, None),
    ],
    ids=["no way back", "nothing good", "nothing bad", "some revisions"],
)  # fmt: skip
def test_a_set_without_revisions_says_why(
    changes: dict[str, Any],
    says: str | None,
    empty: Any,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "no_way_back.py").write_text(NO_WAY_BACK)
    monkeypatch.syspath_prepend(str(tmp_path))
    if "env" in changes:
        changes = {**changes, "env": {"name": changes["env"], **settings().env[0].options}}
    told = io.StringIO()
    run(settings(**changes), db=empty.path, stages=("search", "revise"), progress=Progress(stream=told))
    hints = [line for line in told.getvalue().splitlines() if line.startswith("no revisions: ")]
    assert len(hints) == (says is not None)
    assert says is None or hints[0].startswith(says)
