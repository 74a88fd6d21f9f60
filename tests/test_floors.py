"""The rooms of the core import only downwards, by the one table of CONTRIBUTING.md, and nothing imports in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
CORE = REPOSITORY / "agentr_core"
#: They stand outside: one holds the public names and loads them when asked, the other starts the program.
OUTSIDE = {"__init__", "__main__"}


def floors() -> dict[str, int]:
    """The floor of each room, out of the table."""
    rows = re.findall(r"^\| (\d+) \| ((?:`\w+` ?)+)\|", (REPOSITORY / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    return {room: int(floor) for floor, rooms in rows for room in re.findall(r"`(\w+)`", rooms)}


def modules() -> dict[str, Path]:
    """All modules of the core by dotted name below it; a package by its own name."""
    found = {}
    for path in sorted(CORE.rglob("*.py")):
        parts = path.relative_to(CORE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the core that a file imports anywhere: at its top, in functions, and for type checkers."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "agentr_core":
            below = str(node.module).partition(".")[2]
            for alias in node.names:
                inner = f"{below}.{alias.name}" if below else alias.name
                yield inner if inner in known else below or "__init__"


def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imported(path, known)) for name, path in known.items()}


def room(module: str) -> str:
    return module.partition(".")[0]


def upward(edges: dict[str, set[str]], floor: dict[str, int]) -> list[str]:
    """Imports from a room of the same floor or a higher one."""
    return [
        f"{name} imports {other}"
        for name, others in sorted(edges.items())
        for other in sorted(others)
        if room(name) != room(other) and not OUTSIDE & {room(name), room(other)}
        if floor[room(other)] >= floor[room(name)]
    ]


def test_the_table_names_every_room() -> None:
    assert set(floors()) == {room(name) for name in modules()} - OUTSIDE


def test_no_room_imports_from_its_own_floor_or_a_higher_one() -> None:
    assert upward(graph(), floors()) == []


def test_the_core_takes_nothing_from_its_own_public_face() -> None:
    """Who imports a name from the package does not say where it is."""
    takers = {name: others & OUTSIDE for name, others in graph().items() if room(name) not in OUTSIDE | {"cli"}}
    assert {name for name, taken in takers.items() if taken} == set()


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Modules that import each other, one after the other; none where there is no circle."""
    try:
        TopologicalSorter({name: others - {name} for name, others in edges.items()}).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_two_modules_import_each_other() -> None:
    assert circle({name: others for name, others in graph().items() if name not in OUTSIDE}) == []


def test_a_circle_would_be_found() -> None:
    assert circle({"errors": {"errors"}, "store": {"errors"}}) == []
    assert set(circle({"errors": {"runs"}, "runs": {"store"}, "store": {"errors"}})) == {"errors", "runs", "store"}


def test_an_upward_import_would_be_found() -> None:
    assert upward({"search.stage": {"revise.stage", "errors"}}, floors()) == ["search.stage imports revise.stage"]
    assert upward({"store.trees": {"runs.report"}}, floors()) == ["store.trees imports runs.report"]


@pytest.mark.parametrize("path", sorted(CORE.glob("*/__init__.py")), ids=lambda path: path.parent.name)
def test_every_room_says_what_lives_there(path: Path) -> None:
    assert len(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") > 60


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not {"util", "utils", "helpers", "common", "base", "misc"} & {
        part for name in modules() for part in name.split(".")
    }


def named_places(document: str) -> list[tuple[str, str]]:
    """The pairs of file and function that a document names as `file`: `function`."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    return re.findall(r"`([\w/]+\.py)`: `([\w.]+)`", text)


def defined(path: Path) -> set[str]:
    """Functions and methods of a file by qualified name."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{item.name}"
                for item in node.body
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/how-it-works.md"])
def test_the_places_that_documents_name_are_there(document: str) -> None:
    places = named_places(document)
    assert len(places) >= 6
    assert [f"{file}: {name}" for file, name in places if name not in defined(REPOSITORY / file)] == []


def test_the_walk_has_four_ways_of_at_most_six_stops_and_none_is_visited_twice() -> None:
    text = (REPOSITORY / "docs/how-it-works.md").read_text(encoding="utf-8")
    walk = text.partition("## A walk through the code")[2].partition("\n## ")[0]
    ways = [re.findall(r"^\d\. `(\S+)`: `(\S+)`", way, re.MULTILINE) for way in re.split(r":\n\n", walk)[1:]]
    assert len(ways) == 4 and all(1 < len(way) <= 6 for way in ways)
    stops = [stop for way in ways for stop in way]
    assert len(set(stops)) == len(stops)
