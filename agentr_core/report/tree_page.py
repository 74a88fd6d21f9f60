"""A search tree as HTML that folds without a script: nested ``<details>``, the ways worth seeing open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agentr_core.interfaces.credit import Credit, tree_credits
from agentr_core.interfaces.tree import KEPT, Node, Tree
from agentr_core.report.escaping import html, html_line
from agentr_core.report.folding import Branch, cut_text, fold, news, unplayed, worth_seeing
from agentr_core.report.marks import Marks

#: Characters of an action and of an observation in a row.
ROW_CHARS = 160
#: Characters of one turn or answer, and of all of one tree, that stand in the page.
TEXT_CHARS, TREE_CHARS = 4_000, 250_000
#: Rows of one tree; a branch beyond them that is not worth seeing is told by its count alone.
MOST_ROWS = 2_000


def tree_html(tree: Tree, critics: Mapping[str, Marks]) -> str:
    """The tree with what each of ``critics`` said and where its revisions cut.

    Open are the ways to the best attempt, the best one that failed and every cut. A row unfolds the whole turn; where
    the tree has more text than the page takes, turns elsewhere keep their row alone, and that is said.
    """
    cuts = {cut for marks in critics.values() for cut in marks.cuts}
    drawing = _Drawing(critics, _texts(tree, worth_seeing(tree, cuts)), tree_credits(tree))
    drawn = "".join(drawing.branch(fold(tree, cuts)))
    left = len(tree.nodes) - len(drawing.texts)
    told = f"<p class=note>The whole turns of {left:,} nodes that are folded away are left out for size.</p>"
    return f"<div class=tree>{drawn}</div>{told if left else ''}"


def _texts(tree: Tree, wanted: set[int]) -> set[int]:
    """The nodes whose whole turns stand in the page: first those worth seeing, then as many others as there is room."""
    room, chosen = TREE_CHARS, set()
    for node in sorted(tree.nodes, key=lambda node: (node.index not in wanted, node.index)):
        room -= min(len(node.response), TEXT_CHARS) + min(len(node.observation), TEXT_CHARS)
        if room < 0:
            break
        chosen.add(node.index)
    return chosen


@dataclass(slots=True)
class _Drawing:
    critics: Mapping[str, Marks]
    texts: set[int]
    credits: Mapping[int, Credit]
    rows: int = field(default=0)

    def branch(self, branch: Branch) -> Iterator[str]:
        """A branch: its first step is what folds it."""
        first, *others = branch.steps
        if not (branch.branches or others):
            yield self._step(first)
            return
        opened = " open" if branch.open else ""
        count = "" if branch.open else f"<span class=more>{branch.below:,} below</span>"
        yield f"<details class=branch{opened}><summary>{self._row(first)}{count}</summary><div class=below>"
        if self.rows > MOST_ROWS and not branch.open:
            yield f"<p class=note>{branch.below:,} nodes, left out for size</p>"
        else:
            yield from self._inside(branch)
        yield "</div></details>"

    def _inside(self, branch: Branch) -> Iterator[str]:
        first, *others = branch.steps
        if text := self._text(first):
            what = "the whole turn" if first.parent is not None else "all of it"
            yield f"<details class=step><summary><span class=dim>{what}</span></summary>{text}</details>"
        for node in others:
            yield self._step(node)
        for each in branch.branches:
            yield from self.branch(each)

    def _step(self, node: Node) -> str:
        row, text = self._row(node), self._text(node)
        if not text:
            return f"<div class=step>{row}</div>"
        return f"<details class=step><summary>{row}</summary>{text}</details>"

    def _row(self, node: Node) -> str:
        self.rows += 1
        notes = f"<span class=notes>{' '.join(self._notes(node))}</span>"
        if node.parent is None:
            return f"<span class=what><b>the task's first observation</b></span>{notes}"
        action = node.action if node.action is not None else f"(no action) {node.response}"
        copies = f" <span class=dim>×{node.copies}</span>" if node.copies > 1 else ""
        what = f"<code>{html_line(action, ROW_CHARS)}</code>{copies}"
        seen = f"<span class=seen>{html_line(news(node), ROW_CHARS)}</span>"
        return f"{outcome(node)}<span class=what>{what} <span class=dim>→</span> {seen}</span>{notes}"

    def _notes(self, node: Node) -> Iterator[str]:
        yield f"<span class=n>N {node.visits}</span> <span class=n>Q {node.value:.2f}</span>"
        if (guided := node.info.get(KEPT, {}).get("value")) is not None:
            yield f"<span class=n>V {guided:.2f}</span>"
        if node.terminal and not node.children:
            kind = "good" if node.reward >= 1.0 else "bad"
            yield f"<span class={kind}>r {node.reward:.2f}{' cap' if node.truncated else ''}</span>"
        for critic, marks in self.critics.items():
            whose = f"{html_line(critic, 40)}: " if len(self.critics) > 1 else ""
            if (label := marks.verdicts.get(node.index)) is not None:
                value = f" V {marks.values[node.index]:.2f}" if node.index in marks.values else ""
                yield f"<span class={label}>{whose}{label}{value}</span>"
            if count := marks.cuts.get(node.index):
                yield f"<span class=cut>{whose}{cut_text(count)}</span>"
        if left := len(unplayed(node)):
            yield f"<span class=more>+{left} not played</span>"

    def _text(self, node: Node) -> str:
        """The whole turn, what critics said of it, and the alternatives after it that were not played."""
        others = "".join(f"<div class=step>{self._row(each)}</div>" for each in unplayed(node))
        others = f"<p class=dim>not played:</p>{others}" if others else ""
        if node.index not in self.texts:
            return f"<div class=text>{others}</div>" if others else ""
        said, seen = html(node.response, TEXT_CHARS), html(node.observation, TEXT_CHARS)
        return (
            f"<div class=text><pre class=said>{said}</pre><pre class=seen>{seen}</pre>{self._credit(node)}"
            f"{self._why(node)}{others}</div>"
        )

    def _credit(self, node: Node) -> str:
        """How good the action was, where trainers of actions would learn from it."""
        known = self.credits.get(node.index)
        if known is None:
            return ""
        told = f"advantage {known.advantage:+.2f}, weight {known.weight:.3g}"
        return f"<p class=dim>where actions are learnt from: {told}</p>"

    def _why(self, node: Node) -> str:
        return "".join(
            f"<p class=why>{html_line(critic, 40)}: {html(marks.reasons[node.index], TEXT_CHARS)}</p>"
            for critic, marks in self.critics.items()
            if node.index in marks.reasons
        )


def outcome(node: Node) -> str:
    """A sign for how an attempt ended here: solved, failed, stopped at a limit; or that it goes on."""
    if not node.terminal or node.children:
        sign, kind, word = ("○", "dim", "not played") if not node.visits else ("·", "dim", "goes on")
    elif node.reward >= 1.0:
        sign, kind, word = "●", "good", "solved"
    else:
        sign, kind, word = ("✕", "bad", "failed") if node.terminated else ("■", "bad", "stopped at a limit")
    return f'<span class="sign {kind}" title="{word}">{sign}</span>'
