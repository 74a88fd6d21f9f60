"""The open store: one file, and by topic what it holds."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from agentr_core.store.checkpoints import Checkpoints
from agentr_core.store.connection import Connection, default_timeout
from agentr_core.store.copies import Copies
from agentr_core.store.datasets import Datasets
from agentr_core.store.evaluations import Evaluations
from agentr_core.store.events import EpisodePlayed, Event, TreeEnded, TreeGrown, TreeRevised
from agentr_core.store.pages import Pages
from agentr_core.store.revisions import Revisions
from agentr_core.store.runs import Runs
from agentr_core.store.tasks import Tasks
from agentr_core.store.texts import Conversations
from agentr_core.store.tree_tables import Tables, tables_of_tree
from agentr_core.store.tree_views import TreeViews
from agentr_core.store.trees import Trees


def open_store(path: str | Path, *, read_only: bool = False, timeout: float | None = None) -> Store:
    """Open the store at ``path``; unless ``read_only``, make or migrate it where needed.

    ``timeout``: seconds that a write waits for another process. Raises :class:`~agentr_core.errors.StoreError` where
    the file is no database, not agentr's, newer than this agentr, locked, missing (read-only) or not writable.
    """
    timeout = default_timeout() if timeout is None else timeout
    return Store(Connection(Path(path), read_only=read_only, timeout=timeout))


class Store:
    """An open store: each topic reads and writes its own tables. A context manager, or call :meth:`close`.

    Every method that writes is one transaction, or part of the caller's. The verbs are the same in all topics:

    - ``select`` rows by what their columns equal, in order; ``get`` the one of a number, ``find`` the one that people
      mean; ``load`` the record made of it (a tree, a training set); a noun (``stages``, ``samples``, ``results``) reads
      what belongs to a row;
    - ``create`` a row that is always new; ``open`` the one of this identity, made where it is missing; ``finish`` it;
    - ``save`` what is kept in place of what an earlier attempt left.

    What work commits is packed into events first (``growth``, ``ending``, ``revised``, ``played``), by whoever does the
    work; :meth:`apply` stores them.

    Trees are planned together before each is started (``plan``, ``start``).
    """

    def __init__(self, connection: Connection) -> None:
        #: The file itself: its state, backups, and SQL for plugins that own tables.
        self.connection = connection
        self.conversations = Conversations(connection)
        self.runs = Runs(connection)
        self.tasks = Tasks(connection)
        self.trees = Trees(connection, self.conversations, self.tasks)
        self.revisions = Revisions(connection, self.conversations)
        self.datasets = Datasets(connection, self.conversations)
        self.checkpoints = Checkpoints(connection)
        self.evaluations = Evaluations(connection, self.conversations)
        #: Stages of one run for another that would do the same.
        self.copies = Copies(connection)
        #: For those who look: rows a page at a time, and trees without their texts.
        self.pages = Pages(connection)
        self.tree_views = TreeViews(connection, self.trees)

    def apply(self, *events: Event) -> None:
        """Store what work has committed, in their order and in one transaction; what is stored already stays.

        Raises :class:`~agentr_core.errors.StoreError` where something before an event is missing.
        """
        with self.transaction():
            for event in events:
                match event:
                    case TreeGrown():
                        self.trees.grow(event)
                    case TreeEnded():
                        self.trees.end(event)
                    case TreeRevised():
                        self.revisions.put_tree(event)
                        self.trees.put_verdicts(event.verdicts)
                    case EpisodePlayed():
                        self.evaluations.put_result(event)

    def tables_of_tree(self, tree_id: int) -> Tables:
        """All that is stored of a tree, for a store that is to go on with it (``store/tree_tables.py``)."""
        return tables_of_tree(self.connection, tree_id)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.connection.path

    def transaction(self) -> AbstractContextManager[None]:
        """All writes of the block, or none of them. Blocks nest: the outermost one commits."""
        return self.connection.transaction()

    def close(self) -> None:
        """Close the file. May be called twice."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
