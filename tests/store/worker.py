"""A small search over a store, as a program of its own: what other processes of the store's tests run."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from agentr_core.interfaces.tree import Node, Tree
from agentr_core.records import Completion, Task
from agentr_core.seeds import derive_rng
from agentr_core.store import Store, TreePlan, canonical_dump, open_store
from agentr_core.turns import Message

WORDS = ("craft", "using", "get", "iron", "ingot", "stick", "oak", "planks", "log", "chest", "coal", "glass", "wool")
SIMULATIONS = 4


def words(rng: random.Random, length: int) -> str:
    text = ""
    while len(text) < length:
        text += rng.choice(WORDS) + " "
    return text[:length]


def new_tree(task: Task, seed: int) -> Tree:
    head = (Message("system", "Craft what you are asked for. " * 20), Message("user", f"Craft {task.key}."))
    return Tree(task, head, seed=seed, state_key="00" * 8)


def simulate(tree: Tree, count: int, tokens: int = 30) -> tuple[list[Node], list[Node]]:
    """One simulation that depends on the tree's seed and its number alone; the new nodes and the touched ones."""
    rng = derive_rng(tree.seed, "simulation", tree.simulations)
    old = len(tree.nodes)
    touched = {}
    for _ in range(count):
        parent = rng.choice(tree.nodes)
        action = words(rng, rng.randint(10, 40))
        response = f"Thought: {words(rng, rng.randint(60, 120))}\nAction: {action}"
        ids = tuple(rng.randrange(1500) for _ in range(tokens))
        completion = Completion(text=response, token_ids=ids, logprobs=(-0.5,) * tokens, prompt_tokens=400)
        child = tree.add(
            parent,
            response=response,
            action=action,
            observation=words(rng, rng.randint(40, 80)),
            reward=rng.random(),
            terminal=rng.random() < 0.1,
            state_key=f"{rng.getrandbits(64):016x}",
            completion=completion,
        )
        for node in child.ancestors():
            node.visits += 1
            node.value_sum += child.reward
            touched[node.index] = node
    tree.simulations += 1
    return tree.nodes[old:], [node for index, node in touched.items() if index < old]


def search(store: Store, n_trees: int = 3, count: int = 8) -> None:
    """Grow what is missing of one run's trees, a simulation a transaction; a stage, a conversation, an evaluation."""
    runs = store.runs.select()
    run = runs[0] if runs else store.runs.create("search", {"seed": 7}, seed=7)
    tasks = [Task(key=f"goal {i}", split="train", instruction=f"Craft {i}.") for i in range(n_trees)]
    ids = store.tasks.save("textcraft", "1", tasks)
    plans = [TreePlan(ids[task.key], 100 + i) for i, task in enumerate(tasks)]
    rows = store.trees.plan(run.id, 1, plans, searcher="mcts", searcher_hash="h", model="m")
    store.runs.open_stage(run.id, 1, "search")
    for row, task in zip(rows, tasks, strict=True):
        if row.status == "done":
            continue
        if row.n_nodes:
            tree = store.trees.load(row.id)
        else:
            tree = new_tree(task, row.seed)
            store.trees.start(row.id, tree)
        while tree.simulations < SIMULATIONS:
            store.trees.save_simulation(row.id, tree, *simulate(tree, count))
        store.trees.finish(row.id, "done", tree, stats={"seen_seconds": os.getpid()}, elapsed=1.5)
    store.runs.finish_stage(run.id, 1, "search", {"trees": n_trees})
    store.runs.set_status(run.id, "done")


def tell_each_statement(store: Store) -> None:
    """Write one byte to stdout after each writing statement, so that a test can kill in between."""
    for name in ("execute", "executemany"):
        original = getattr(store.connection, name)

        def telling(*args: object, original: object = original) -> object:
            result = original(*args)  # type: ignore[operator]
            os.write(1, b".")
            return result

        setattr(store.connection, name, telling)


def main(command: str, path: str, *rest: str) -> None:
    if command == "write":  # read, then write, in each transaction
        with open_store(path) as store:
            for i in range(int(rest[0])):
                with store.transaction():
                    known = len(store.runs.select())
                    store.runs.create("write", {"known": known}, seed=i)
    elif command == "search":
        with open_store(path) as store:
            tell_each_statement(store)
            search(store)
    elif command == "dump":
        with open_store(path) as store:
            search(store)
            print("\n".join(canonical_dump(store)))
    elif command == "runs":
        with open_store(Path(path), read_only=True) as store:
            print(len(store.runs.select()))


if __name__ == "__main__":
    main(*sys.argv[1:])
