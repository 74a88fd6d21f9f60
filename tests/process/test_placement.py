"""Sessions find their place among several servers or engines."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agentr_core import Placement


@dataclass(eq=False)
class Place:
    name: str
    load: int = 0


@pytest.fixture
def places() -> list[Place]:
    return [Place(name) for name in "abc"]


@pytest.fixture
def placement() -> Placement[Place]:
    return Placement[Place](name=lambda place: place.name, load=lambda place: place.load)


def test_a_session_stays_however_busy_its_place_is(placement: Placement[Place], places: list[Place]) -> None:
    home = placement.place("tree 1", places)
    home.load = 99
    assert placement.place("tree 1", places) is home
    assert placement.place("tree 2", places) is not home


def test_a_new_session_goes_where_the_least_is_asked(placement: Placement[Place], places: list[Place]) -> None:
    places[0].load, places[1].load, places[2].load = 3, 1, 2
    assert {placement.place(f"tree {number}", places).name for number in range(20)} == {"b"}


def test_sessions_that_ask_at_once_are_spread_evenly(placement: Placement[Place], places: list[Place]) -> None:
    for number in range(30):
        placement.place(f"tree {number}", places).load += 1
    assert [place.load for place in places] == [10, 10, 10]


def test_among_equals_the_name_of_the_session_decides_in_any_process(places: list[Place]) -> None:
    homes = []
    for order in (places, places[::-1]):
        anew = Placement[Place](name=lambda place: place.name, load=lambda place: place.load)
        homes.append([anew.place(f"tree {number}", order).name for number in range(40)])
    assert homes[0] == homes[1] and set(homes[0]) == {"a", "b", "c"}


def test_a_session_whose_place_is_left_out_moves_and_stays_there(
    placement: Placement[Place], places: list[Place]
) -> None:
    first = placement.place("tree", places)
    left = [place for place in places if place is not first]
    second = placement.place("tree", left)
    assert second in left
    assert placement.place("tree", places) is second


def test_what_belongs_to_no_session_goes_where_the_least_is_asked_each_time(
    placement: Placement[Place], places: list[Place]
) -> None:
    first = placement.place("", places)
    first.load = 1
    assert placement.place("", places) is not first


def test_the_session_not_heard_of_for_longest_is_forgotten(
    placement: Placement[Place], places: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Placement, "REMEMBERED", 2)
    homes = [placement.place(session, places) for session in ("old", "used")]
    placement.place("old", places)  # now "used" is the one not heard of for longest
    placement.place("new", places)
    for place in places:
        place.load = int(place in homes)  # whoever is placed anew goes elsewhere
    assert placement.place("old", places) is homes[0]
    assert placement.place("used", places) is not homes[1]
