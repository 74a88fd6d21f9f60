"""Finding and loading plugin modules: entry points of the group ``agentr``, and files or modules named by the user.

Allow and block lists apply before anything is imported, one broken plugin never breaks the rest, and what it had
half registered is taken back. Only pluggy's public face is used; distributions come from the entry points themselves.

    AGENTR_PLUGINS=a,b           load only these (entry-point or distribution names; empty: none)
    AGENTR_DISABLE_PLUGINS=a,b   never load these
    AGENTR_STRICT_PLUGINS=1      a broken plugin is an error, not a warning
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from agentr_core.errors import AgentrError, PluginError, UsageError
from agentr_core.registry import hooks
from agentr_core.registry.specs import KINDS, PROJECT, CommandSpec, ModelSpec, PluginSpec

SpecT = TypeVar("SpecT")
GROUP = "agentr"
HOOK_OF_KIND = {
    "env": "agentr_register_environments",
    "policy": "agentr_register_policies",
    "searcher": "agentr_register_searchers",
    "critic": "agentr_register_critics",
    "trainer": "agentr_register_trainers",
    "executor": "agentr_register_executors",
}
logger = logging.getLogger("agentr.plugins")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin module, where it comes from and what it registers.

    ``name``: its entry point, or the file or module the user named. ``distribution`` and ``version``: of the installed
    package, or the file and the hash of its content.
    """

    name: str
    module: str
    distribution: str
    version: str
    hooks: tuple[str, ...] = ()
    specs: tuple[PluginSpec, ...] = ()
    commands: tuple[CommandSpec, ...] = ()
    data: tuple[CommandSpec, ...] = ()
    models: tuple[ModelSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A plugin that could not be loaded, and why."""

    name: str
    distribution: str
    version: str
    reason: str

    def __str__(self) -> str:
        return f"plugin '{self.name}' of {self.distribution} {self.version} was not loaded: {self.reason}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that one pass of loading found."""

    manager: pluggy.PluginManager
    plugins: tuple[Plugin, ...]
    failures: dict[str, Failure]
    blocked: tuple[str, ...]


def load(files: Sequence[str] = (), blocked: Sequence[str] = ()) -> Loaded:
    """Load every plugin that is allowed, by name, then ``files`` (paths of ``.py`` files, or importable modules).

    A broken entry point is a warning and a :class:`Failure` (a :class:`PluginError` under ``AGENTR_STRICT_PLUGINS``);
    a broken file is always a :class:`PluginError`, because the user named it. ``blocked`` are entry-point or
    distribution names; one that does not exist is a :class:`UsageError`.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hooks)
    found = sorted(entry_points(group=GROUP), key=lambda point: (point.name, _distribution(point)))
    _check_names(blocked, found)
    loaded = Loaded(manager, (), {}, tuple(point.name for point in found if not _allowed(point, blocked)))
    plugins = [*_load_points(loaded, [point for point in found if _allowed(point, blocked)])]
    plugins += [load_file(manager, file) for file in files]
    return Loaded(manager, tuple(plugins), loaded.failures, loaded.blocked)


def _load_points(loaded: Loaded, points: Iterable[EntryPoint]) -> Iterator[Plugin]:
    for point in points:
        distribution, version = _distribution(point), point.dist.version if point.dist else "?"
        try:
            plugin = register(loaded.manager, point.load, Plugin(point.name, point.module, distribution, version))
            if not plugin.hooks:
                raise PluginError(f"'{point.value}' implements no hook of agentr")
            yield plugin
        except Exception as error:
            failure = Failure(point.name, distribution, version, _reason(error))
            if os.environ.get("AGENTR_STRICT_PLUGINS", "") not in ("", "0"):
                raise PluginError(f"{failure} (AGENTR_STRICT_PLUGINS is set)") from error
            key = point.name if point.name not in loaded.failures else f"{distribution}:{point.name}"
            loaded.failures[key] = failure
            logger.warning("%s; hide this with AGENTR_DISABLE_PLUGINS=%s", failure, point.name)


def register(manager: pluggy.PluginManager, get: Callable[[], object], plugin: Plugin) -> Plugin:
    """Register the object that ``get`` returns, and ask it for its specs; take all of it back where that fails."""
    module, key = get(), f"{plugin.distribution}:{plugin.name}"
    try:
        manager.register(module, name=key)
        hooks = tuple(sorted(caller.name for caller in manager.get_hookcallers(module) or ()))
        _check_hooks(manager, hooks)
        specs = tuple(spec for kind in KINDS for spec in _specs_of(manager, module, kind))
        commands = tuple(_data_of(manager, module, "agentr_register_commands", CommandSpec))
        data = tuple(_data_of(manager, module, "agentr_register_data", CommandSpec))
        models = tuple(_data_of(manager, module, "agentr_register_models", ModelSpec))
    except BaseException:
        if manager.get_plugin(key) is module:
            manager.unregister(name=key)
        raise
    return replace(plugin, hooks=hooks, specs=specs, commands=commands, data=data, models=models)


def load_file(manager: pluggy.PluginManager, file: str) -> Plugin:
    """Load a plugin that no package brings: the path of a ``.py`` file, or the dotted name of a module.

    Afterwards its classes can be named ``stem:Class``. A file without hooks is fine. Raises :class:`UsageError` where
    there is no such file or module, :class:`PluginError` where it is broken.
    """
    try:
        module = _import_path(Path(file)) if file.endswith(".py") else _import_local(file)
        origin, version = origin_of(module)
        plugin = register(manager, lambda: module, Plugin(file, module.__name__, origin, version))
        if not plugin.hooks and not _classes(module):
            logger.warning("--plugin: '%s' has neither a hook of agentr (@hookimpl) nor a class: it adds nothing", file)
        return plugin
    except AgentrError:
        raise
    except Exception as error:
        raise PluginError(f"plugin '{file}' was not loaded: {_reason(error)}") from error


def _classes(module: ModuleType) -> list[str]:
    """The classes that a module defines, which can be named ``module:Class``."""
    return [
        name for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__
    ]


def allow_local_modules(folder: Path | None = None) -> None:
    """Let modules in ``folder`` (the working directory) be imported, after all that is installed."""
    place = str(folder or Path.cwd())
    if place not in sys.path:
        sys.path.append(place)


def origin_of(module: ModuleType) -> tuple[str, str]:
    """Where a module that no distribution brings was read from, and the hash of its content as its version."""
    file = getattr(module, "__file__", None)
    if not file or not Path(file).is_file():
        return module.__name__, "?"
    return file, blake2b(Path(file).read_bytes(), digest_size=6).hexdigest()


def _import_path(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"--plugin: there is no file '{path}'; give the path of a .py file or the name of a module")
    path, name = path.resolve(), path.stem
    known = sys.modules.get(name)
    if known is not None:
        if (file := getattr(known, "__file__", None)) and Path(file).resolve() == path:
            return known
        raise PluginError(f"plugin '{path}' has the name of a module that is already loaded; rename the file")
    allow_local_modules(path.parent)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import_local(name: str) -> ModuleType:
    allow_local_modules()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise UsageError(
            f"--plugin: there is no module '{name}'; give the path of a .py file or the name of a module"
        ) from None


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "?"


def _listed(variable: str) -> set[str] | None:
    text = os.environ.get(variable)
    return None if text is None else {part.strip() for part in text.split(",") if part.strip()}


def _allowed(point: EntryPoint, blocked: Sequence[str]) -> bool:
    names = {point.name, _distribution(point)}
    allow, block = _listed("AGENTR_PLUGINS"), _listed("AGENTR_DISABLE_PLUGINS") or set()
    return (allow is None or bool(names & allow)) and not names & (block | set(blocked))


def _check_names(blocked: Sequence[str], found: Iterable[EntryPoint]) -> None:
    known = {name for point in found for name in (point.name, _distribution(point))}
    for variable in ("AGENTR_PLUGINS", "AGENTR_DISABLE_PLUGINS"):
        if wrong := sorted((_listed(variable) or set()) - known):
            logger.warning("%s: no plugin is called '%s'. There are: %s", variable, wrong[0], ", ".join(sorted(known)))
    for name in blocked:
        if name not in known:
            raise UsageError(f"--no-plugin: no plugin is called '{name}'. There are: {', '.join(sorted(known))}.")


def _check_hooks(manager: pluggy.PluginManager, implemented: Sequence[str]) -> None:
    """A misspelt hook is never called: say so instead."""
    try:
        manager.check_pending()
    except pluggy.PluginValidationError:
        known = {name for name in dir(hooks) if name.startswith("agentr_")}
        wrong = next(name for name in implemented if name not in known)
        near = difflib.get_close_matches(wrong, sorted(known), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise PluginError(f"there is no hook '{wrong}'{hint}") from None


def _ask(manager: pluggy.PluginManager, module: object, hook: str) -> list[object]:
    """What one plugin returns for one hook."""
    others = [other for other in manager.get_plugins() if other is not module]
    return [item for items in manager.subset_hook_caller(hook, others)() for item in items]


def _specs_of(manager: pluggy.PluginManager, module: object, kind: str) -> Iterator[PluginSpec]:
    hook = HOOK_OF_KIND[kind]
    for spec in _ask(manager, module, hook):
        if not isinstance(spec, PluginSpec) or spec.kind != kind:
            raise PluginError(f"{hook} returned {spec!r}, which is no PluginSpec of kind '{kind}'")
        if not spec.name or ":" in spec.name or spec.target.count(":") != 1:
            raise PluginError(f"{spec!r}: a name holds no ':', and a target is written 'module:Class'")
        yield spec


def _data_of(manager: pluggy.PluginManager, module: object, hook: str, kind: type[SpecT]) -> Iterator[SpecT]:
    for item in _ask(manager, module, hook):
        if not isinstance(item, kind):
            raise PluginError(f"{hook} returned {item!r}, which is no {kind.__name__}")
        yield item


def _reason(error: BaseException) -> str:
    if isinstance(error, AgentrError | pluggy.PluginValidationError):
        return " ".join(str(error).split())
    return f"{type(error).__name__}: {error}"


def callers(manager: pluggy.PluginManager, hook: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Each plugin by name, and how the hook is called of it alone."""
    if not getattr(manager.hook, hook).get_hookimpls():
        return
    plugins = manager.get_plugins()
    for plugin in sorted(plugins, key=lambda item: manager.get_name(item) or ""):
        others = [other for other in plugins if other is not plugin]
        yield manager.get_name(plugin) or "", manager.subset_hook_caller(hook, others)
