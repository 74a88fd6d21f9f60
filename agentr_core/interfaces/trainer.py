"""The trainer interface: from what was learnt by searching, and a checkpoint, to the next checkpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic

from typing_extensions import TypeVar

from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.training_sets import AnySet, Reads
from agentr_core.records import Checkpoint
from agentr_core.turns import Example, TrainingSet

ConfigT = TypeVar("ConfigT", bound=PluginConfig)
#: What is handed to :meth:`Trainer.train`: ``Trainer[MyConfig]`` takes conversations, ``Trainer[MyConfig, ActionSet]``
#: actions.
SetT = TypeVar("SetT", bound=AnySet, default=TrainingSet)

#: Settings of a trainer by these names say where its work is done. They change no result but by rounding, so they are
#: no part of what tells runs and trainings apart.
PLACE_SETTINGS = ("processes", "sharding", "accelerate")

#: Called with the optimizer step and the metrics at that step.
Report = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a training takes of a device's memory, in bytes.

    ``least``: what it cannot do without, which ``parts`` names; ``most``: with its largest batch, named by ``batch``.
    ``free``: what ``device`` has for it. ``advice``: what to set, or to do, where that is too little.
    """

    device: str
    free: int
    least: int
    most: int
    parts: str
    batch: str
    advice: str


@dataclass(frozen=True, slots=True)
class TrainingSpread:
    """Over how many processes of this machine a training is spread: ``told`` is a line about it.

    ``warning``: worth a line in any run, since some of the machine stays idle.
    """

    processes: int
    told: str
    warning: bool = False


class Trainer(ABC, Generic[ConfigT, SetT]):
    """A way to learn from what the search left: conversations, or preferences, actions or values of the trees.

    ``reads`` says which; the train stage makes that set, and :meth:`train` gets it.
    """

    config_class: ClassVar[type[PluginConfig]] = PluginConfig
    reads: ClassVar[Reads] = "conversations"

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @property
    def mixes_conversations(self) -> bool:
        """Whether a trainer of trees wants the conversations of the recipe too, as ``dataset.conversations``."""
        return False

    @abstractmethod
    def train(
        self,
        dataset: SetT,
        start: Checkpoint,
        out: Path,
        *,
        resume: bool,
        seed: int = 0,
        report: Report | None = None,
    ) -> Checkpoint:
        """Train ``start`` on ``dataset`` and leave a complete model in ``out``.

        Of conversations the turns with ``train`` set carry loss and nothing else; of a tree's action what was drawn.

        With ``resume``, go on from the newest checkpoint below ``out`` where there is one: the result is that of the
        run that was not interrupted. What ``report`` raises stops the training. Raises
        :class:`~agentr_core.errors.UsageError` for a start that is not a model. ``start.template_options``, where they
        are known, are what the search rendered its prompts with: train on the same.
        """

    def check(self, start: Checkpoint, instructions: str) -> str | None:
        """One line about what training from ``start`` will do, asked before a run begins; None where there is none.

        ``instructions`` are those of a task. Cheap: no weights are loaded. Raises
        :class:`~agentr_core.errors.UsageError` for what :meth:`train` would refuse after the search is paid for.
        """
        return None

    def check_sampling(self, sampling: Mapping[str, float | None]) -> None:
        """See that trees which are sampled so can be learnt from: ``temperature`` and ``top_p``, None for unknown.

        Asked before a run begins, of a trainer that reads actions, and of the trees that it gets. Raises
        :class:`~agentr_core.errors.UsageError`.
        """

    def spread(self) -> TrainingSpread | None:
        """The processes that training is shared out among; None where there is nothing to say, as this one does it all.

        Asked before a run begins. Raises :class:`~agentr_core.errors.UsageError` for what cannot be shared out so.
        """
        return None

    def memory(self, start: Checkpoint) -> MemoryNeed | None:
        """What training from ``start`` takes of the free memory; None where it is not known. Cheap, as above."""
        return None

    def too_long(self, examples: Sequence[Example], start: Checkpoint) -> Mapping[int, int]:
        """Which of ``examples`` :meth:`train` would leave out for their length, by their place; the tokens of each.

        The dataset is made of the others, so that its shares and caps are those of what is trained. None by default.
        """
        return {}

    def steps(self, conversations: int, iteration: int) -> int | None:
        """Optimizer steps for so many conversations in a 1-based iteration, at the most; None where it is not known.

        Asked of trainers that read conversations alone: how many rows trees will give is not known before.
        """
        return None


#: A trainer with whatever configuration.
AnyTrainer = Trainer[Any, Any]
