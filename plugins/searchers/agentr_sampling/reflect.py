"""Going back to a mistake and on from there with a note of it in mind, after LEAFE (arXiv 2603.16843).

The model is shown a failed attempt and names the step that was wrong. The attempt is left before that step, and another
one goes on from there that is told, at each turn, what went wrong. The tree has the branch without the note: who learns
from it learns to do without.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from agentr_core import Node, SamplingParams, SearchContext, Searcher, Task, Tree
from agentr_sampling.attempts import attempt, backup
from agentr_sampling.config import ReflectConfig

_STEP = re.compile(r"^\W*step\W*(\d{1,9})\b", re.IGNORECASE | re.MULTILINE)
_NOTE = re.compile(r"^\W*note\W*:\W*(.+)", re.IGNORECASE | re.MULTILINE)
#: More of a note than this is no help.
NOTE_CHARS = 300


@dataclass(frozen=True, slots=True)
class Reflection:
    """The step of a failed attempt that was wrong (1-based), what to do there, and whether the model named the step."""

    step: int
    advice: str
    named: bool


class Reflect(Searcher[ReflectConfig]):
    """``attempts`` from the start, then ``reflections`` on failed ones; each is one simulation."""

    config_class = ReflectConfig

    @property
    def simulations(self) -> int:
        """How many attempts a tree gets at the most."""
        return self.config.attempts + self.config.reflections

    async def search(self, task: Task, context: SearchContext) -> Tree:
        """Make the attempts, then reflect on the failed ones in turn; where none has failed the search is over."""
        tree, config = context.tree, self.config
        while tree.simulations < self.simulations and not tree.root.exhausted and not context.stopping:
            attempts = max(1, config.attempts - tree.simulations)
            if tree.simulations < config.attempts:
                await attempt(context, Counter({tree.root: attempts}), config)
            else:
                failed = self.failed(tree)
                await self.go_back(failed[(tree.simulations - config.attempts) % len(failed)], context)
            tree.root.exhausted = not self.failed(tree)
            await context.commit(attempts)
        return tree

    def failed(self, tree: Tree) -> list[Node]:
        """The ends of failed attempts, in the order they were made."""
        return [leaf for leaf in tree.leaves() if leaf.reward < self.config.solved]

    async def go_back(self, leaf: Node, context: SearchContext) -> None:
        """One attempt that leaves the failed one before its mistake, with a note of it."""
        config, path = self.config, leaf.path()
        reflection = await self.reflect(leaf, context)
        mistake = path[reflection.step - 1]
        note, start = told(mistake, reflection), mistake.parent or context.tree.root
        known = set(start.children)
        children = await context.expand(
            start,
            1,
            config.sampling(),
            merge=config.merge_key,
            horizon=config.depth,
            again=config.asking_again(),
            note=note,
            keep={"failed": leaf.index, "step": reflection.step, "named": reflection.named},
        )
        first = next((child for child in children if child not in known), children[0])
        if first.terminal:
            backup(first)
        else:
            await attempt(context, Counter({first: 1}), config, note=note)

    async def reflect(self, leaf: Node, context: SearchContext) -> Reflection:
        """Ask the model which step was wrong; a step that it does not name is drawn by chance."""
        params = SamplingParams(temperature=self.config.temperature, max_tokens=self.config.note_tokens)
        answer = (await context.sample(leaf, 1, params, note=question(leaf)))[0].text
        chance = context.rng("step", context.tree.simulations).randint(1, leaf.depth)
        return read(answer, leaf.depth, chance)


def question(leaf: Node) -> str:
    """What the model is asked at the end of a failed attempt."""
    steps = "\n".join(f"{number}. {done(node)}" for number, node in enumerate(leaf.path(), 1))
    return (
        f"This attempt has ended without success. Its steps were:\n{steps}\n"
        "Which step was the first mistake, and what should be done in its place? Answer with two lines:\n"
        "Step: its number\nNote: what to do in its place"
    )


def read(answer: str, steps: int, chance: int) -> Reflection:
    """The reflection in an answer about so many steps; ``chance`` is the step where it names none of them."""
    step, note = _STEP.search(answer), _NOTE.search(answer)
    named = step is not None and 1 <= int(step[1]) <= steps
    advice = " ".join(note[1].split())[:NOTE_CHARS] if note else ""
    return Reflection(int(step[1]) if step is not None and named else chance, advice, named)


def told(mistake: Node, reflection: Reflection) -> str:
    """The note: what was done and came to nothing, and what the model says should be done."""
    note = f"Note: an earlier attempt did this at step {mistake.depth} and failed: {done(mistake)}"
    return f"{note}\nDo something else there. {reflection.advice}".rstrip()


def done(node: Node) -> str:
    """What a step did, in a line."""
    said = node.action if node.action is not None else node.response
    return " ".join(said.split())[:NOTE_CHARS]
