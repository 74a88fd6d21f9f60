"""Which of several servers or engines of one model answers for a session.

A session stays where it is: there the prefix cache holds what it has asked. A new one goes where the least is asked,
and among equals to the place that a rendezvous hash names (Thaler and Ravishankar 1998), so that a resumed run finds
its prefixes again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Generic, TypeVar

PlaceT = TypeVar("PlaceT")


class Placement(Generic[PlaceT]):
    """Finds sessions a place. ``name`` tells places apart, ``load`` is how many requests one has at the moment."""

    #: Sessions whose place is remembered; the one not heard of for longest is forgotten first.
    REMEMBERED = 65_536

    def __init__(self, name: Callable[[PlaceT], str], load: Callable[[PlaceT], int]) -> None:
        self._name, self._load = name, load
        self._homes: OrderedDict[str, PlaceT] = OrderedDict()

    def place(self, session: str, among: Sequence[PlaceT]) -> PlaceT:
        """The session's place, a new one where it has none of ``among``, which may not be empty.

        What belongs to no session (``""``) goes where the least is asked, each time.
        """
        home = self._homes.get(session)
        if home is None or home not in among:
            home = self._least(session, among)
            if not session:
                return home
            self._homes[session] = home
            if len(self._homes) > self.REMEMBERED:
                self._homes.popitem(last=False)
        self._homes.move_to_end(session)
        return home

    def _least(self, session: str, among: Sequence[PlaceT]) -> PlaceT:
        least = min(map(self._load, among))
        return max((each for each in among if self._load(each) == least), key=lambda each: self._weight(each, session))

    def _weight(self, place: PlaceT, session: str) -> bytes:
        """The place's rank for a session: the highest wins."""
        return blake2b(f"{self._name(place)}\0{session}".encode("utf-8", "replace"), digest_size=8).digest()
