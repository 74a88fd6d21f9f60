"""The reference of the public names and of the hooks, from signatures and docstrings."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

import agentr_core
from agentr_core.registry import events, hooks
from agentr_core.registry.specs import CommandSpec, Finding, ModelSpec, PluginSpec
from tools.docs.words import code, docstring, marked, page, table

ABOUT = """\
Every public name of `agentr_core`, with its signature and what its docstring says. The same names, a line each and
shelf by shelf, are in [Public names](../public-names.md)."""
ABOUT_HOOKS = """\
A plugin is a module with functions of these names, marked with `agentr_core.hookimpl`. Those that begin with
`agentr_register` return what the plugin brings, `agentr_findings` what it says in `agentr doctor`; the others are told
what has happened in a run, one event each.
[Plugins](../plugins.md) says how a package makes its module known."""
SHELVES = {
    "For every author of a plugin": agentr_core._AUTHOR,
    "For plugins with an engine, files or commands of their own": agentr_core._ENGINE,
    "For scripts and notebooks": agentr_core._SCRIPT,
}


def api_page() -> str:
    """The page of the public names."""
    return page("Python API", ABOUT, _shelves(SHELVES))


def hooks_page() -> str:
    """The page of the hooks, what they return and what they are told."""
    return page("Hooks", ABOUT_HOOKS, _hooks())


def _shelves(shelves: Mapping[str, Mapping[str, list[str]]]) -> Iterator[str]:
    for title, shelf in shelves.items():
        yield f"## {title}"
        for name in sorted((name for names in shelf.values() for name in names), key=str.lower):
            module = next(module for module, names in shelf.items() if name in names)
            yield from _name(name, f"agentr_core.{module}")


def _name(name: str, module: str) -> Iterator[str]:
    yield f"### {name}"
    thing = getattr(agentr_core, name)
    if inspect.isclass(thing):
        yield from _class(thing)
    elif inspect.isroutine(thing):
        yield _signature(name, thing)
        yield docstring(thing)
    else:
        yield from _value(name, inspect.getmodule(hooks) if not module else __import__(module, fromlist=["_"]))


def _class(thing: type) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in thing.__bases__ if base.__module__.startswith("agentr"))
    yield f"```text\nclass {thing.__name__}{f'({bases})' if bases else ''}\n```"
    yield docstring(thing)
    if rows := list(_fields(thing)):
        yield table(("field", "type", "default"), rows)
    for name, member in vars(thing).items():
        routine = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if not name.startswith("_") and name != "model_post_init" and inspect.getdoc(routine):
            if inspect.isfunction(routine):
                yield _signature(f"{thing.__name__}.{name}", routine)
                yield docstring(routine)
            elif isinstance(routine, property):
                yield f"```text\n{thing.__name__}.{name}\n```"
                yield docstring(routine)


def _fields(thing: type) -> Iterator[tuple[str, str, str]]:
    fields: Iterable[Any] = dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ()
    for field in fields:
        if not field.name.startswith("_"):
            yield code(field.name), code(field.type), _default(field)
    for name, info in getattr(thing, "model_fields", {}).items():
        annotation = thing.__annotations__.get(name, "")
        default = "" if info.is_required() else code(repr(info.get_default(call_default_factory=True)))
        yield code(name), code(annotation), default


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return code(repr(field.default))
    return code("...") if field.default_factory is not dataclasses.MISSING else ""


def _signature(name: str, thing: Any) -> str:
    head = "async def" if inspect.iscoroutinefunction(thing) else "def"
    said = re.sub(r"agentr_core\.[\w.]+\.", "", str(inspect.signature(thing)).replace("'", ""))
    said = re.sub(r"<.*? object at 0x\w+>|<function .*? at 0x\w+>", "...", said)
    return f"```text\n{head} {name}{said}\n```"


def _value(name: str, module: ModuleType | None) -> Iterator[str]:
    """A constant or type: its definition as it stands in the module, with the comment above it."""
    source = inspect.getsource(module) if module else ""
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            comments: list[str] = []
            for line in reversed(source.splitlines()[: node.lineno - 1]):
                if not line.startswith("#:"):
                    break
                comments.insert(0, line.removeprefix("#:").strip())
            yield f"```text\n{ast.get_source_segment(source, node)}\n```"
            if comments:
                yield marked(" ".join(comments))


def _hooks() -> Iterator[str]:
    yield "## The hooks"
    for name, hook in vars(hooks).items():
        if name.startswith("agentr_") and inspect.isfunction(hook):
            yield f"### {name}"
            yield _signature(name, hook)
            yield docstring(hook)
    yield "## What they return"
    for spec in (PluginSpec, CommandSpec, ModelSpec, Finding):
        yield f"### {spec.__name__}"
        yield from _class(spec)
    yield "## What observers are told"
    for name, event in vars(events).items():
        if inspect.isclass(event) and event.__module__ == events.__name__:
            yield f"### {name}"
            yield from _class(event)
