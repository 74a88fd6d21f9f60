"""A session at a server: its id, opened when it is first needed and given back on every path.

Servers number sessions, and some begin at 0 again when they are started again. So an id that is handed out twice tells
that the first holder's session is gone with an earlier life of the server: it is taken from it, and that holder plays
its episode again in a new session. Where a server cannot close sessions, ids are kept for the next who needs one.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from agentr_agentgym.connection import Connection, Failed, NoSuchPage, unexpected
from agentr_agentgym.servers import Server

#: Seconds that giving an id back may take: nobody waits for more than that when a run ends.
CLOSE_SECONDS = 3.0
#: Seconds for which a server that could not be reached is not bothered with giving back: a run may hold many sessions.
LEFT_ALONE_SECONDS = 30.0

_lock = threading.Lock()
_open: defaultdict[str, dict[Any, Lease]] = defaultdict(dict)
_parked: defaultdict[str, list[Any]] = defaultdict(list)
#: When a server could last not be reached.
_away: dict[str, float] = {}


class Lease:
    """One session of the server ``server`` at ``url``."""

    def __init__(self, url: str, server: Server, timeout: float) -> None:
        self._server, self._place = server, f"{url}/{server.under}"
        self._connection = Connection(url, timeout)
        self._number: Any = None

    @property
    def held(self) -> bool:
        """True while there is a session."""
        return self._number is not None

    def open(self) -> None:
        """Have a session; :class:`Failed` where the server gives none."""
        with _lock:
            _away.pop(self._place, None)
            number = _parked[self._place].pop() if _parked[self._place] else None
        if number is None:
            number = self._created(self._connection.post(f"{self._server.under}create", self._server.create))
        with _lock:
            before = _open[self._place].pop(number, None)
            if before is not None:
                before._number = None
            _open[self._place][number], self._number = self, number

    def post(self, path: str, fields: Mapping[str, Any]) -> Any:
        """Ask for ``path`` with this session's id."""
        body = {self._server.id_field: self._number, **fields}
        return self._connection.post(f"{self._server.under}{path}", body)

    def get(self, path: str) -> Any:
        """Ask for ``path`` with this session's id."""
        return self._connection.get(f"{self._server.under}{path}", {self._server.id_field: self._number})

    def drop(self) -> None:
        """Something failed: give the session up, and never use its id again."""
        self._give_back(park=False)

    def close(self) -> None:
        """Give the session back. May be called twice, and when the interpreter ends."""
        self._give_back(park=True)

    def _give_back(self, *, park: bool) -> None:
        with _lock:
            number, self._number = self._number, None
            if number is None or _open[self._place].pop(number, None) is None:
                self._connection.close()
                return
        self._connection.close()
        if time.monotonic() - _away.get(self._place, -LEFT_ALONE_SECONDS) < LEFT_ALONE_SECONDS:
            return
        closing = Connection(self._connection.url, CLOSE_SECONDS)
        try:
            closing.post(f"{self._server.under}close", {self._server.id_field: number})
        except NoSuchPage:
            if park:
                with _lock:
                    _parked[self._place].append(number)
        except Failed as failed:  # it is gone, or the server is: there is nothing left to give back
            if failed.away:
                _away[self._place] = time.monotonic()
        finally:
            closing.close()

    def _created(self, said: Any) -> Any:
        number = said.get(self._server.created) if isinstance(said, dict) and self._server.created else said
        if not isinstance(number, int | str):
            raise unexpected(self._connection.url, "create", said)
        return number
