"""How much of a demonstration is left to do, whatever was done in between: found out by playing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentr_textworld_express.machine import Begin, Seat


def remaining(
    seat: Seat, begin: Begin, inputs: Sequence[str], gold: Sequence[str], valid: Sequence[str]
) -> float | None:
    """The number of actions to success after ``inputs``; None where no way was found.

    Tried are the part of ``gold`` that is not done yet, then that part after one action of ``valid`` (the way back from
    a wrong turn), then longer parts of ``gold``, up to all of it.
    """
    for way in _ways(_done(inputs, gold), gold, valid):
        if _succeeds(seat, begin, inputs, way):
            return float(len(way))
    return None


def _ways(done: int, gold: Sequence[str], valid: Sequence[str]) -> Iterator[Sequence[str]]:
    yield gold[done:]
    yield from ([action, *gold[done:]] for action in valid)
    yield from (gold[start:] for start in range(done - 1, -1, -1))


def _done(inputs: Sequence[str], gold: Sequence[str]) -> int:
    """How many actions of ``gold`` were done, in order, with others in between."""
    done = 0
    for text in inputs:
        done += done < len(gold) and text == gold[done]
    return done


def _succeeds(seat: Seat, begin: Begin, inputs: Sequence[str], way: Sequence[str]) -> bool:
    seat.begin(begin)
    for text in inputs:
        seat.step(text)
    for text in way:
        seen = seat.step(text)
        if seen.success or seen.failure:
            return seen.success
    return False
