"""WebShop: find what an instruction asks for in a shop, choose its options and buy it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from agentr_core import Environment, Observation, ParsedAction, PluginConfig, StepResult, Task
from agentr_webshop.actions import parse_turn
from agentr_webshop.config import WebShopConfig
from agentr_webshop.demonstrate import searches
from agentr_webshop.pages import NEXT, PAGE_SIZE
from agentr_webshop.shop import State
from agentr_webshop.world import load_world

_ENDED, _NOT_STARTED = "the episode has ended: call reset first", "there is no episode: call reset first"

_INSTRUCTIONS = """\
You are shopping in an online shop. An instruction says what to buy: a kind of product, what it should be like, \
sometimes its options (such as a size or a color) and the highest price. Find the product that fits best, choose its \
options and buy it. There are two actions:
- search[words]: search the shop for words of your own choice. {where}
- click[text]: click on a button, a product or an option of the page. The text must be one that is on the page, such \
as click[next >], click[< prev], click[back to search] or click[buy now]; a product is clicked by its code, \
an option by its value.
Click on every option that the instruction asks for before you click[buy now]: buying ends the task, and how well the \
product, its options and its price fit is your score. {invalid}
Answer each time with your reasoning and then exactly one action, in this form:
Thought: ...
Action: ..."""
_WHERE = {
    "original": "A search can be done on every page.",
    "strict": "There is a search bar on the start page only.",
}
_INVALID = {
    "original": "An action that is not possible changes nothing: you see the same page again.",
    "strict": "An action that is not possible changes nothing, and you are told why.",
}


class WebShop(Environment[WebShopConfig]):
    """WebShop (Yao et al. 2022) over an immutable catalogue; an episode is one :class:`~agentr_webshop.shop.State`."""

    config_class: ClassVar[type[PluginConfig]] = WebShopConfig
    supports_snapshot: ClassVar[bool] = True
    domain: ClassVar[str] = "an online shop"

    def __init__(self, config: WebShopConfig) -> None:
        super().__init__(config)
        self._world = load_world(config)
        self._shop = self._world.shop
        self._state: State | None = None

    @property
    def version(self) -> str:
        """Catalogue, rules and all settings that an observation, a goal or a reward depends on.

        ``nouns=table``: the type factor takes the catalogue's table of nouns; ``guess``: the heuristic.
        """
        config, catalogue = self.config, self._world.catalogue
        nouns = "guess" if catalogue.nouns is None else "table"
        return (
            f"webshop-1/{config.rules}/{config.mode}/{catalogue.version[:16]}/{config.goals}"
            f"/prices={config.price_seed}/goals={config.goal_seed}/nouns={nouns}"
            f"/attrs={config.show_attrs:d}/prefixes={config.debug_prefixes:d}/max_steps={config.max_steps}"
        )

    def instructions(self, task: Task) -> str:
        """What shopping is and the ReAct answer format."""
        return _INSTRUCTIONS.format(where=_WHERE[self.config.rules], invalid=_INVALID[self.config.rules])

    def splits(self) -> Sequence[str]:
        """See :mod:`agentr_webshop.splits`."""
        return self._world.table.splits

    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of a split in the order of their goals (``agentr_*``: as published)."""
        return self._world.table.tasks(split)

    def task(self, key: str) -> Task:
        """The task with this key: ``webshop_17``, or ``generated_17`` of a generated catalogue."""
        return self._world.table.task(key)

    def reset(self, task: Task) -> Observation:
        """Start on the start page; :class:`~agentr_core.UsageError` for a goal that there is not."""
        self._state = State(self._world.table.number_of(task))
        return self._observe(self._state)

    def step(self, action: str) -> StepResult:
        """Do one action: a reward and the end for a purchase, else 0. The parts of the reward are in ``info``."""
        state = self._started()
        if self._ended(state):
            raise RuntimeError(_ENDED)
        onward, refusal = self._shop.act(state, action)
        if onward.page == "done":
            return self._purchase(onward)
        self._state = onward
        page = self._observe(onward)
        return StepResult(
            observation=f"{refusal}\n\n{page}" if refusal else page,
            truncated=onward.steps == self.config.max_steps,
            info={} if refusal is None else {"invalid": True},
        )

    def snapshot(self) -> State:
        """The state itself, which is immutable; ``RuntimeError`` before the first reset."""
        return self._started()

    def restore(self, snapshot: State) -> None:
        """Put back what :meth:`snapshot` gave, also one of another instance or process."""
        self._state = State(*snapshot)

    def state_key(self) -> str:
        """Goal, page and what is chosen. The number of steps does not count: coming back to a page is a loop."""
        state = self._started()
        seen = ",".join(map(str, sorted(state.visited))) if state.visited else ""
        return (
            f"{state.goal}|{state.page}|{state.sub}|{state.product}|{state.number}|{state.reward}|{seen}"
            f"|{state.options}|{state.words}"
        )

    def clickables(self) -> tuple[str, ...]:
        """What can be clicked now, in the original's order (AgentGym: ``available_actions``)."""
        return self._shop.clickables(self._started())

    @property
    def has_search_bar(self) -> bool:
        """True on the start page."""
        return self._started().page == "index"

    def legal_actions(self) -> Sequence[str]:
        """On the start page searches made from the instruction; elsewhere a click on all that leads somewhere."""
        state, shop = self._started(), self._shop
        if self._ended(state):
            return ()
        if state.page == "index":
            words = searches(self._world.goals[state.goal])
            return [f"search[{query}]" for query in words if shop.rules.readable("search", query)]
        last = state.page == "results" and state.number * PAGE_SIZE >= len(shop.hits(state.words))
        return [
            f"click[{text}]"
            for text in shop.clickables(state)
            if not (last and text == NEXT) and shop.rules.readable("click", text)
        ]

    def demonstrate(self, task: Task) -> Sequence[str] | None:
        """The oracle's actions; None where the goal's product cannot bring reward 1."""
        number = self._world.table.number_of(task)
        if self._world.scorer.most(self._world.goals[number]) < 1.0:
            return None
        return self._world.oracle.plan(number)

    def distance(self) -> float | None:
        """The number of steps to the task's ``max_reward``; infinite after a purchase that brought less."""
        return self._world.oracle.distance(self._started())

    def parse_as_agentgym(self, response: str) -> ParsedAction:
        """What AgentGym's client of WebShop takes; see :func:`agentr_webshop.actions.parse_turn`."""
        return parse_turn(response)

    def _purchase(self, state: State) -> StepResult:
        goal = self._world.goals[state.goal]
        reward = self._world.scorer.reward(state.product, dict(state.options), goal)
        self._state = state = state._replace(reward=reward.total)
        return StepResult(
            observation=self._observe(state),
            reward=reward.total,
            score=reward.total,
            terminated=True,
            info={"reward": reward.parts(goal)},
        )

    def _observe(self, state: State) -> str:
        return self._shop.observe(state, self._world.goals[state.goal])

    def _ended(self, state: State) -> bool:
        return state.page == "done" or state.steps == self.config.max_steps > 0

    def _started(self) -> State:
        if self._state is None:
            raise RuntimeError(_NOT_STARTED)
        return self._state
