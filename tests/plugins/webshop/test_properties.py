"""Any sequence of actions: nothing raises, nothing leaves the state machine, and replay is exact."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from agentr_webshop.config import WebShopConfig
from agentr_webshop.env import WebShop
from agentr_webshop.shop import NOWHERE, State
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PAGES = {"index", "results", "item", "sub", "done"}
#: An integer stands for the legal action of that number, where there is one.
ACTIONS = st.one_of(
    st.integers(0, 200),
    st.sampled_from(["search[shirt]", "search[red shoes]", "click[next >]", "click[< prev]", "click[back to search]",
                     "click[description]", "click[reviews]", "click[buy now]", "click[search]", "look"]),
    st.text(st.sampled_from("serachlik[]<>\n \x00\u202eא日\U0001f600"), max_size=20),
    st.builds("{}[{}]".format, st.sampled_from(["search", "click", "Search", " click"]), st.text(max_size=30)),
    st.sampled_from(["x", "[", "]", "search[", "click[a]"]).map(lambda text: (text * 100_000)[:100_000]),
)  # fmt: skip
WALKS = st.lists(ACTIONS, max_size=12)
RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(
    scope="module",
    params=[("original", "text"), ("original", "text_rich"), ("strict", "text")],
    ids=lambda pair: "-".join(pair),
)
def env(request: pytest.FixtureRequest) -> WebShop:
    rules, mode = request.param
    return WebShop(WebShopConfig(rules=rules, mode=mode, max_steps=0, show_attrs=rules == "strict"))


def play(env: WebShop, actions: list[int | str]) -> Iterator[tuple[object, ...]]:
    """Everything that ``actions`` show, up to the end."""
    for action in actions:
        legal = env.legal_actions()
        if not legal:
            assert env.snapshot().page == "done"
            return
        text = legal[action % len(legal)] if isinstance(action, int) else action
        result = env.step(text)
        check(env, env.snapshot())
        yield text, result, env.state_key(), env.clickables(), env.distance()


def check(env: WebShop, state: State) -> None:
    """The state is one of the machine's, with nothing in it that its page does not use."""
    count = len(env._world.catalogue.products)
    assert state.page in PAGES
    assert (state.product in range(count)) == (state.page in ("item", "sub", "done"))
    assert (state.product == NOWHERE) == (state.page in ("index", "results"))
    assert (state.number >= 1) == (state.page in ("results", "item", "sub"))
    assert bool(state.sub) == (state.page == "sub")
    if state.options:
        groups = env._world.catalogue.products[state.product].options
        assert state.page in ("item", "sub", "done")
        assert all(value in groups[group] for group, value in state.options)
    assert (state.page == "done") or state.reward == 0.0
    assert env.has_search_bar == (state.page == "index")


@RELAXED
@given(number=st.integers(0, 400), actions=WALKS)
def test_any_actions_replay_to_the_same_bytes(env: WebShop, number: int, actions: list[int | str]) -> None:
    task = env.tasks("all")[number]
    first, seen = env.reset(task), list(play(env, actions))
    other = WebShop(env.config)
    assert other.reset(task) == first
    assert list(play(other, [str(step[0]) for step in seen])) == seen


@RELAXED
@given(number=st.integers(0, 400), before=WALKS, after=WALKS)
def test_restore_brings_back_the_same_future(
    env: WebShop, number: int, before: list[int | str], after: list[int | str]
) -> None:
    env.reset(env.tasks("all")[number])
    list(play(env, before))
    kept, key = env.snapshot(), env.state_key()
    future = list(play(env, after))
    hash(kept)
    for snapshot in (kept, pickle.loads(pickle.dumps(kept))):
        env.restore(snapshot)
        assert (env.snapshot(), env.state_key()) == (kept, key)
        assert list(play(env, after)) == future


@RELAXED
@given(number=st.integers(0, 400), actions=WALKS)
def test_equal_keys_show_equal_pages(env: WebShop, number: int, actions: list[int | str]) -> None:
    """A key tells states apart up to the number of steps."""
    env.reset(env.tasks("all")[number])
    pages: dict[str, State] = {env.state_key(): env.snapshot()}
    for step in play(env, actions):
        state = env.snapshot()._replace(steps=0)
        assert pages.setdefault(str(step[2]), state)._replace(steps=0) == state
    assert len({state._replace(steps=0) for state in pages.values()}) == len(pages)


@RELAXED
@given(response=st.text(max_size=200))
def test_any_turn_is_read(env: WebShop, response: str) -> None:
    parsed = env.parse(response)
    assert (parsed.action is None) == (parsed.error is not None)
    assert parsed.action is None or (parsed.action.strip() and "\n" not in parsed.action)


@RELAXED
@given(response=st.text(max_size=200))
def test_any_turn_has_an_action_as_agentgym_reads_it(env: WebShop, response: str) -> None:
    parsed = env.parse_as_agentgym(response)
    assert parsed.action is not None and "\n" not in parsed.action
    again = env.parse_as_agentgym(f"Thought: x\nAction: {parsed.action}")
    assert again.action == parsed.action or "Action:" in parsed.action
