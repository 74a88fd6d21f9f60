"""Every error agentr raises on purpose, and the exit code each one ends the program with.

    AgentrError                     1   something failed; the message says what to do
    ├── UsageError                  2   the user asked for something that cannot be
    │   ├── ConfigError             2   a value out of range, an unknown key, a file that is not TOML
    │   ├── UnknownPluginError      2   no plugin of that name; names the nearest and lists the rest
    │   ├── ResumeError             2   the stored configuration differs from the one asked for
    │   └── ModelNotHere            2   a model of the hub is not in the local cache and cannot be fetched
    ├── PluginError                 4   a plugin could not be loaded or breaks the contract of its kind
    │   ├── MissingDependencyError  4   an optional package is absent; names the pip line
    │   ├── DuplicatePluginError    4   two distributions register the same name
    │   └── ContractError           4   a contract check failed; says the rule, what was expected, what came
    ├── StoreError                  1   the database is not ours, too new, locked, read-only, or the disk is full
    ├── EnvironmentFailure          1   an environment raised or broke; that task fails, the rest goes on
    ├── PolicyFailure               1   a policy raised or answered with something unusable
    ├── WorkerLost                  1   a worker is gone; what it had in hand is given to another
    ├── PartialFailure              3   the work finished, some items failed
    ├── NothingToDo                 5   the selection is empty
    └── Interrupted               130   Ctrl-C or SIGTERM; everything committed so far is kept

A message is one sentence or two: what was wrong, what was expected, what to do. The command line prints it after
``error:`` without a traceback. Plugin code raises whatever it likes: the core turns it into the error of the border
it crossed with :func:`boundary`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the ``agentr`` program."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    PLUGIN = 4
    NOTHING = 5
    INTERRUPTED = 130


class AgentrError(Exception):
    """Base of all errors that agentr raises on purpose.

    ``passing`` is true where the same may succeed when it is tried again: an endpoint, an engine or a process was away.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, *args: object, passing: bool = False) -> None:
        super().__init__(*args)
        self.passing = passing


class UsageError(AgentrError):
    """The user asked for something that cannot be."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A configuration value is unknown or out of range, or a configuration file cannot be read."""


class UnknownPluginError(UsageError):
    """No plugin of this kind has this name.

    ``kind`` is one of the six plugin kinds, ``name`` what was asked for, ``known`` every name that exists; ``reason``
    says why ``module:Class`` is none either.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], reason: str = "") -> None:
        import difflib  # here, since every command imports this module and few are given a wrong name

        self.kind, self.name, self.known, self.reason = kind, name, sorted(known), reason
        noun = "environment" if kind == "env" else kind
        near = difflib.get_close_matches(name, self.known, n=1, cutoff=0.6)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        hint = " One is named at a time here." if "," in name else hint
        besides = f", and {reason}" if reason else ""
        super().__init__(f"no {noun} is called '{name}'{besides}.{hint} There are: {', '.join(self.known) or 'none'}.")


class ResumeError(UsageError):
    """A run is resumed with a configuration other than the stored one."""


class ModelNotHere(UsageError):
    """A model of the hub is not in the local cache, and cannot be fetched from here (or there is none of that name)."""


class PluginError(AgentrError):
    """A plugin could not be loaded, or does not do what its kind promises."""

    exit_code = ExitCode.PLUGIN


class MissingDependencyError(PluginError):
    """An optional package is not installed. ``feature`` needs ``package``; ``install`` is the line to type."""

    def __init__(self, feature: str, package: str, install: str) -> None:
        self.feature, self.package, self.install = feature, package, install
        super().__init__(f"{feature} needs the package '{package}': {install}")


class DuplicatePluginError(PluginError):
    """Two distributions register the same kind and name."""


class ContractError(PluginError):
    """A contract check of :mod:`agentr_core.testing` failed."""

    def __init__(self, rule: str, expected: str, got: str) -> None:
        self.rule, self.expected, self.got = rule, expected, got
        super().__init__(f"{rule}: expected {expected}, got {got}")


class StoreError(AgentrError):
    """The database cannot be used."""


class EnvironmentFailure(AgentrError):
    """An environment raised or broke in the middle of a task."""


class PolicyFailure(AgentrError):
    """A policy raised, or answered with something that cannot be used."""


class WorkerLost(AgentrError):
    """A worker process, or the machine that it ran on, is gone; the message says what is known of it."""


class NoWorkers(AgentrError):
    """Worker after worker has died and nothing was done: more of them would fare no better."""


class PartialFailure(AgentrError):
    """The work came to its end, but some items of it failed."""

    exit_code = ExitCode.PARTIAL


class NothingToDo(AgentrError):
    """The selection is empty: no task, tree, trajectory or example to work on."""

    exit_code = ExitCode.NOTHING


class Interrupted(AgentrError):
    """The user interrupted the run; what was committed is kept and can be resumed."""

    exit_code = ExitCode.INTERRUPTED


@contextmanager
def boundary(error: type[AgentrError], what: str) -> Iterator[None]:
    """Turn any plain exception that leaves the block into ``error``, saying ``what`` was being done.

    Errors that are already agentr's own pass unchanged, and the original exception is chained as the cause. A lost
    connection and a timeout may pass.
    """
    try:
        yield
    except AgentrError:
        raise
    except Exception as cause:
        passing = isinstance(cause, ConnectionError | TimeoutError)
        said = " ".join(str(cause).split())  # pydantic, Java and others say it over several lines
        raise error(f"{what}: {type(cause).__name__}: {said}", passing=passing) from cause
