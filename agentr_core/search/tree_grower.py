"""One tree grown to its end, each simulation committed by itself: in this process, or in a worker's."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.interfaces.tree import Node, Tree, take_apart
from agentr_core.play.admission import Admission
from agentr_core.play.in_flight import ENDS_ALL
from agentr_core.run_context import RunContext, TreeWork, tree_session
from agentr_core.search.search_context import Save, TreeContext
from agentr_core.store import TreeRow

logger = logging.getLogger("agentr.search")


@dataclass(slots=True)
class TreeGrower:
    """Grows trees with one policy and searcher; ``admission`` is told what each takes of the engine.

    ``then`` is called with each tree that is done. ``turned`` is told each time a node of a tree has been expanded how
    many were since its last commit.
    """

    context: RunContext
    policy: AnyPolicy
    searcher: AnySearcher
    admission: Admission
    then: TreeWork | None = None
    turned: Callable[[TreeRow, Tree, int], None] = lambda row, tree, turns: None

    async def grow(self, row: TreeRow) -> None:
        """Grow one tree to its end, or until the run is stopped; a tree that is half grown goes on where it stopped."""
        try:
            # As it is stored now: where this is a second try, the first may have brought it further.
            await self._grow(self.context.store.trees.get(row.id))
        finally:
            self.admission.end(tree_session(row))

    async def _grow(self, row: TreeRow) -> None:
        context, started = self.context, time.perf_counter()
        search_context = await self._open(row)
        try:
            tree = await self.searcher.search(search_context.tree.task, search_context)
        finally:
            search_context.close()
        if context.stopped() and tree.simulations < self.searcher.simulations and not tree.root.exhausted:
            return
        elapsed = time.perf_counter() - started
        await context.commit(context.store.trees.ending(row.id, tree, search_context.costs(), elapsed))
        take_apart(tree)
        if self.then is not None and not context.stopped():  # a revision that is cut short is thrown away
            await self._then(self.then, row)

    async def _open(self, row: TreeRow) -> TreeContext:
        context = self.context
        task = context.store.tasks.get(row.task_id).task()
        return await TreeContext.open(
            task,
            pool=context.worlds.of(task).pool,
            policy=self.policy,
            save=self._saving(row),
            seed=row.seed,
            session=tree_session(row),
            tree=context.store.trees.load(row.id) if row.n_nodes else None,
            stop=context.stopped,
            admission=self.admission,
            revision_action=context.config.revise.revision_action,
            turned=lambda tree, turns: self.turned(row, tree, turns),
        )

    def _saving(self, row: TreeRow) -> Save:
        place = (row.simulations, row.n_nodes)

        async def save(tree: Tree, new: Sequence[Node], touched: Sequence[Node]) -> None:
            nonlocal place
            event = self.context.store.trees.growth(row.id, place, tree, new, touched)
            place = event.after
            await self.context.commit(event)

        return save

    async def _then(self, work: TreeWork, row: TreeRow) -> None:
        try:
            await work(self.context.store.trees.get(row.id), self.admission)
        except ENDS_ALL:
            raise
        except Exception as error:  # the stage that this is work for tries again, and tells the user
            logger.debug("tree %s was not worked on ahead: %s", row.id, error)
