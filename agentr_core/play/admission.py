"""How many items (trees, episodes, revisions) may be in flight: as many as the engine can keep the prefixes of, and
at most a given number.

An item comes back to its engine again and again with what it has asked before and a little more. While the engine still
holds the keys and values of that prefix, only the little more is computed; once more items are in flight than it has
room for, each of them finds its prefix gone (every one is dropped just before it comes back), and all is computed
anew. So the bound is the engine's room, and what an item takes of it is learnt from those that have run.
"""

from __future__ import annotations

from agentr_core.interfaces.policy import AnyPolicy


class Admission:
    """Lets items begin: at most ``limit``, and no more than the engine has room for where it tells (``kv_tokens``).

    An item says what it takes with :meth:`note`, each time it has asked; it is known by its session. Until one has
    ended each is taken to fill the model's whole context, but :attr:`FIRST` may begin all the same.
    """

    FIRST = 8

    def __init__(self, limit: int, policy: AnyPolicy | None = None) -> None:
        self._limit, self._policy = limit, policy
        self._peaks: dict[str, int] = {}
        self._ended_tokens = self._ended = 0

    def allows(self, running: int) -> bool:
        """True where one more may begin beside ``running`` others; the first always may."""
        if running == 0 or running >= self._limit:
            return running == 0
        room, each = self.room, self.expected
        if room is None or each is None:
            return True
        # Those that end first are the short ones: what has grown beyond them already is known to take more.
        beyond = sum(max(0.0, peak - each) for peak in self._peaks.values())
        return (running + 1) * each + beyond <= room or (not self._ended and running < self.FIRST)

    @property
    def room(self) -> int | None:
        """Tokens whose keys and values the engine holds at once; None where it does not tell."""
        load = self._policy.engine_load() if self._policy is not None else None
        return load.kv_tokens if load is not None else None

    @property
    def expected(self) -> float | None:
        """Tokens that an item takes at its largest: the mean of those that have ended, else a whole context.

        None where neither is known.
        """
        if self._ended:
            return self._ended_tokens / self._ended
        return self._policy.context_length if self._policy is not None else None

    def note(self, session: str, tokens: int) -> None:
        """``session`` has ``tokens`` of prompt and completions in the engine now."""
        self._peaks[session] = max(tokens, self._peaks.get(session, 0))

    def end(self, session: str) -> None:
        """``session`` is over: what it took at its largest is what the next ones are expected to take."""
        if peak := self._peaks.pop(session, 0):
            self._ended_tokens, self._ended = self._ended_tokens + peak, self._ended + 1
