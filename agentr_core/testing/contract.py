"""What a contract is: named rules, each of which passes with a word about what it found, or raises ContractError."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentr_core.errors import ContractError


class Unmet(Exception):
    """A rule does not hold; :class:`Check` adds its name."""

    def __init__(self, expected: str, got: object) -> None:
        self.expected, self.got = expected, str(got) or "nothing"
        super().__init__(f"expected {expected}, got {got}")


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of a contract, e.g. for ``pytest.mark.parametrize("check", ..., ids=str)``.

    Calling it returns a note (how many tasks, what was not offered), or raises :class:`~agentr_core.ContractError`.
    """

    rule: str
    test: Callable[[], str | None]

    def __call__(self) -> str:
        """Try the rule."""
        try:
            return self.test() or ""
        except Unmet as unmet:
            raise ContractError(self.rule, unmet.expected, unmet.got) from None
        except Exception as error:
            raise ContractError(self.rule, "no exception", f"{type(error).__name__}: {error}") from error

    def __str__(self) -> str:
        return self.rule


class Contract:
    """A set of rules: the public methods of a subclass, in order, named like the rule they test."""

    subject = "plugin"

    def checks(self) -> list[Check]:
        """The rules, ready to be called."""
        names = [name for name in vars(type(self)) if not name.startswith("_") and name != "subject"]
        return [Check(f"{self.subject}: {name.replace('_', ' ')}", getattr(self, name)) for name in names]

    def verify(self) -> None:
        """Call every rule; the first that does not hold raises :class:`~agentr_core.ContractError`."""
        for check in self.checks():
            check()


def require(condition: object, expected: str, got: object) -> None:
    """Say what a rule expects."""
    if not condition:
        raise Unmet(expected, got)


def same(expected: Any, got: Any, what: str) -> None:
    """Two values that must be equal."""
    require(expected == got, f"{what} to be equal both times", f"{_short(expected)} and {_short(got)}")


def current(change: str | None) -> None:
    """There must be nothing that ``outdated`` says must be changed."""
    require(change is None, "a plugin for this agentr", f"one that {change}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:159]}…"
