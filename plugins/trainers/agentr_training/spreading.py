"""Over how many processes a training is spread, and what each holds of the model: by the settings, and what is here.

``batch_size`` is that of all processes together, each takes its part of every step: so the result is that of one
process but for rounding, and a model with dropout draws otherwise. Only what lies in the checkpoints of a training that
was stopped may bind it to a kind of sharding.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentr_core import MissingDependencyError, UsageError
from agentr_training.config import TrainingSettings

#: What a launcher tells the processes that it starts.
_LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
#: The checkpoints of one process, which any number of processes that hold whole models can go on from.
WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Spread:
    """So many processes, and what each holds: ``ddp`` the whole model, else its part of it.

    ``file`` is the user's own configuration of accelerate. ``idle`` GPUs are left over, since steps cannot be shared
    out among all.
    """

    processes: int
    sharding: str
    file: Path | None = None
    idle: int = 0

    @property
    def launches(self) -> bool:
        """Whether a launcher is needed: this process alone does as well otherwise."""
        return self.processes > 1 or self.file is not None

    @property
    def checkpoints(self) -> str:
        """What checkpoints are like: a training goes on from its own kind. DeepSpeed's are of a number of processes."""
        return checkpoints_of(self.sharding, self.processes)

    def told(self) -> str:
        """In words, for the plan of a run."""
        by = f", by {self.file}" if self.file is not None else ""
        by += f" ({self.idle} GPUs stay idle, as batch_size cannot be shared out among all)" if self.idle else ""
        if self.processes == 1:
            return f"1 process{by}" + ("" if self.sharding == "ddp" else f"; sharding={self.sharding} is for several")
        held = "the whole model" if self.sharding == "ddp" else f"a part of the model ({self.sharding})"
        return f"{self.processes} processes{by}, each with {held}"


#: This process by itself.
ALONE = Spread(1, "ddp")


def checkpoints_of(sharding: str, processes: int) -> str:
    """See :attr:`Spread.checkpoints`."""
    if sharding.startswith("zero"):
        return f"{sharding} of {processes}"
    return WHOLE if sharding == "ddp" else sharding


def launched() -> bool:
    """Whether a launcher has started this process, as one of several."""
    return all(name in os.environ for name in _LAUNCHED)


def processes_here() -> int:
    """How many processes train together with this one, itself among them."""
    return int(os.environ["WORLD_SIZE"]) if launched() else 1


def sharding_here() -> str:
    """What the launcher has told this process to hold of the model."""
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        return f"zero{os.environ.get('ACCELERATE_DEEPSPEED_ZERO_STAGE', '3')}"
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        return f"fsdp{os.environ.get('FSDP_VERSION', '1')}"
    return "ddp"


def spread_of(settings: TrainingSettings, name: str) -> Spread:
    """What the settings of the trainer ``name`` come to on this machine.

    Raises :class:`~agentr_core.UsageError` for what cannot be, and :class:`~agentr_core.MissingDependencyError` where
    DeepSpeed is wanted and not installed.
    """
    found = _asked(settings, name)
    if found.sharding != "ddp" and found.processes > 1:
        _check_sharding(f"{name}.accelerate" if found.file else f"{name}.sharding={found.sharding}", found.sharding)
    if (gpus := gpu_count()) and found.processes > gpus:
        raise UsageError(f"{name}.processes: {found.processes} processes need a GPU each, and this machine has {gpus}")
    check_batch(settings, name, found.processes)
    return found


def check_batch(settings: TrainingSettings, name: str, processes: int) -> None:
    """Each process takes the same part of a step. Raises :class:`~agentr_core.UsageError` where that cannot be."""
    if settings.batch_size % processes:
        raise UsageError(
            f"{name}.batch_size={settings.batch_size} cannot be shared out among {processes} processes evenly; take a "
            f"multiple of {processes} (it counts the rows of all of them; lower {name}.accumulate for it), or set "
            f"{name}.processes to what it can be divided by"
        )


def most_processes(gpus: int, batch_size: int) -> int:
    """How many of so many GPUs can share out a step evenly."""
    return max(count for count in range(1, max(1, gpus) + 1) if batch_size % count == 0)


def gpu_count() -> int:
    """GPUs that this process may use."""
    import torch

    return torch.cuda.device_count()


def _asked(settings: TrainingSettings, name: str) -> Spread:
    if settings.accelerate is None:
        if settings.processes != "auto":
            return Spread(settings.processes, settings.sharding)
        gpus = gpu_count() or 1
        taken = most_processes(gpus, settings.batch_size)
        return Spread(taken, settings.sharding, idle=gpus - taken)
    file = Path(settings.accelerate).absolute()
    values = _read(file, f"{name}.accelerate")
    if values.get("num_machines", 1) > 1:
        raise UsageError(
            f"{name}.accelerate: '{file}' is of {values['num_machines']} machines, and a run trains on one; there, "
            "start 'accelerate launch -m agentr_sft' on an exported dataset by hand"
        )
    known = values.get("num_processes") or 1
    processes = known if settings.processes == "auto" else settings.processes
    return Spread(processes, _sharding(values), file)


def _read(file: Path, setting: str) -> Mapping[str, Any]:
    from accelerate.commands.config.config_args import load_config_from_file

    try:
        return dict(vars(load_config_from_file(str(file))))
    except Exception as error:  # OSError, yaml's and accelerate's own errors ...
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{setting}: '{file}' is no configuration of accelerate ({reason}); make one with: accelerate config "
            "--config_file FILE"
        ) from error


def _sharding(values: Mapping[str, Any]) -> str:
    kind = str(values.get("distributed_type", "NO")).rpartition(".")[2]
    if kind == "FSDP":
        return f"fsdp{(values.get('fsdp_config') or {}).get('fsdp_version', 1)}"
    if kind == "DEEPSPEED":
        return f"zero{(values.get('deepspeed_config') or {}).get('zero_stage', 3)}"
    return "ddp"


def _check_sharding(setting: str, sharding: str) -> None:
    """What is needed is here; on a CPU accelerate would train whole models without a word."""
    if sharding.startswith("zero") and importlib.util.find_spec("deepspeed") is None:
        raise MissingDependencyError(setting, "deepspeed", "pip install deepspeed")
    if not gpu_count():
        raise UsageError(f"{setting} shares a model out among GPUs, and there is none here; take sharding ddp")
