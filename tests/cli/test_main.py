"""The program as a whole: what it imports, how it fails, and what the codes are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agentr_core import __version__
from agentr_core.cli import main as program
from agentr_core.errors import AgentrError, ExitCode, NothingToDo, PartialFailure, PluginError
from agentr_core.registry.lookup import use

NEVER_FOR_HELP = {
    "accelerate", "datasets", "json", "numpy", "pluggy", "pydantic", "rich", "sqlite_utils", "tokenizers", "torch",
    "transformers", "trl",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    use(None)
    yield
    use(None)


def agentr(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agentr_core", *arguments], capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], [], ["--version"]], ids=str)
def test_help_imports_click_and_nothing_else(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from agentr_core.cli.main import main\n"
        f"code = main({arguments!r})\n"
        "print('\\n'.join({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout
    assert not set(result.stderr.split()) & NEVER_FOR_HELP


def test_help_imports_few_modules_of_agentr() -> None:
    program = [sys.executable, "-X", "importtime", "-m", "agentr_core", "--help"]
    lines = subprocess.run(program, capture_output=True, text=True, check=True).stderr.splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines}
    own = {name for name in imported if name.startswith("agentr_core")}
    below = {f"agentr_core.{name}" for name in ("cli", "cli.main", "cli.options", "cli.streams", "errors")}
    assert own == {"agentr_core", *below}


def test_the_module_and_the_script_are_the_same_program() -> None:
    script = Path(sys.executable).parent / "agentr"
    if not script.exists():
        pytest.skip("agentr is not installed as a script here")
    by_script = subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
    assert agentr("--help").stdout == by_script
    assert by_script.startswith("Usage: agentr ")


def test_every_command_of_the_table_exists_and_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in program.TARGETS:
        assert program.main([name, "--help"]) == 0, name
        assert f"Usage: agentr {name}" in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--version"]) == 0
    assert capsys.readouterr().out == f"agentr {__version__}\n"


def test_settings_are_shown_with_their_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    assert program.main(["plugins", "show", "transformers", "--json"]) == 0
    [shown] = json.loads(capsys.readouterr().out)
    options = shown["options"]
    assert options["template_options"]["default"] == {} and options["max_rows"]["default"] == 256
    assert "required" not in [each["default"] for each in options.values()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trianing"], "error: there is no command 'trianing'. Did you mean 'train'?"),
        (["benhc"], "error: there is no command 'benhc'. Did you mean 'bench'?"),
        (["xyzzy"], "error: there is no command 'xyzzy'."),
        (["plugins", "lits"], "error: no such command 'lits'."),
        (["config", "show", "--itertions", "3"], "error: no such option '--itertions'."),
        (["config", "show", "--iterations", "three"], "error: invalid value for '--iterations'"),
        (["plugins", "show", "textcarft"], "error: no plugin is called 'textcarft'. Did you mean 'textcraft'?"),
        (["config", "schema", "env"], "error: name a kind"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert program.main(arguments) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert any(line.startswith(message) for line in printed.err.splitlines()), printed.err
    assert "Traceback" not in printed.err and printed.out == ""


def command_that_raises(error: BaseException) -> click.Command:
    def callback() -> None:
        raise error

    return click.Command("broken", callback=callback)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (AgentrError("it failed; do this"), 1, "error: it failed; do this"),
        (PartialFailure("2 of 9 trees failed"), 3, "error: 2 of 9 trees failed"),
        (PluginError("bad plugin"), 4, "error: bad plugin"),
        (NothingToDo("no such tree"), 5, "error: no such tree"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.UsageError("No good."), 2, "error: no good."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_codes_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, text: str
) -> None:
    monkeypatch.setattr(program, "_import_command", lambda target: command_that_raises(error))
    assert program.main(["doctor"]) == code
    printed = capsys.readouterr()
    assert text in printed.err and "Traceback" not in printed.err and printed.out == ""


def test_debug_shows_where_an_error_comes_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTR_DEBUG", "1")
    monkeypatch.setattr(program, "_import_command", lambda target: command_that_raises(AgentrError("it failed")))
    assert program.main(["doctor"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_error_that_is_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_import_command", lambda target: command_that_raises(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        program.main(["doctor"])


def test_a_plugin_adds_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "greeting_plugin.py"
    file.write_text(
        "import click\n"
        "from agentr_core import CommandSpec, hookimpl\n"
        "@hookimpl\n"
        "def agentr_register_commands():\n"
        "    return [CommandSpec('greet', 'greeting_plugin:greet', help='Say hello.')]\n"
        "@click.command()\n"
        "def greet():\n"
        "    click.echo('hello from a plugin')\n"
    )
    assert program.main(["--plugin", str(file), "greet"]) == 0
    assert capsys.readouterr().out == "hello from a plugin\n"
    assert program.main(["--plugin", str(file), "plugins", "list"]) == 0
    assert "agentr greet" in capsys.readouterr().out
    use(None)
    assert program.main(["greet"]) == 2
