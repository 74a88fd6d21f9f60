"""One row of a dataset of preferences, actions or values on the screen, with what it is about marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from agentr_core.cli.answers import Page
from agentr_core.cli.conversations import turns
from agentr_core.cli.output import heading
from agentr_core.errors import UsageError
from agentr_core.interfaces.training_sets import ActionRow, AnyRow, PreferencePair, ValueRow
from agentr_core.turns import Message

if TYPE_CHECKING:
    from agentr_core.store import DatasetRow, Store


def tree_row_page(store: Store, row: DatasetRow, position: int) -> Page:
    """The row at a 1-based place. Raises :class:`~agentr_core.errors.UsageError` where there are fewer."""
    from agentr_core.train.export import tree_row
    from agentr_core.train.tree_sets import read_tree_set

    if position > row.n_examples:
        raise UsageError(f"dataset {row.id} has {row.n_examples:,} {row.reads} (got {position})")
    found = next(islice(read_tree_set(store, row).rows, position - 1, None))
    origin = "".join(f" · {key} {value}" for key, value in found.origin.items())
    title = heading(f"dataset {row.id} '{row.name}', {position:,} of {row.n_examples:,}{origin}")
    return Page({"position": position, **tree_row(found)}, (title, *_lines(found)), _note(found))


def _lines(row: AnyRow) -> Iterator[str]:
    match row:
        case PreferencePair():
            yield from turns(row.prompt)
            yield heading(f"chosen: better by {row.gap:.2f}{_of(row)}")
            yield from turns(row.chosen)
            yield heading("rejected")
            yield from turns(row.rejected)
        case ActionRow():
            yield from turns((*row.prompt, Message("assistant", row.drawn.text, train=True)))
        case ValueRow():
            yield from turns(row.messages)


def _of(pair: PreferencePair) -> str:
    if pair.kind == "trajectory":
        return " in the reward of its end"
    known = "both are ends" if pair.visits is None else f"the less tried one has {pair.visits} ends below it"
    return f" in Q ({known})"


def _note(row: AnyRow) -> str:
    match row:
        case PreferencePair():
            return f"{_counted(row.chosen)} of the chosen and {_counted(row.rejected)} of the rejected turns count"
        case ActionRow():
            return (
                f"Q {row.q:.3f} ({row.visits} ends below), its siblings' mean {row.baseline:.3f}, the tree's "
                f"{row.root:.3f}: advantage {row.advantage():+.3f}, weight {row.weight:.4f}; "
                f"{len(row.drawn.token_ids):,} tokens stored, {len(row.drawn.logprobs):,} log-probabilities"
            )
        case ValueRow():
            before = "" if row.before is None else f", {row.before:.3f} one step before"
            return f"value {row.value:.3f} ({row.visits} ends below){before}"


def _counted(messages: Sequence[Message]) -> str:
    return f"{sum(message.train for message in messages)} of {len(messages)}"
