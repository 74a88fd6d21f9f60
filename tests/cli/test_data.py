"""``agentr data``: what a plugin can fetch, behind its own command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentr_core.cli.main import main
from agentr_core.registry.lookup import use

PLUGIN = """
import click
from agentr_core import CommandSpec, hookimpl

@hookimpl
def agentr_register_data():
    return [CommandSpec("maps", "maps_plugin:maps", help="Maps of all warehouses.")]

@click.command()
@click.option("--scale", default=1)
def maps(scale):
    "Fetch the maps."
    click.echo(f"maps at 1:{scale}")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "maps_plugin.py"
    file.write_text(PLUGIN)
    use(None)
    yield str(file)
    use(None)
    sys.modules.pop("maps_plugin", None)


def test_a_plugin_brings_data(plugin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--plugin", plugin, "data", "get", "maps", "--scale", "50"]) == 0
    assert capsys.readouterr().out == "maps at 1:50\n"
    assert main(["--plugin", plugin, "data", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"name": "maps", "summary": "Maps of all warehouses."} in rows
    assert main(["--plugin", plugin, "data", "get", "--help"]) == 0
    assert "Fetch the maps." in capsys.readouterr().out
    assert main(["--plugin", plugin, "plugins", "list"]) == 0
    assert "agentr data get maps" in capsys.readouterr().out


def test_an_unknown_name(plugin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--plugin", plugin, "data", "get", "map"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no data set is called 'map'; there are: ")
    assert "maps" in error
