"""A report of some runs as one page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentr_core.report.chapters import Chapter, chapters, name_of
from agentr_core.report.escaping import html, html_line
from agentr_core.report.examples import Example, critic_marks, examples, known_sets
from agentr_core.report.marks import said_at_the_cut
from agentr_core.report.methods import definitions, methods
from agentr_core.report.page import chapter, contents, folded, page
from agentr_core.report.repeating import commands, configuration, versions
from agentr_core.report.revision_page import revision_html
from agentr_core.report.table_page import part_html, table_html
from agentr_core.report.tree_page import tree_html
from agentr_core.store import RunRow, Store, TreeRow


def report(store: Store, runs: Sequence[RunRow], *, trees: int = 5) -> str:
    """The page: tables with plots, ``trees`` trees with a revision each, the methods, and what repeats the runs."""
    made = chapters(store, runs)
    shown = [_example(store, number, each) for number, each in enumerate(examples(store, runs, trees), 1)]
    entries = [(f"chapter-{number}", each.title) for number, each in enumerate(made)]
    last = [("trees", "Trees and revisions"), ("methods", "How it was measured"), ("repeat", "To make it again")]
    body = [_head(store, runs), contents([*entries, *last])]
    body += [_chapter(each, anchor) for (anchor, _), each in zip(entries, made, strict=True)]
    body.append(chapter(*last[0], [_about_trees(store, runs, trees, len(shown)), *shown]))
    body.append(chapter(*last[1], _methods(runs, made)))
    body.append(chapter(*last[2], [_again(store, run) for run in runs]))
    return page(f"agentr: {title_of(runs)}", body)


def trees_page(store: Store, run: RunRow, rows: Sequence[TreeRow]) -> str:
    """A page of trees alone."""
    body = [f"<h1>Trees of run {html(name_of(run))}</h1>"]
    known = known_sets(store, run)
    for row in rows:
        tree = store.trees.load(row.id)
        body.append(chapter(f"tree-{row.id}", _title(row), [_goal(tree.task.instruction), _size(row)]))
        body.append(tree_html(tree, critic_marks(store, known, row, tree)))
    return page(f"agentr: trees of {name_of(run)}", body)


def title_of(runs: Sequence[RunRow]) -> str:
    """What a report of these runs is called."""
    names = [name_of(run) for run in runs]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _head(store: Store, runs: Sequence[RunRow]) -> str:
    lines = [
        f"{html(name_of(run))}: run {html(run.key)}, {store.runs.state(run)}, started {html(run.created_at[:16])} UTC, "
        f"agentr {html(run.agentr_version)}"
        for run in runs
    ]
    told = "".join(f"<p class=told>{line}</p>" for line in lines[:20])
    more = f"<p class=told>and {len(lines) - 20} more</p>" if len(lines) > 20 else ""
    return f"<header><h1>{html(title_of(runs))}</h1>{told}{more}</header>"


def _chapter(made: Chapter, anchor: str) -> str:
    body = [f"<p class=warning>{html(made.unfinished, 600)}</p>"] if made.unfinished else []
    body += [part_html(part, f"{anchor}-{part.key}") for part in made.parts]
    if made.run is not None:
        body.append("<section><h3>What went otherwise than it should</h3>")
        body += [f"<p class=told>{html(line, 600)}</p>" for line in made.odd or ["Nothing was counted."]]
        body.append("</section>")
    return chapter(anchor, made.title, body)


def _about_trees(store: Store, runs: Sequence[RunRow], wished: int, shown: int) -> str:
    if not wished:
        return "<p class=missing>No trees were asked for (--trees).</p>"
    if not shown:
        return "<p class=missing>There are no trees yet, so there are none to show.</p>"
    revised = any(row.status == "done" for run in runs for row in store.revisions.select(run.id))
    what = (
        "Those in which a verdict cut a failed attempt and a good one went on from there, the widest gap in reward "
        "first. Open are the ways to the best attempt, to the best one that failed, and to every cut; a click on a row "
        "unfolds what is below it, or the whole turn."
    )
    told = what if revised else "No tree has been revised yet: these are the first ones."
    return f"<p class=note>{told}</p>{_LEGEND}"


_LEGEND = (
    "<p class=note>N visits · Q mean value · V what a value model expected · r reward at an end (cap: step limit) · ×2 "
    "equal samples · ● solved · ✕ failed · ■ stopped at a limit · ○ not played · ✂ revisions keep what is above and go "
    "on otherwise</p>"
)


def _example(store: Store, number: int, each: Example) -> str:
    parts = [f"<section><h3>{number}. {html_line(name_of(each.run), 60)}: {html_line(_title(each.row), 200)}</h3>"]
    parts += [_goal(each.tree.task.instruction), _size(each.row), tree_html(each.tree, each.critics)]
    if each.sample is not None and each.revision_set is not None:
        messages = store.conversations.get(each.sample.conversation)
        reason = said_at_the_cut(store, each.revision_set, each.sample)
        drawn = revision_html(each.sample, messages, each.revision_set.critic, reason)
        what = "A revision out of this tree: shared, bad, cut, signal, good"
        parts.append(folded(what, drawn, opened=number == 1))
    return "".join([*parts, "</section>"])


def _title(row: TreeRow) -> str:
    return f"tree {row.id}, task {row.task}, iteration {row.iteration}"


def _goal(instruction: str) -> str:
    last = instruction.strip().rpartition("\n")[2]
    return f"<p>{html_line(last, 400)}</p>"


def _size(row: TreeRow) -> str:
    best = "" if row.best_reward is None else f", best reward {row.best_reward:.2f}"
    state = "" if row.status == "done" else f", {row.status}"
    return f"<p class=note>{row.simulations} simulations, {row.n_nodes} nodes{best}{state}</p>"


def _methods(runs: Sequence[RunRow], made: Sequence[Chapter]) -> Iterator[str]:
    told: dict[str, list[str]] = {}
    for run in runs:
        told.setdefault(methods(run), []).append(name_of(run))
    for text, names in told.items():
        whose = f"<b>{html(', '.join(names), 300)}.</b> " if len(told) > 1 else ""
        yield f"<p>{whose}{html(text)}</p>"
    found = definitions(made)
    yield "<h3>What the columns are</h3><dl>"
    yield "".join(f"<dt>{html(name)}</dt><dd>{html(text)}</dd>" for name, text in found.items())
    yield "</dl>"


def _again(store: Store, run: RunRow) -> str:
    typed = "\n".join(commands(store, run))
    return "".join(
        [
            f"<section><h3>{html(name_of(run))}</h3>",
            f"<pre class=block>{html(typed, 4_000)}</pre>",
            f"<p class=note>Seed {run.seed}, configuration {html(run.config_hash)}.</p>",
            table_html(versions(store, run), "versions"),
            folded("run.toml", f"<pre class=block>{html(configuration(run), 40_000)}</pre>"),
            "</section>",
        ]
    )
