"""TextCraft: craft a goal item from a list of crafting commands, by fetching and crafting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from agentr_core import Environment, Observation, ParsedAction, PluginConfig, StepResult, Task
from agentr_textcraft.answers import parse_as_agentgym
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.recipes import Ingredient, command, text_of
from agentr_textcraft.rules import AGENTGYM, Inventory
from agentr_textcraft.strict import STRICT
from agentr_textcraft.world import load_world

_RULES = {"agentgym": AGENTGYM, "strict": STRICT}
_ENDED, _NOT_STARTED = "the episode has ended: call reset first", "there is no episode: call reset first"

_INSTRUCTIONS = """\
You are playing a crafting game. You are shown a list of crafting commands and a goal, and you start with nothing. \
Make the goal item, one action at a time. There are three actions:
- get N ITEM: fetch N of an item. Only items that no command makes can be fetched.
- craft N ITEM using N ITEM, N ITEM: carry out one of the listed commands. You must carry all of its ingredients.
- inventory: see what you carry.
Some commands name a kind of item, such as planks, where any item of that kind will do: name the one you carry, such \
as oak planks. Some commands are of no use for your goal. {notes}
Answer each time with your reasoning and then exactly one action, in this form:
Thought: ...
Action: ..."""


#: Goal, what is carried (in order), steps done, ended.
State = tuple[str, tuple[tuple[str, int], ...], int, bool]


class TextCraft(Environment[TextCraftConfig]):
    """TextCraft (ADaPT; AgentGym) over an immutable recipe book."""

    config_class: ClassVar[type[PluginConfig]] = TextCraftConfig
    supports_snapshot: ClassVar[bool] = True
    domain: ClassVar[str] = "a crafting game"
    full_stops: ClassVar[bool] = False

    def __init__(self, config: TextCraftConfig) -> None:
        super().__init__(config)
        self._world = load_world(config.world, *((config.seed, config.depth) if config.world == "synthetic" else ()))
        self._book, self._rules = self._world.book, _RULES[config.rules]
        self._goal: str | None = None
        self._inventory: Inventory = {}
        self._steps, self._done = 0, False

    @property
    def version(self) -> str:
        """Rules, recipe book and all settings that an observation depends on."""
        config = self.config
        return (
            f"textcraft-1/{config.rules}/{self._book.version[:16]}"
            f"/seed={config.seed}/distractors={config.distractors}/max_steps={config.max_steps}"
        )

    def instructions(self, task: Task) -> str:
        """The rules of the game and the ReAct answer format."""
        return _INSTRUCTIONS.format(notes=self._rules.notes)

    def splits(self) -> Sequence[str]:
        """See :mod:`agentr_textcraft.tasks`."""
        return tuple(self._world.table.splits)

    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of a split, shallow goals first (``adapt``: deep ones first)."""
        return self._world.table.tasks(split)

    def task(self, key: str) -> Task:
        """The task with this key, ``textcraft_17`` or ``adapt_3``."""
        return self._world.table.task(key)

    def task_for(self, goal: str) -> Task:
        """The task of crafting ``goal`` ("oak door"); :class:`~agentr_core.UsageError` where nothing makes it."""
        return self._world.table.task_for(text_of(self._world.goal(goal)))

    def reset(self, task: Task) -> Observation:
        """Start with an empty inventory; the observation lists the commands and the goal."""
        self._goal = self._world.goal_of(task)
        self._inventory, self._steps, self._done = {}, 0, False
        return self._world.first_observation(self._goal, self.config.seed, self.config.distractors)

    def step(self, action: str) -> StepResult:
        """Do one action: reward 1 and the end when the goal has been crafted, else 0."""
        if self._goal is None or self._done:
            raise RuntimeError(_ENDED if self._done else _NOT_STARTED)
        outcome = self._rules.act(self._book, self._inventory, action)
        self._steps += 1
        success = outcome.made == self._goal
        truncated = not success and self._steps == self.config.max_steps
        self._done = success or truncated
        return StepResult(
            observation=outcome.text,
            reward=float(success),
            score=float(success),
            terminated=success,
            truncated=truncated,
            info={"invalid": True} if outcome.invalid else {},
        )

    def snapshot(self) -> State:
        """A small immutable tuple; ``RuntimeError`` before the first reset."""
        return (self._started(), tuple(self._inventory.items()), self._steps, self._done)

    def restore(self, snapshot: State) -> None:
        """Put back what :meth:`snapshot` gave, also one of another instance."""
        self._goal, held, self._steps, self._done = snapshot
        self._inventory = dict(held)

    def state_key(self) -> str:
        """Goal and inventory. Under AgentGym's rules the order of the items counts, because ``inventory`` shows it.

        The number of steps does not count: coming back to an inventory is a loop, whenever it happens.
        """
        held = self._inventory.items() if self._rules.ordered else sorted(self._inventory.items())
        return f"{self._started()}|{self._done:d}|" + ",".join(f"{item}={count}" for item, count in held)

    def legal_actions(self) -> Sequence[str]:
        """What can be done with the goal's recipes now: crafts whose ingredients are carried, fetching, looking."""
        tree = self._book.closure(self._started())
        crafts = (self._fill(recipe.inputs, recipe.output, recipe.count) for recipe in tree)
        gets = (
            f"get {item.count} {text_of(item.name)}"
            for recipe in tree
            for item in recipe.inputs
            if self._book.fetchable(item.name)
        )
        return list(dict.fromkeys([*(line for line in crafts if line), *gets, "inventory"]))

    def demonstrate(self, task: Task) -> Sequence[str] | None:
        """A shortest plan of the oracle, fetching all that is needed of an item at once."""
        return self._world.planner.plan(self._world.goal_of(task), {})

    def distance(self) -> float | None:
        """The number of steps of the oracle's plan from here."""
        return self._world.planner.distance(self._started(), self._inventory)

    def parse_as_agentgym(self, response: str) -> ParsedAction:
        """What AgentGym's client of TextCraft takes; see :mod:`agentr_textcraft.answers`."""
        return parse_as_agentgym(response)

    def _started(self) -> str:
        if self._goal is None:
            raise RuntimeError(_NOT_STARTED)
        return self._goal

    def _fill(self, slots: Sequence[Ingredient], output: str, count: int) -> str | None:
        """The craft command with each generic ingredient filled from the inventory; None where something is missing."""
        inputs: list[tuple[int, str]] = []
        for slot in slots:
            enough = sorted(item for item, held in self._inventory.items() if held >= slot.count)
            item = next((item for item in enough if self._book.fits(item, slot)), None)
            if item is None:
                return None
            inputs.append((slot.count, item))
        return command(count, output, inputs)
