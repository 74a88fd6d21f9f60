"""Observations that are too long for a conversation: the middle is left out, and a mark says how much."""

from __future__ import annotations

#: Stands where text was left out.
LEFT_OUT = " ... [{count:,} characters left out] ... "
#: A cap below this would leave little but the mark.
LEAST_CHARS = 100


def shortened(text: str, limit: int | None) -> tuple[str, int]:
    """``text`` in at most ``limit`` characters, mark included, and how many characters were left out.

    Beginning and end are kept in equal parts, since a world says the goal or the error at either. No word is cut, but
    one that is longer than its part. None: there is no limit. The same text always gives the same text.
    """
    if limit is None or len(text) <= limit:
        return text, 0
    room = (limit - len(LEFT_OUT.format(count=len(text)))) // 2
    start, end = _whole_words(text, room), _whole_words(text[::-1], room)[::-1]
    count = len(text) - len(start) - len(end)
    return f"{start}{LEFT_OUT.format(count=count)}{end}", count


def _whole_words(text: str, room: int) -> str:
    """How ``text``, which has more, begins in at most ``room`` characters."""
    start = text[:room]
    if not (text[room].isspace() or start[-1].isspace()):
        start = start[: len(start) - len(start.split()[-1])].rstrip() or start
    return start.rstrip() or start
