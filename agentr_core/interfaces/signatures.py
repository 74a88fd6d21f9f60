"""Whether a plugin's class was written for an older agentr, which the parameters of its methods tell."""

from __future__ import annotations

import inspect

from agentr_core.interfaces.environment import Environment
from agentr_core.interfaces.policy import Policy

#: Methods of an environment that nobody may write anew, and the ones that they call.
_OURS = {"begin": "reset", "act": "step"}


def outdated(cls: type) -> str | None:
    """What to change in ``cls``, in words that go on after the plugin's name; None where nothing must be changed.

    Looks at parameters alone: ``*args, **kwargs`` pass, and so does what cannot be inspected.
    """
    if issubclass(cls, Policy) and (names := _other_than_one(cls, "sample", "messages")):
        return (
            f"was written for an older agentr: its sample() takes {names} instead of one request; "
            "write `async def sample(self, request: SampleRequest)` and read request.messages, request.n and so on"
        )
    if issubclass(cls, Environment) and (names := _other_than_one(cls, "instructions")):
        return (
            f"was written for an older agentr: its instructions() takes {names} instead of the task; "
            "write `def instructions(self, task: Task)`, which may ignore the task"
        )
    if issubclass(cls, Environment) and (own := [name for name in _OURS if name in _attributes_of(cls)]):
        return (
            f"defines {own[0]}(), a name that agentr uses: it is {_OURS[own[0]]}() with the observation in at most "
            "env.max_observation_chars; give yours another name"
        )
    return None


def _attributes_of(cls: type) -> set[str]:
    """What the classes between ``cls`` and :class:`Environment` define."""
    return {
        name for each in cls.__mro__ if each is not Environment and issubclass(each, Environment) for name in vars(each)
    }


def _other_than_one(cls: type, method: str, former: str = "") -> str | None:
    """The parameters of ``method`` where it cannot be called with one argument, or calls that one ``former``."""
    try:
        found = inspect.signature(inspect.getattr_static(cls, method).__get__(object(), cls))
    except (AttributeError, TypeError, ValueError):  # not a method that was written in Python
        return None
    try:
        fits = former not in found.bind("one").arguments
    except TypeError:
        fits = False
    return None if fits else ", ".join(found.parameters) or "nothing"
