"""Text that means harm to whoever shows it, in every place of a store that text of others can come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import agentr_core
from agentr_core.interfaces.tree import Tree
from agentr_core.records import Completion, Task, Verdict
from agentr_core.store import EvalResult, PluginRow, Sample, TreePlan, open_store
from agentr_core.turns import Example, Message

#: Scripts, handlers, links and requests for a browser; the mark proves that it came through as text.
MARKUP = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<a href='javascript:alert(1)'>m4rk</a></pre></details><svg onload=alert(1)>{url}</style><!--"
)
#: For terminals and bidirectional text.
TERMINAL = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08\x7f \u202eevil\u2066 \u2028line\u2029 \u200b\ufeff\U000e0041"
#: For LaTeX, Graphviz and Markdown.
SOURCE = r'\input{/etc/passwd} $\href{x}{y}$ % & # _ ~ ^ " \N \" ]; evil [label="x" URL="javascript:x" | `x` **x**'
#: Half a character, which a model may write.
BROKEN = "\udc9b"
RIGHT_TO_LEFT = "שלום עולם"


def text(name: str, url: str = "http://127.0.0.1:9/x") -> str:
    """All of it behind a word by which the place is known."""
    return f"{name} {MARKUP.replace('{url}', f'<img src={url}>')} {TERMINAL} {SOURCE} {RIGHT_TO_LEFT}"


def fill(path: Path, url: str = "http://127.0.0.1:9/x") -> None:
    """A finished run with one tree, a revision, an evaluation and plugins, all named and written with bad intent."""

    def bad(name: str) -> str:
        return text(name, url)

    config = agentr_core.configure(env="textcraft", searcher="mcts", policy="flawed", trainer="none")
    settings = config.model_dump(mode="json")
    settings["policy"]["options"]["model"] = bad("model")
    with open_store(path) as store:
        run = store.runs.create("run", settings, seed=1, name=bad("name"))
        code = {"distribution": bad("dist"), "version": bad("version"), "target": bad("target")}
        names = {"critic": bad("plugin"), "env": "textcraft"}
        store.runs.save_plugins(run.id, [PluginRow(kind=kind, name=name, **code) for kind, name in names.items()])
        task = Task(key=bad("task"), split="train", instruction=bad("goal"))
        ids = store.tasks.save("textcraft", bad("world"), [task])
        (row,) = store.trees.plan(
            run.id, 1, [TreePlan(ids[task.key], 1)], searcher="mcts", searcher_hash="x", model=bad("model")
        )
        tree = _grown(task, bad)
        store.trees.start(row.id, tree)
        store.trees.save_simulation(row.id, tree, tree.nodes[1:], [tree.root])
        store.trees.finish(row.id, "done", tree, stats={"prompt_tokens": 5, "completion_tokens": 5}, elapsed=1.0)
        store.trees.save_verdicts(row.id, bad("critic"), "h", {2: Verdict(step=2, label="bad", rationale=bad("why"))})
        set_row = store.revisions.open(run.id, 1, bad("critic"), {"a": bad("setting")}, model=bad("model"))
        turns = [Message("user", bad("head")), Message("user", bad("first"))]
        for step in range(4):
            turns += [Message("assistant", bad(f"said {step}"), step > 1), Message("user", bad(f"seen {step}"))]
        sample = Sample(
            tree_id=row.id, kind="revision", good_leaf=3, bad_leaf=2, divergence=1, cut=2, verified=True, reward=1.0,
            bad_reward=0.0, good_reward=1.0, messages=tuple(turns),
        )  # fmt: skip
        store.revisions.save_tree(set_row.id, row.id, [sample], {"pairs": 1})
        counts = dict.fromkeys(("pairs", "good", "revisions", "verified", "tried", "judged", "judge_tokens"), 1.0)
        store.revisions.finish(set_row.id, {**counts, "cut_mean": 2.0})
        store.datasets.save(
            run.id, 1, bad("dataset"), [Example(tuple(turns), "revision", {"x": bad("origin")})], recipe="agent-r",
            content_hash="c", set_id=set_row.id,
        )  # fmt: skip
        measured = store.evaluations.open(
            run.id, 0, "plain", model=bad("model"), split="test", config={"split": bad("split")}
        )
        store.evaluations.save_result(
            measured.id, EvalResult(task_id=ids[task.key], messages=tuple(turns), error=bad("error"), success=False)
        )
        shares = {"success": 0.5, "success_low": 0.1, "success_high": 0.9, "reward": 0.5, "steps": 1.0}
        store.evaluations.finish(measured.id, {**shares, "invalid": 0.0, "loops": 0.0, "tasks": 1.0, "failed": 1.0})
        store.runs.set_status(run.id, "failed", error=bad("died"))


def _grown(task: Task, bad: Callable[[str], str]) -> Tree:
    """A shared step, a failed one with a line of a megabyte, and a good one."""
    tree = Tree(task, (Message("user", bad("head")), Message("user", bad("first"))), seed=1)
    tree.root.visits = 3

    def add(parent: int, name: str, **values: object) -> None:
        tree.add(
            tree.nodes[parent], action=bad(f"act {name}"), response=bad(f"say {name}") + BROKEN, visits=1,
            completion=Completion(text=bad(f"say {name}") + BROKEN), **values,
        )  # fmt: skip

    add(0, "shared", observation=bad("see shared"))
    add(1, "wrong", observation="A" * 1_000_000 + bad("see wrong"), terminal=True, terminated=True)
    add(1, "right", observation=bad("see right"), terminal=True, terminated=True, reward=1.0)
    tree.add(tree.nodes[1], action=bad("act unplayed"), response=bad("say unplayed"), observation=bad("see unplayed"))
    tree.simulations = 2
    return tree
