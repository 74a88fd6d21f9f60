"""A store of any size for `benchmarks/viewer.py`: as many rows as a year of runs leaves, made in minutes.

A few hundred trees, conversations and texts are made up, and used again and again under other numbers; the rows are
written through the store's own connection into its own schema. Every run has the stages, metrics, evaluations,
revisions and datasets of a run of two iterations. The oldest run has a tree of 5,000 nodes and one of 700 besides.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import agentr_core
from agentr_core import Completion, Message, Node, Store, Task, Tree, open_store
from agentr_core.store.columns import pack_completion, pack_flags, pack_state, text_hash

WORDS = ("craft", "get", "using", "iron", "ingot", "stick", "plank", "oak", "log", "chest", "coal", "glass", "brick")
#: So many different trees are made up; of tokens of a turn, samples of a tree, tasks, and steps of a training so many.
TEMPLATES, TOKENS, SAMPLES, TASKS, STEPS = 60, 30, 6, 100, 100
LARGE = (5_000, 700)
_NODES = f"INSERT INTO nodes VALUES ({', '.join('?' * 20)})"
_TREES = """
INSERT INTO trees (id, run_id, iteration, task_id, seed, searcher, searcher_hash, model, head, status, simulations,
  n_nodes, best_reward, stats_json, elapsed_seconds)
VALUES (?, ?, ?, ?, 0, 'mcts', '', 'tiny', ?, 'done', 8, ?, ?, ?, 12.5)
"""
_STATS = json.dumps({"samples": 560, "prompt_tokens": 40_000, "completion_tokens": 12_000, "cached_tokens": 30_000})


def words(rng: random.Random, length: int) -> str:
    return " ".join(rng.choices(WORDS, k=length // 4))[:length]


def template(rng: random.Random, size: int, long: list[str]) -> tuple[list[tuple[Any, ...]], Tree]:
    """The rows of a tree's nodes without the tree's number, and the tree; a tenth of the observations is long."""
    task = Task(key="t", split="train", instruction="Craft.", env="textcraft")
    tree = Tree(task, (Message("user", "rules"), Message("user", "go")), seed=0)
    open_nodes = [tree.root]
    while len(tree.nodes) < size:
        parent = open_nodes.pop(rng.randrange(len(open_nodes))) if len(open_nodes) > 1 else open_nodes.pop()
        parent.expanded = True
        for _ in range(rng.randint(2, 4)):
            action = words(rng, 30)
            ids = tuple(rng.choices(range(1500), k=TOKENS))
            response = f"Thought: {words(rng, rng.randint(40, 120))}\nAction: {action}"
            said = Completion(
                text=response, token_ids=ids, logprobs=tuple(-rng.random() for _ in ids), prompt_tokens=500
            )
            seen = rng.choice(long) if rng.random() < 0.1 else words(rng, 60)
            child = tree.add(parent, response=response, action=action, observation=seen, completion=said)
            child.visits, child.state_key = 1, f"{rng.getrandbits(64):016x}"
            open_nodes.append(child)
    for node in tree.nodes[1:]:
        if not node.expanded and rng.random() < 0.3:
            node.terminal = node.terminated = True
            node.reward = float(rng.random() < 0.4)
    return [_row(node) for node in tree.nodes], tree


def _row(node: Any) -> tuple[Any, ...]:
    seen = node.observation if len(node.observation) <= 256 else text_hash(node.observation)
    numbers = (node.reward, node.score, pack_flags(node), node.copies, node.visits, node.value_sum)
    where = (node.index, None if node.parent is None else node.parent.index, node.response, node.action, seen)
    return (
        *where,
        *numbers,
        pack_state(node.state_key),
        node.index // 40,
        None,
        None,
        *pack_completion(node.completion),
    )


def fill(db: Path, runs: int, trees: int, nodes: int) -> None:
    """Make the database at ``db``."""
    with open_store(db) as store:
        Filler(store, runs, trees, nodes).fill()


class Filler:
    """Writes the runs, one transaction each."""

    def __init__(self, store: Store, runs: int, trees: int, nodes: int) -> None:
        self.store, self.runs, self.each = store, runs, trees // runs
        rng, size = random.Random(0), nodes // trees
        long = [words(rng, rng.randint(300, 1500)) for _ in range(1000)]
        self.templates = [template(rng, rng.randint(size // 2, size * 3 // 2), long) for _ in range(TEMPLATES)]
        self.large = [template(rng, size, long) for size in LARGE]
        self.tree, self.rng, self.leaves = 0, rng, dict[int, list[Node]]()
        made = [Task(key=f"task_{n}", split="train", instruction=f"Goal: craft {words(rng, 40)}") for n in range(TASKS)]
        with store.transaction():
            self.tasks = list(store.tasks.save("textcraft", "1", made).values())
            texts = [(text_hash(text), text) for text in long]
            store.connection.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", texts)
            self.talks = [store.conversations.save(list(self._talk())) for _ in range(500)]

    def _talk(self) -> Iterator[Message]:
        yield from (Message("user", words(self.rng, 900)), Message("user", words(self.rng, 200)))
        for step in range(self.rng.randint(4, 12)):
            yield Message("assistant", words(self.rng, 120), step > 3)
            yield Message("user", words(self.rng, 80))

    def fill(self) -> None:
        """All runs; the settings are those of one that could have been."""
        config = agentr_core.configure(policy="flawed", iterations=2).model_dump(mode="json")
        for number in range(self.runs):
            run = self.store.runs.create("run", {**config, "seed": number}, seed=number, name=f"run-{number}")
            with self.store.transaction():
                first = self.tree + 1
                if number == 0:
                    self._trees(run.id, 2, self.large, first_task=self.each)
                per = self.each // 2
                self._trees(run.id, 1, self.rng.choices(self.templates, k=per))
                self._trees(run.id, 2, self.rng.choices(self.templates, k=self.each - per))
                self._rest(run.id, range(first, self.tree + 1))
            self.store.runs.set_status(run.id, "done")

    def _trees(self, run: int, iteration: int, templates: list[Any], first_task: int = 0) -> None:
        execute, every = self.store.connection.execute, self.store.connection.executemany
        for offset, (rows, tree) in enumerate(templates):
            self.tree += 1
            self.leaves[self.tree] = [leaf for leaf in tree.leaves() if leaf.depth > 1][:SAMPLES]
            task = self.tasks[(first_task + offset) % TASKS] if first_task + offset < TASKS else self._new_task()
            execute(_TREES, (self.tree, run, iteration, task, self.talks[0], len(rows), tree.best_reward, _STATS))
            every(_NODES, ((self.tree, *row) for row in rows))

    def _new_task(self) -> int:
        """One more task: a run has a tree of each at the most."""
        key = f"task_{len(self.tasks)}"
        saved = self.store.tasks.save("textcraft", "1", [Task(key=key, split="train", instruction="Goal: craft.")])
        self.tasks += saved.values()
        return self.tasks[-1]

    def _rest(self, run: int, trees: range) -> None:
        """Revisions, datasets, evaluations, metrics and stages."""
        runs = self.store.runs
        self._evaluation(run, 0)
        for iteration in (1, 2):
            own = [tree for tree in trees if (tree - trees.start) % 2 == iteration - 1]
            runs.open_stage(run, iteration, "search")
            runs.finish_stage(run, iteration, "search", {"trees": len(own), "nodes": 250 * len(own), "solved": 9})
            made = self._revisions(run, iteration, own)
            self._training(run, iteration, made)
            self._evaluation(run, iteration)
            runs.save_account(run, iteration, "search", {"turns": 5000, "cut_off": 400, "refused": 900})

    def _revisions(self, run: int, iteration: int, trees: list[int]) -> int:
        store, every = self.store, self.store.connection.executemany
        made = store.revisions.open(run, iteration, "actor", {"critic": {"name": "actor"}}, model="tiny").id
        store.runs.open_stage(run, iteration, "revise")
        every("INSERT INTO revised_trees VALUES (?, ?, '{\"pairs\": 6}')", ((made, tree) for tree in trees))
        talk = self.rng.choice
        samples = (
            (made, tree, "revision", bad.index, 1, 0, bad.depth - 1, 1, n % 4 > 0, 1.0, 0.0, 1.0, 0, n % 4 > 0,
             talk(self.talks), None)
            for tree in trees for n, bad in enumerate(self.leaves[tree])
        )  # fmt: skip
        every(f"INSERT INTO samples VALUES ({', '.join('?' * 16)})", samples)
        pairs = ((made, tree, 3, 50, 21, 1.0, 0.0, talk(self.talks), talk(self.talks), None) for tree in trees)
        every(f"INSERT INTO preferences VALUES ({', '.join('?' * 10)})", pairs)
        verdicts = (
            (tree, node, "actor", "", node, "bad" if node % 5 == 0 else "good", "it does not help")
            for tree in trees for node in range(1, 40)
        )  # fmt: skip
        every("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", verdicts)
        figures = dict.fromkeys(("pairs", "good", "revisions", "verified", "tried", "judged", "mismatches"), 100.0)
        figures |= dict.fromkeys(("verdicts", "unreadable", "judge_tokens", "cut_mean", "failed"), 4.0)
        store.revisions.finish(made, figures)
        store.runs.finish_stage(run, iteration, "revise", figures, result_id=made)
        return made

    def _training(self, run: int, iteration: int, made: int) -> None:
        store, every = self.store, self.store.connection.executemany
        dataset = store.datasets.save(
            run, iteration, "agent-r-actor", [], recipe="agent-r", content_hash="0" * 64, set_id=made
        )
        items = (
            (dataset.id, n, "revision" if n % 3 else "good", self.rng.choice(self.talks), None) for n in range(200)
        )
        every("INSERT INTO dataset_items VALUES (?, ?, ?, ?, ?)", items)
        execute = store.connection.execute
        execute("UPDATE datasets SET n_examples = 200 WHERE id = ?", (dataset.id,))
        names = ("loss", "grad_norm", "learning_rate", "epoch", "progress")
        rows = ((run, iteration, "train", name, step, self.rng.random()) for name in names for step in range(STEPS))
        every("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
        checkpoint = store.checkpoints.open(
            run, iteration, dataset_id=dataset.id, trainer="sft", base_model="tiny", start_model="tiny",
            path=f"{store.path.parent}/out/{run}/{iteration}", config={},
        )  # fmt: skip
        store.checkpoints.finish(checkpoint.id, step=STEPS, metrics={"loss": 0.1})
        store.runs.open_stage(run, iteration, "train")
        store.runs.finish_stage(run, iteration, "train", {"examples": 200, "loss_last": 0.1}, result_id=checkpoint.id)

    def _evaluation(self, run: int, iteration: int) -> None:
        store = self.store
        settings = {"env": {"name": "textcraft"}, "policy": "flawed", "options": {}, "model": f"model-{iteration}"}
        model = f"out/{run}/{iteration}" if iteration else "flawed"
        row = store.evaluations.open(run, iteration, "plain", model=model, split="test", config=settings)
        results = (
            (row.id, task, 0, won := float(self.rng.random() < 0.3 + 0.2 * iteration), None, won >= 1, 12, 2, 3, 6000,
             250, 1.5, self.rng.choice(self.talks), None, 0, 0, 0, 0)
            for task in self.tasks[:TASKS]
        )  # fmt: skip
        store.connection.executemany(f"INSERT INTO eval_results VALUES ({', '.join('?' * 18)})", results)
        share = 0.3 + 0.2 * iteration
        figures = {"success": share, "success_low": share - 0.1, "success_high": share + 0.1, "reward": share}
        figures |= {"tasks": 100.0, "steps": 12.0, "invalid": 2.0, "loops": 3.0, "failed": 0.0}
        store.evaluations.finish(row.id, figures)
        store.runs.open_stage(run, iteration, "evaluate")
        store.runs.finish_stage(run, iteration, "evaluate", figures, result_id=row.id)
