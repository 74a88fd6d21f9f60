"""A short kill campaign; the long one is a program: ``python tests/support/kill_campaign.py``."""

from __future__ import annotations

from pathlib import Path

import pytest
from kill_campaign import NODE, Campaign, differences, stored, undisturbed
from raylets import started

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
pytestmark = pytest.mark.slow

TASKS = 6


def test_after_kills_at_any_moment_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    quiet, disturbed = undisturbed(tmp_path / "quiet", TASKS), tmp_path / "disturbed"
    disturbed.mkdir()
    cluster = started(NODE, NODE)
    campaign = Campaign(disturbed, seed=1, cluster=cluster)
    try:
        campaign.fight(TASKS, kills=3, rows=stored(quiet))
    finally:
        campaign.close()
        cluster.shutdown()
    assert campaign.kills == {"worker": 1, "raylet": 1, "run": 1}
    assert not differences(quiet, disturbed / "agentr.db")
