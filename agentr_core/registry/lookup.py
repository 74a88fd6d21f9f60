"""Which plugins there are, and how one is made: lookups by kind and name.

A :class:`Registry` is an object, made by whoever needs one; :func:`registry` is the one of this process. Nothing is
loaded before the first question, and a plugin's own code is not imported before the plugin is created.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agentr_core.errors import (
    DuplicatePluginError,
    MissingDependencyError,
    PluginError,
    UnknownPluginError,
    UsageError,
    boundary,
)
from agentr_core.interfaces.plugin_config import PluginConfig, validate_config
from agentr_core.registry import discovery
from agentr_core.registry.events import (
    CheckpointSaved,
    Evaluated,
    RevisionsBuilt,
    RunFinished,
    RunStarted,
    TreeFinished,
)
from agentr_core.registry.specs import CommandSpec, Finding, Kind, ModelSpec, PluginSpec

if TYPE_CHECKING:
    from agentr_core.process.machine import Machine

NamedT = TypeVar("NamedT", CommandSpec, ModelSpec)
NOUNS: dict[Kind, str] = {
    "env": "environment",
    "policy": "policy",
    "searcher": "searcher",
    "critic": "critic",
    "trainer": "trainer",
    "executor": "executor",
}
#: The distribution of a plugin that was registered as an object.
IN_PROCESS = "this process"
Event = RunStarted | TreeFinished | RevisionsBuilt | CheckpointSaved | Evaluated | RunFinished
_HOOK_OF_EVENT: dict[type, str] = {
    RunStarted: "agentr_run_started",
    TreeFinished: "agentr_tree_finished",
    RevisionsBuilt: "agentr_revisions_built",
    CheckpointSaved: "agentr_checkpoint_saved",
    Evaluated: "agentr_evaluated",
    RunFinished: "agentr_run_finished",
}
logger = logging.getLogger("agentr.plugins")


@dataclass(frozen=True, slots=True)
class Entry:
    """A spec and the plugin that brings it. ``argument``: what stood after ``:`` in ``replay:RUN``."""

    spec: PluginSpec
    plugin: discovery.Plugin
    argument: str | None = None

    @property
    def source(self) -> str:
        """Distribution and version, for messages."""
        return f"{self.plugin.distribution} {self.plugin.version}"


class Registry:
    """All plugins of one selection.

    ``files`` are plugin files or modules to load besides the installed plugins, ``blocked`` installed ones to leave
    out. A name is a registered one, a registered one with an argument (``replay:RUN``), or ``module:Class``.
    """

    def __init__(self, *, files: Sequence[str] = (), blocked: Sequence[str] = ()) -> None:
        self._files, self.blocked = tuple(files), tuple(blocked)
        self._added: list[discovery.Plugin] = []

    @cached_property
    def _loaded(self) -> discovery.Loaded:
        return discovery.load(self._files, self.blocked)

    @property
    def plugins(self) -> tuple[discovery.Plugin, ...]:
        """Every loaded plugin: installed ones by name, then files, then those added by :meth:`register`."""
        return (*self._loaded.plugins, *self._added)

    @property
    def files(self) -> tuple[str, ...]:
        """The plugin files and modules that were named, as they were written."""
        return (*self._files, *(plugin.name for plugin in self._added if plugin.distribution != IN_PROCESS))

    @property
    def failures(self) -> Mapping[str, discovery.Failure]:
        """The plugins that could not be loaded, by name."""
        return self._loaded.failures

    @property
    def skipped(self) -> tuple[str, ...]:
        """The installed plugins that an allow or block list kept out."""
        return self._loaded.blocked

    def register(self, plugin: object, name: str) -> None:
        """Add an object with hook implementations (specs, observers) to this registry, e.g. from a notebook."""
        origin = discovery.Plugin(name, type(plugin).__module__, IN_PROCESS, "?")
        self._add(discovery.register(self._loaded.manager, lambda: plugin, origin))

    def add_file(self, file: str) -> None:
        """Load a plugin file or module as ``--plugin`` does, unless it is there already."""
        if file not in self.files:
            self._add(discovery.load_file(self._loaded.manager, file))

    def _add(self, plugin: discovery.Plugin) -> None:
        self._added.append(plugin)
        self.__dict__.pop("_entries", None)

    @cached_property
    def _entries(self) -> dict[tuple[str, str], list[Entry]]:
        entries: dict[tuple[str, str], list[Entry]] = {}
        for plugin in self.plugins:
            for spec in plugin.specs:
                entries.setdefault((spec.kind, spec.name), []).append(Entry(spec, plugin))
        clashes = [key for key, found in entries.items() if len(found) > 1]
        for kind, name in clashes:
            error = _clash(kind, name, entries[kind, name])
            if os.environ.get("AGENTR_STRICT_PLUGINS", "") not in ("", "0"):
                raise error
            logger.warning("%s", error)
        return entries

    def names(self, kind: Kind) -> list[str]:
        """The registered names of a kind, sorted."""
        return sorted(name for found, name in self._entries if found == kind)

    def entries(self, kind: Kind | None = None) -> list[Entry]:
        """Every spec with its plugin, sorted by kind as in :data:`NOUNS`, then by name; clashing ones included."""
        order = list(NOUNS)
        keys = sorted(self._entries, key=lambda key: (order.index(key[0]), key[1]))  # type: ignore[arg-type]
        return [entry for key in keys if kind in (None, key[0]) for entry in self._entries[key]]

    def entry(self, kind: Kind, name: str) -> Entry:
        """Look up a name.

        Raises :class:`UnknownPluginError` where there is none, :class:`DuplicatePluginError` where two plugins claim
        it (only then: a clash leaves all other names usable).
        """
        if found := self._entries.get((kind, name)):
            if len(found) > 1:
                raise _clash(kind, name, found)
            return found[0]
        head, colon, rest = name.partition(":")
        if colon and (kind, head) in self._entries:
            return Entry(self.entry(kind, head).spec, self.entry(kind, head).plugin, rest)
        if colon and head and rest:
            return self._local_entry(kind, name)
        raise UnknownPluginError(kind, name, self.names(kind))

    def _local_entry(self, kind: Kind, name: str) -> Entry:
        """``module:Class``, installed by nobody."""
        discovery.allow_local_modules()
        head, _, rest = name.partition(":")
        if not _can_import(head):
            reason = f"no module '{head}' can be imported (looked for in '{Path.cwd()}' and among what is installed)"
            raise UnknownPluginError(kind, name, self.names(kind), reason)
        with boundary(PluginError, f"{NOUNS[kind]} '{name}': importing {head}"):
            module = importlib.import_module(head)
        origin, version = discovery.origin_of(module)
        spec = PluginSpec(kind=kind, name=name, target=name, summary=_first_words(getattr(module, rest, None), name))
        return Entry(spec, discovery.Plugin(name, head, origin, version))

    def spec(self, kind: Kind, name: str) -> PluginSpec:
        """The spec behind a name; raises as :meth:`entry` does."""
        return self.entry(kind, name).spec

    def commands(self) -> dict[str, CommandSpec]:
        """The commands that plugins add, by name; the first plugin by name wins."""
        return _first(command for plugin in self.plugins for command in plugin.commands)

    def data(self) -> dict[str, CommandSpec]:
        """The data sets that plugins can fetch, by name; the first plugin by name wins."""
        return _first(command for plugin in self.plugins for command in plugin.data)

    def models(self) -> dict[str, ModelSpec]:
        """The models that plugins give short names; the first plugin by name wins."""
        return _first(model for plugin in self.plugins for model in plugin.models)

    def config_class(self, kind: Kind, name: str) -> type[PluginConfig]:
        """The configuration class of a plugin; the plugin itself is imported only where it names no light one."""
        entry = self.entry(kind, name)
        if entry.spec.config is not None:
            config: type[PluginConfig] = _import(entry, entry.spec.config, PluginConfig)
            return config
        return self._config_of(entry, self._target(entry))

    def validate(
        self, kind: Kind, name: str, config: Mapping[str, Any], *, prefix: str | Callable[[str], str] | None = None
    ) -> PluginConfig:
        """Check ``config`` (with the argument of ``name:argument`` put in) without importing the plugin itself.

        A :class:`~agentr_core.errors.ConfigError` names the key after ``prefix``, by default the flag ``-o NAME.``.
        """
        return self._validate(self.entry(kind, name), self.config_class(kind, name), config, prefix)

    def create(
        self, kind: Kind, name: str, config: Mapping[str, Any], *, prefix: str | Callable[[str], str] | None = None
    ) -> Any:
        """Make a plugin from its checked configuration.

        Raises :class:`UnknownPluginError`, :class:`MissingDependencyError` (with the pip line),
        :class:`~agentr_core.errors.ConfigError`, or :class:`PluginError` where the plugin itself fails or was written
        for an older agentr.
        """
        entry = self.entry(kind, name)
        self.require(kind, name)
        checked = self.validate(kind, name, config, prefix=prefix)
        target = self._target(entry)
        if change := self.outdated(kind, name):
            raise PluginError(f"{_feature(entry)} {change}")
        with boundary(PluginError, f"making {NOUNS[kind]} '{name}'"):
            return target(checked)

    def plugin_class(self, kind: Kind, name: str) -> Any:
        """The class behind a name; raises as :meth:`create` does where its packages or its module are missing."""
        self.require(kind, name)
        return self._target(self.entry(kind, name))

    def outdated(self, kind: Kind, name: str) -> str | None:
        """What to change in a plugin that was written for an older agentr; None for all others. Imports the plugin.

        The words go on after its name, see :func:`~agentr_core.interfaces.signatures.outdated`.
        """
        from agentr_core.interfaces.signatures import outdated  # listings do without the interfaces

        target = self._target(self.entry(kind, name))
        return outdated(target) if isinstance(target, type) else None

    def require(self, kind: Kind, name: str) -> None:
        """Raise :class:`MissingDependencyError` for the first package that a plugin requires and that is not there."""
        entry = self.entry(kind, name)
        for package in entry.spec.requires:
            if not _can_import(package):
                raise _missing(entry, package)

    def provenance(self, specs: Iterable[tuple[Kind, str]]) -> list[dict[str, Any]]:
        """Rows that say what a run was made with: kind, name, spec version, distribution and its version."""
        entries = [(kind, name, self.entry(kind, name)) for kind, name in specs]
        return [
            {
                "kind": kind,
                "name": name,
                "spec_version": entry.spec.version,
                "distribution": entry.plugin.distribution,
                "version": entry.plugin.version,
            }
            for kind, name, entry in entries
        ]

    def notify(self, event: Event) -> None:
        """Tell every observer; one that fails is logged and the rest are told all the same."""
        hook = _HOOK_OF_EVENT[type(event)]
        for name, call in discovery.callers(self._loaded.manager, hook):
            try:
                call(event=event)
            except Exception as error:
                logger.warning("observer %s of '%s' failed: %s: %s", hook, name, type(error).__name__, error)
                logger.debug("observer %s of '%s' failed", hook, name, exc_info=True)

    def findings(self, machine: Machine, settings: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        """What plugins have to say in ``agentr doctor``; that one fails over it is said as well."""
        for name, call in discovery.callers(self._loaded.manager, "agentr_findings"):
            try:
                yield from [finding for found in call(machine=machine, settings=settings) for finding in found]
            except Exception as error:
                told = f"agentr_findings failed: {type(error).__name__}: {error}"
                yield Finding(f"plugin {name}", "broken", told, f"AGENTR_DISABLE_PLUGINS={name} leaves it out")

    def _target(self, entry: Entry) -> Any:
        target = _import(entry, entry.spec.target, object)
        if not callable(target):
            raise PluginError(f"{_feature(entry)}: '{entry.spec.target}' is not a class")
        return target

    def _config_of(self, entry: Entry, target: Any) -> type[PluginConfig]:
        config = getattr(target, "config_class", None)
        if not (isinstance(config, type) and issubclass(config, PluginConfig)):
            raise PluginError(
                f"{_feature(entry)}: '{entry.spec.target}' has no config_class; see agentr_core.PluginConfig"
            )
        return config

    def _validate(
        self,
        entry: Entry,
        config_class: type[PluginConfig],
        config: Mapping[str, Any],
        prefix: str | Callable[[str], str] | None,
    ) -> PluginConfig:
        values = dict(config)
        if entry.argument is not None:
            field = config_class.argument
            if field is None:
                raise UsageError(f"{_feature(entry)} takes nothing after ':' (got '{entry.argument}')")
            values.setdefault(field, entry.argument)
        return validate_config(config_class, values, f"-o {entry.spec.name}." if prefix is None else prefix)


_default: Registry | None = None


def registry() -> Registry:
    """The registry of this process, made at the first call."""
    global _default
    if _default is None:
        _default = Registry()
    return _default


def use(new: Registry | None) -> None:
    """Make ``new`` what :func:`registry` returns; None starts afresh at the next call."""
    global _default
    _default = new


def _first_words(target: object, name: str) -> str:
    """What a class that nobody registered says of itself in the first line of its docstring, else its name."""
    return next(iter((getattr(target, "__doc__", None) or "").strip().splitlines()), name)


def _feature(entry: Entry) -> str:
    return f"{NOUNS[entry.spec.kind]} '{entry.spec.name}'"


def _first(specs: Iterable[NamedT]) -> dict[str, NamedT]:
    found: dict[str, NamedT] = {}
    for spec in specs:
        found.setdefault(spec.name, spec)
    return found


def _clash(kind: str, name: str, found: Sequence[Entry]) -> DuplicatePluginError:
    sources = " and ".join(f"plugin '{entry.plugin.name}' of {entry.source}" for entry in found)
    noun = NOUNS[kind]  # type: ignore[index]
    return DuplicatePluginError(
        f"{noun} '{name}' is registered more than once, by {sources}; "
        f"leave one out with --no-plugin or AGENTR_DISABLE_PLUGINS"
    )


def _can_import(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _missing(entry: Entry, package: str) -> MissingDependencyError:
    owner = entry.plugin.distribution
    line = f"pip install '{owner}[{entry.spec.extra}]'" if entry.spec.extra else f"pip install {package}"
    return MissingDependencyError(_feature(entry), package, line + entry.spec.advice)


def _import(entry: Entry, path: str, base: type) -> Any:
    """The object at ``module:name``; says which plugin it belongs to where that fails."""
    module, _, name = path.partition(":")
    try:
        with boundary(PluginError, f"{_feature(entry)}: importing {module}"):
            found = getattr(importlib.import_module(module), name, None)
    except PluginError as error:
        cause = error.__cause__
        if (
            isinstance(cause, ModuleNotFoundError)
            and cause.name
            and cause.name.partition(".")[0] != module.partition(".")[0]
        ):
            raise _missing(entry, cause.name) from cause
        raise
    if found is None:
        raise PluginError(f"{_feature(entry)}: there is no '{name}' in {module} ({entry.source})")
    if base is not object and not (isinstance(found, type) and issubclass(found, base)):
        raise PluginError(f"{_feature(entry)}: '{path}' is not a {base.__name__}")
    return found
