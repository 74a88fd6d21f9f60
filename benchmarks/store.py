"""What the store costs: time and log bytes a node, and megabytes a tree, with 1 to 64 trees growing by turns.

    python benchmarks/store.py [--trees 64] [--nodes 630] [--simulations 8] [--tokens 40]

Trees of the paper's size (8 simulations, about 630 nodes, turns of 100 to 200 characters, observations of about 60, all
different), every simulation a transaction. The clock is the thread's CPU time, so that neighbours do not count.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agentr_core.interfaces.tree import Node, Tree
from agentr_core.process.garbage import seldom_collecting
from agentr_core.records import Completion, Task
from agentr_core.store import Store, TreePlan, TreeRow, open_store
from agentr_core.turns import Message

WORDS = ("craft", "get", "using", "iron", "ingot", "stick", "plank", "oak", "log", "chest", "coal", "glass", "brick")


def text(rng: random.Random, length: int) -> str:
    return " ".join(rng.choices(WORDS, k=length // 4))[:length]


def grow(tree: Tree, rng: random.Random, nodes: int, tokens: int) -> tuple[list[Node], list[Node]]:
    """One simulation: new nodes below random ones, and the path of each touched."""
    old, touched = len(tree.nodes), {0: tree.root}
    for _ in range(nodes):
        parent = rng.choice(tree.nodes)
        action = text(rng, 30)
        response = f"Thought: {text(rng, rng.randint(60, 150))}\nAction: {action}"
        ids, logprobs = tuple(rng.choices(range(1500), k=tokens)), tuple(rng.random() for _ in range(tokens))
        completion = Completion(text=response, token_ids=ids, logprobs=logprobs, prompt_tokens=500)
        state = f"{rng.getrandbits(64):016x}"
        tree.add(
            parent, response=response, action=action, observation=text(rng, 60), state_key=state, completion=completion
        )
    for node in rng.choice(tree.nodes[old:]).ancestors():
        node.visits += 1
        touched[node.index] = node
    tree.simulations += 1
    return tree.nodes[old:], [node for index, node in touched.items() if index < old]


def plan(store: Store, count: int) -> Iterator[tuple[TreeRow, Tree]]:
    run = store.runs.create("benchmark", {}, seed=0)
    tasks = [Task(key=f"task {i}", split="train", instruction="Craft.") for i in range(count)]
    ids = store.tasks.save("none", "1", tasks)
    plans = [TreePlan(ids[task.key], i) for i, task in enumerate(tasks)]
    rows = store.trees.plan(run.id, 1, plans, searcher="none", searcher_hash="", model="none")
    for row, task in zip(rows, tasks, strict=True):
        head = (Message("system", "rules " * 200), Message("user", text(random.Random(row.seed), 300)))
        yield row, Tree(task, head, seed=row.seed, state_key="0" * 16)


def measure(path: Path, trees: int, nodes: int, simulations: int, tokens: int) -> tuple[float, float, float]:
    """Microseconds of CPU a node, kilobytes of log a node, megabytes of file a tree."""
    rng, spent, written = random.Random(0), 0.0, 0
    with open_store(path) as store:
        store.connection.all("PRAGMA wal_autocheckpoint=0")  # the log then shows all that was written to it
        live = list(plan(store, trees))
        for row, tree in live:
            start = time.thread_time()
            store.trees.start(row.id, tree)
            spent += time.thread_time() - start
        for _ in range(simulations):
            for row, tree in live:
                new, touched = grow(tree, rng, nodes // simulations, tokens)
                start = time.thread_time()
                store.trees.save_simulation(row.id, tree, new, touched)
                spent += time.thread_time() - start
        for row, tree in live:
            start = time.thread_time()
            store.trees.finish(row.id, "done", tree)
            spent += time.thread_time() - start
        written = store.connection.status()["log_bytes"]
        count = sum(len(tree.nodes) for _, tree in live)
    return 1e6 * spent / count, written / 1e3 / count, path.stat().st_size / 1e6 / trees


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("trees", 64), ("nodes", 630), ("simulations", 8), ("tokens", 40)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    print(f"{'trees in flight':>15} {'µs/node':>9} {'log kB/node':>12} {'MB/tree':>9}")
    with seldom_collecting():  # as a run does
        report(options)


def report(options: argparse.Namespace) -> None:
    trees = 1
    while trees <= options.trees:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "agentr.db"
            cost, log, size = measure(path, trees, options.nodes, options.simulations, options.tokens)
        print(f"{trees:>15} {cost:>9.1f} {log:>12.2f} {size:>9.2f}")
        trees *= 4


if __name__ == "__main__":
    main()
