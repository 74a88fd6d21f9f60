"""What was played by hand, kept as a demonstration beside those that were imported.

Each that is kept makes a dataset of its own: what the run had before, and this one. A dataset that something was
trained on stays what it was, and the newest, which ``agentr train --run`` takes, has all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentr_core.errors import EnvironmentFailure, NothingToDo
from agentr_core.hashing import content_hash
from agentr_core.play.steered import SteeredEpisode
from agentr_core.play.worlds import World
from agentr_core.revise.splice import training_messages
from agentr_core.runs.by_hand import PERSON
from agentr_core.runs.imports import of_run
from agentr_core.runs.iterations import BASELINE
from agentr_core.runs.start_and_resume import only_worker
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import DatasetRow, RunRow, open_store
from agentr_core.train.demonstration_replay import Replay, failed, replay
from agentr_core.train.stage import IMPORTED
from agentr_core.turns import Example, Message

#: What a dataset that ends with a demonstration by hand is called.
PLAYED = "played"


@dataclass(frozen=True, slots=True)
class Kept:
    """A demonstration that was kept: the dataset and run that have it.

    ``is_new``: the run was made for it. ``was_there``: the dataset had the very conversation already.
    """

    dataset: DatasetRow
    run: RunRow
    is_new: bool
    was_there: bool


def trained_turns(episode: SteeredEpisode, *, everyone: bool, refused: bool = False) -> list[bool]:
    """Which of the episode's turns a demonstration of it trains.

    Those of the person, or of all where there are none or ``everyone`` is to be learnt from. A turn that was cut off is
    none of them, and one that the environment refused only with ``refused``, as in the good trajectories of a search.
    """
    marked = training_messages((), episode.steps, 0, train_refused=refused)[::2]
    alone = PERSON in episode.by and not everyone
    return [turn.train and (by == PERSON or not alone) for turn, by in zip(marked, episode.by, strict=True)]


async def demonstration(world: World, episode: SteeredEpisode, trained: Sequence[bool]) -> tuple[Example, Replay]:
    """The episode as a training conversation, and how playing it again in another environment went.

    Raises :class:`~agentr_core.errors.NothingToDo` where no turn is ``trained``.
    """
    if not any(trained):
        raise NothingToDo("there is no turn to train: none was played, or the environment has refused them all")
    messages, agent = list[Message](), iter(trained)
    for message in episode.messages():
        messages.append(replace(message, train=next(agent)) if message.role == "assistant" else message)
    first = len(episode.head)
    cut_off = {first + 2 * at for at, step in enumerate(episode.steps) if step.cut_off}
    try:
        async with world.episodes.lend() as environment:
            replayed = await replay(
                environment,
                episode.task,
                messages,
                episode.steps[-1].reward,
                revision_action=episode.revision_action,
                cut_off=cut_off,
            )
    except EnvironmentFailure as failure:
        replayed = failed(messages, failure)
    task = episode.task
    turns = ", ".join(f"{count} {by}" for by, count in Counter(episode.by).items())
    origin: dict[str, Any] = {"played": turns, "env": world.name, "task": task.key, "split": task.split}
    origin |= {"replay": replayed.outcome, "reward": episode.steps[-1].reward}
    return Example(tuple(messages), "good", origin), replayed


def keep(example: Example, config: RunConfig, *, db: str | Path, run: str) -> Kept:
    """Keep a demonstration with the run of this name, or a new one that is about the environment of ``config``.

    Raises :class:`~agentr_core.errors.UsageError` for a run that cannot be used, and
    :class:`~agentr_core.errors.StoreError` for a database that cannot.
    """
    with open_store(db) as store, of_run(store, run, config, "play") as (row, is_new):
        with nullcontext() if is_new else only_worker(store, row):
            before = [each for each in store.datasets.select(row.id) if each.recipe == IMPORTED][-1:]
            examples = [example for each in before for example in store.datasets.load(each.id).examples]
            if any(each.content() == example.content() for each in examples):
                return Kept(before[0], row, is_new, was_there=True)
            examples.append(example)
            dataset = store.datasets.save(
                row.id,
                BASELINE,
                PLAYED,
                examples,
                recipe=IMPORTED,
                content_hash=content_hash([each.content() for each in examples]),
                config={"env": config.env[0].model_dump(mode="json"), "after": [each.id for each in before]},
            )
        return Kept(dataset, row, is_new, was_there=False)
