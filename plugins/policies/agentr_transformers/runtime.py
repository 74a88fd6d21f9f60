"""torch and transformers, imported as a search wants them: quiet, and fair to other processes on the same cores.

Every other module of this package takes ``torch`` and ``transformers`` from here.
"""

from __future__ import annotations

import os

# GNU OpenMP's threads spin while they wait; beside any other busy process two of them then run two to ten times
# slower. The variable is read once, when torch loads the library.
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch as torch
import transformers as transformers

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def pick_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` is the first GPU, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The arithmetic called ``name``; ``auto`` is float32 on a CPU, bfloat16 on a GPU that has it, else float16."""
    if name != "auto":
        dtype = getattr(torch, name)
        assert isinstance(dtype, torch.dtype)
        return dtype
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
