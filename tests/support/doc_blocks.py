"""The code blocks of a documentation page, and how each of them is run or checked."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from markdown_it import MarkdownIt

from agentr_core.cli.main import cli
from agentr_core.cli.options import resolve_settings

REPOSITORY = Path(__file__).parents[2]
#: The pages that a person reads from top to bottom; those below ``reference`` are made from the code.
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
#: What a block may be of. ``text`` is for people alone.
LANGUAGES = {"python", "sh", "console", "toml", "json", "sql", "text"}
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*$")
_FILE = re.compile(r"`([\w.-]+\.(?:py|toml|json|jsonl))`")
#: Commands that are described before they are there: none may stay in this list.
COMING: set[str] = set()
#: Plugins that a reader makes by following a page.
OWN = {"warehouse"}
#: What a shell has to read: pipes, several commands, variables, loops.
_SHELL = re.compile(r"[|>&;$]|^\s*(for|do|done|cd|export)\b")


@dataclass(frozen=True)
class Block:
    """One code block. ``file``: what the line above says to call it; ``not_run``: why it is not run."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None
    not_run: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order; an indented block has the language ``indented``."""
    text = page.read_text(encoding="utf-8")
    lines, found = text.splitlines(), []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("fence", "code_block") and token.map:
            above = "\n".join(lines[: token.map[0]]).rstrip()
            reason, last = _NOT_RUN.search(above), above.rpartition("\n")[2]
            name = _FILE.search(last) if last.endswith(":") else None
            language = token.info.strip() if token.type == "fence" else "indented"
            found.append(Block(page, token.map[0] + 1, language, token.content, name and name[1], reason and reason[1]))  # type: ignore[arg-type]
    return found


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a shell block, and the output that stands below it (of ``console`` blocks alone)."""
    text = block.text.replace("\\\n", " ")
    if block.language == "sh":
        whole = [text] if re.search(r"^(for|cd) ", text, re.MULTILINE) else text.splitlines()
        yield from ((line, []) for line in whole if line.strip() and not line.lstrip().startswith("#"))
        return
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output.splitlines()


def words(command: str) -> list[str]:
    """The words of a simple command, without comment and elisions."""
    return [word for word in shlex.split(command, comments=True) if word != "…"]


def needs_a_shell(command: str) -> bool:
    """Whether ``command`` is more than a program with its arguments."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", command)
    return bool(_SHELL.search(bare)) or "=" in bare.split(" ", 1)[0]


def check(command: str) -> None:
    """Raise where a command that is not run cannot be right: options, settings, extras and targets must exist."""
    for name, first in re.findall(r"\bfor (\w+) in (\S+)", command):
        command = command.replace(f"${name}", first)
    for part in re.split(r"&&|\|\||[|;\n]|\bdo\b", command):
        found = words(part)
        while found and ("=" in found[0] or found[0] in ("nohup", "time")):
            found = found[1:]
        if not found:
            continue
        program = found[0].rpartition("/")[2]
        if program == "agentr":
            parse(found[1:])
        elif program == "pip":
            _extras_exist(part)
        elif program == "make":
            _targets_exist(found[1:])


def parse(arguments: list[str]) -> None:
    """What click and the settings say of a command line; nothing is run. Raises what the program would tell."""
    context = click.Context(cli, info_name="agentr")
    arguments = _without_redirections(arguments)
    with_plugin = arguments[0] == "--plugin"
    if with_plugin:
        arguments = arguments[2:]
    if arguments[0] in COMING or (with_plugin and cli.get_command(context, arguments[0]) is None):
        return
    name, command, rest = cli.resolve_command(context, arguments)
    while isinstance(command, click.Group):
        context = command.make_context(name, rest, parent=context)
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    if "--help" in rest:
        return
    made = command.make_context(name, [*rest], parent=context)
    known = not with_plugin and not any(map(_is_placeholder, rest))
    if known and {"options", "env", "policy"} <= set(made.params):
        resolve_settings(made, require=False)


def _is_placeholder(word: str) -> bool:
    """A file that a reader has to have, or a module or plugin of theirs."""
    return word in OWN or (word.endswith(".toml") and not Path(word).is_file()) or (":" in word and "://" not in word)


def _without_redirections(arguments: list[str]) -> list[str]:
    place = next((n for n, word in enumerate(arguments) if word in (">", "2>", "<", "&")), len(arguments))
    return arguments[:place]


def _extras_exist(command: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extras in re.findall(r"agentr-core\[([^\]]+)\]", command):
        missing = set(extras.split(",")) - set(project["optional-dependencies"])
        assert not missing, f"there is no extra {missing}"


def _targets_exist(arguments: list[str]) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in arguments:
        assert "=" in target or re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"no target {target}"
