"""A world made ready: catalogue, search, prices, goals, rewards, tasks and oracle. One of each kind a process."""

from __future__ import annotations

from functools import cached_property, lru_cache
from threading import RLock

from agentr_core import UsageError
from agentr_webshop.bm25 import search_index
from agentr_webshop.catalogue import GENERATED, load_catalogue
from agentr_webshop.config import WebShopConfig
from agentr_webshop.demonstrate import Oracle
from agentr_webshop.goals import draw_prices, make_goals
from agentr_webshop.prefixes import Prefixed
from agentr_webshop.product import Catalogue
from agentr_webshop.reward import Scorer
from agentr_webshop.shop import RULES, Shop
from agentr_webshop.splits import TaskTable

_lock = RLock()


class World:
    """What all sessions of one configuration share; nothing in it changes but what it remembers."""

    def __init__(self, catalogue: Catalogue, config: WebShopConfig) -> None:
        self.catalogue, index = catalogue, search_index(catalogue)
        engine = Prefixed(catalogue, index) if config.debug_prefixes else index
        self.shop = Shop(catalogue, engine, RULES[config.rules], config.mode, show_attrs=config.show_attrs)
        self.prices = draw_prices(catalogue, config.price_seed)
        self.goals = make_goals(catalogue, self.prices, config.goals, config.goal_seed)
        if not self.goals:
            raise UsageError(
                f"the catalogue '{catalogue.source}' has no {config.goals} goals: its products lack instructions; "
                f"choose goals={'human' if config.goals == 'synthetic' else 'synthetic'} or other data"
            )
        self.scorer = Scorer(catalogue, self.prices, self.shop.choices)
        self.oracle = Oracle(self.shop, self.scorer, self.goals)

    @cached_property
    def table(self) -> TaskTable:
        """The tasks and splits."""
        prefix = GENERATED if self.catalogue.source == GENERATED else "webshop"
        return TaskTable(self.catalogue, self.goals, self.scorer.most, prefix)


def load_world(config: WebShopConfig) -> World:
    """The world of a configuration, made once a process; settings that no world depends on do not make another."""
    shared = config.model_copy(update={"max_steps": 0})
    with _lock:  # threads that start together share one world
        return _made(shared)


@lru_cache(maxsize=8)
def _made(config: WebShopConfig) -> World:
    return World(load_catalogue(config.data, size=config.products, seed=config.seed), config)
