"""Every row of the table, against a server that answers as that one of AgentGym's does."""

from __future__ import annotations

from typing import Any

import pytest
from agentgym_fake import SHAPES, Fake
from agentr_agentgym.dialects import webshop
from agentr_agentgym.env import AgentGym
from agentr_agentgym.servers import SERVERS
from agentr_agentgym.tasks import published
from agentr_webshop.actions import parse_turn
from serving import Served

from agentr_core import create, is_revision
from agentr_core.testing import EnvironmentContract

OURS = {
    "textcraft": {"world": "synthetic"},
    "webshop": {"products": 40},
    "sciworld": {"only": "boil", "variations": 2},
}


def client(url: str, kind: str, **options: Any) -> AgentGym:
    made: AgentGym = create("env", "agentgym", url=url, server=kind, wait=0.0, timeout=120.0, **options)
    return made


def test_every_row_is_tried() -> None:
    assert {*SHAPES, *OURS} == {*SERVERS}


@pytest.mark.parametrize("kind", SHAPES)
def test_the_contract_holds(kind: str) -> None:
    with Fake(kind) as server:
        EnvironmentContract(lambda: client(server.url, kind, train="0,1", test="3"), tasks=1).verify()


@pytest.mark.parametrize("kind", SHAPES)
def test_an_episode(kind: str) -> None:
    with Fake(kind) as server:
        env = client(server.url, kind)
        first = env.reset(env.task(f"{kind}_2"))
        assert first.startswith("begin at 2")
        results = [env.step(action) for action in ("add 1", "dance", "add 4")]
        assert [result.observation for result in results] == ["it is 3", "nothing happens at 3", "it is 7"]
        assert [result.reward for result in results] == [0.0, 0.0, 1.0]
        assert [result.terminated for result in results] == [False, False, True]
        env.close()


@pytest.mark.parametrize("kind", ["alfworld", "maze"])
def test_hints_are_possible_actions(kind: str) -> None:
    with Fake(kind) as server:
        env = client(server.url, kind)
        first = env.reset(env.task(f"{kind}_0"))
        assert env.legal_actions() == ["add 1", "add 3"]
        assert ("AVAILABLE ACTIONS: add 1,add 3" in first) == (kind == "alfworld")
        env.step("add 9")
        assert env.legal_actions() == []


@pytest.mark.parametrize("kind", ["textcraft", "webshop"])
def test_ours_hold_the_contract(kind: str) -> None:
    with Served(kind, **OURS[kind]) as served:
        EnvironmentContract(lambda: client(served.url, kind), tasks=1).verify()


@pytest.mark.slow
def test_sciworld_is_exact_to_the_byte() -> None:
    """Two texts of a reset become one again, and what a step adds is not taken for the total."""
    pytest.importorskip("scienceworld")
    inside = create("env", "sciworld", **OURS["sciworld"])
    with Served("sciworld", **OURS["sciworld"]) as served:
        env = client(served.url, "sciworld", many_sessions=False)
        task = inside.tasks("train")[0]
        assert env.tasks("train")[0] == task
        assert env.reset(task) == inside.reset(task)
        for action in ("open cupboard", "look around", "focus on thermometer", "wait"):
            expected = inside.step(action)
            assert (env.step(action), env.state_key()) == (expected, inside.state_key())
            if expected.terminated:
                break
        env.close()
    inside.close()


def test_evaluation_lists_are_published_sizes() -> None:
    found = {kind: len(published(kind)) for kind in SERVERS}
    assert found == {
        "textcraft": 100, "webshop": 200, "sciworld": 200, "alfworld": 200, "babyai": 0, "maze": 25, "wordle": 25,
        "sqlgym": 200, "webarena": 50, "weather": 20, "movie": 20, "academia": 20, "sheet": 20, "todo": 20,
    }  # fmt: skip
    assert all(number < SERVERS[kind].tasks for kind in SERVERS for number in published(kind))


TURNS = (
    "Thought: a\nAction: click[buy now]", "search[red shoe]", "no action\nat all", "Action: a\nAction: click[b]</s>",
    "Action: " + "x" * 3000, "", "Thought: I revise.\nAction: revise", "\x00Action:\n\nclick[x]\nmore",
)  # fmt: skip


@pytest.mark.parametrize("turn", TURNS)
def test_webshops_rule_is_that_of_the_shop_in_process(turn: str) -> None:
    assert webshop(turn) == parse_turn(turn)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_revision_signal_is_one_in_every_dialect(kind: str) -> None:
    env = client("http://127.0.0.1:9", kind)
    assert is_revision(env.parse("Thought: that was wrong.\nAction: revise").action)


def test_whole_turns_and_sql() -> None:
    turn = 'Thought: look.\nAction: get_date with Action Input: {"a": 1}'
    assert client("http://127.0.0.1:9", "weather").parse(turn).action == turn
    asked = "Thought: count.\nAction: ```sql\nSELECT 1;\n```"
    assert client("http://127.0.0.1:9", "sqlgym").parse(asked).action == "SELECT 1;"


def test_the_rule_of_all_environments_is_taken_where_it_is_asked_for() -> None:
    turn = "Thought: a\n**Action:** click[buy now]"
    assert client("http://127.0.0.1:9", "webshop").parse(turn).action == "** click[buy now]"
    assert client("http://127.0.0.1:9", "webshop", parser="lenient").parse(turn).action == "click[buy now]"
