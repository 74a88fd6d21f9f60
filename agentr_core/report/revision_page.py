"""A revision as a conversation: shared, bad, the cut, the signal, good; what is trained has a mark."""

from __future__ import annotations

from collections.abc import Sequence

from agentr_core.report.escaping import html
from agentr_core.report.revision_parts import Part, after_the_cut, before_the_cut, facts, told_at_the_cut
from agentr_core.store import Sample
from agentr_core.turns import Message

#: Characters of one turn that stand in the page, and from which on an answer is folded.
TURN_CHARS, FOLDED_CHARS = 4_000, 400


def revision_html(sample: Sample, messages: Sequence[Message], critic: str, reason: str) -> str:
    """The conversation of a revision, without the instructions at its head."""
    told = " · ".join(facts(sample, critic))
    cut = f"<p class=cutline>✂ {html(told_at_the_cut(sample, reason))}</p>" if sample.kind != "good" else ""
    before, after = before_the_cut(sample, messages), after_the_cut(sample, messages)
    return f"<div class=revision><p class=note>{html(told)}</p>{_bands(before)}{cut}{_bands(after)}</div>"


def _bands(parts: Sequence[Part]) -> str:
    return "".join(
        f'<div class="band {part.name}"><p class=bandname>{part.name}</p>{"".join(map(_turn, part.turns))}</div>'
        for part in parts
        if part.turns
    )


def _turn(message: Message) -> str:
    text = html(message.content, TURN_CHARS)
    if message.role == "assistant":
        trained = " <span class=trained>trained</span>" if message.train else ""
        return f"<div class=turn><span class=role>agent{trained}</span><pre class=said>{text}</pre></div>"
    pre = f"<pre class=seen>{text}</pre>"
    if len(message.content) > FOLDED_CHARS:
        count = f"answer of {len(message.content):,} characters"
        pre = f"<details class=step><summary>{count}</summary>{pre}</details>"
    return f"<div class=turn><span class=role>environment</span>{pre}</div>"
