"""Episodes recorded on the original environment, replayed to the byte."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from agentr_webshop.config import WebShopConfig
from agentr_webshop.env import WebShop


@pytest.fixture(scope="module")
def transcripts(shared: Path) -> list[dict[str, Any]]:
    return json.loads(gzip.decompress((shared / "original_transcripts.json.gz").read_bytes()))


@pytest.mark.parametrize(("mode", "count"), [("text", 277), ("text_rich", 83)])
def test_every_transcript(transcripts: list[dict[str, Any]], shared: Path, mode: str, count: int) -> None:
    env = WebShop(WebShopConfig(data=str(shared), mode=mode, price_seed=0, max_steps=0))
    played = [episode for episode in transcripts if episode["mode"] == mode]
    assert len(played) == count
    for episode in played:
        first = env.reset(env.task(f"webshop_{episode['goal_index']}"))
        assert [first, env.has_search_bar, list(env.clickables())] == list(episode["first"].values())
        for step in episode["steps"]:
            result = env.step(step[0])
            seen = [result.observation, result.reward, result.terminated, env.has_search_bar, list(env.clickables())]
            assert seen == step[1:], (episode["goal_index"], step[0])
