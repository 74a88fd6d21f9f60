"""A value model that guides the search: what unvisited children are worth, and which candidates are done at all.

Each state is asked about once, and the answer stays with its node: a search that goes on asks nothing again.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentr_training.value_model import ValueModel

from agentr_core import Message, Node, SearchContext, gather_all
from agentr_mcts.config import MCTSConfig
from agentr_mcts.priors import KEPT, VALUE


class Guide:
    """Asks the value model that ``config`` names, which is loaded when it is first asked."""

    def __init__(self, config: MCTSConfig) -> None:
        options = {**config.value_options, "model": config.value_model}
        self.model = ValueModel(config.value_policy, options, setting="mcts.value_model")

    async def look_at(self, context: SearchContext, children: Sequence[Node]) -> None:
        """Let every child that the search may go on from keep what it is worth: None where that cannot be asked."""
        new = [child for child in children if not child.terminal and VALUE not in child.info.get(KEPT, {})]
        values = await gather_all(self.model.value(context.tree.messages(child), context.count) for child in new)
        for child, value in zip(new, values, strict=True):
            child.info = {**child.info, KEPT: {**child.info.get(KEPT, {}), VALUE: value}}

    async def best(self, context: SearchContext, node: Node, turns: Sequence[str], most: int) -> list[int]:
        """The places of the ``most`` turns at ``node`` that are worth most, in their order; of equals the first."""
        if len(turns) <= most:
            return list(range(len(turns)))
        before = context.tree.messages(node)
        said = ((*before, Message("assistant", turn)) for turn in turns)
        asked = (self.model.value_before(messages, context.count) for messages in said)
        values = [-1.0 if value is None else value for value in await gather_all(asked)]
        return sorted(sorted(range(len(turns)), key=lambda place: -values[place])[:most])

    async def close(self) -> None:
        """Release the model."""
        await self.model.close()
