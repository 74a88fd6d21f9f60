"""What a model's name stands for: a model that a plugin brings, a folder, or a hub id. Nothing heavy is imported."""

from __future__ import annotations

import importlib
import json
import re
import textwrap
from pathlib import Path

from agentr_core.errors import ModelNotHere, UsageError
from agentr_core.registry.hub_waits import bound_waits
from agentr_core.registry.lookup import registry

_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w.-]+)?")
_LONGEST = 600
#: A model folder has one of these, but for an adapter: its base model has one.
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model")
_ADAPTER = "adapter_config.json"
_LARGE = {".safetensors", ".bin", ".json", ".model"}
_POINTER = b"version https://git-lfs"


def resolve_model(name: str) -> Path | str:
    """The folder that a model's short name or path stands for; a hub id is returned as it is.

    A model that a plugin brings is fetched or made on first use. Raises :class:`~agentr_core.errors.UsageError` for
    what cannot be a model.
    """
    if named := registry().models().get(name):
        module, _, function = named.target.partition(":")
        return Path(getattr(importlib.import_module(module), function)())
    folder = Path(name).expanduser()
    if folder.exists():
        return _checked(folder, name)
    if name.startswith((".", "/", "~")) or "\\" in name or not _HUB_ID.fullmatch(name):
        raise UsageError(f"there is no model folder '{name}'; {_choices()}")
    bound_waits()
    return name


def local_model(name: str) -> Path | None:
    """As :func:`resolve_model`, but nothing is ever fetched or made: None for a model that is not in a folder here."""
    if named := registry().models().get(name):
        module, _, function = named.here.partition(":")
        return getattr(importlib.import_module(module), function)() if function else None
    folder = Path(name).expanduser()
    return folder.resolve() if folder.is_dir() else None


def is_adapter(source: Path | str) -> bool:
    """Whether a model is a folder with an adapter, which is nothing without the model that it is made for."""
    return isinstance(source, Path) and (source / _ADAPTER).is_file()


def base_of(source: Path | str) -> Path | str:
    """The model that an adapter's folder names as its base; any other model is its own.

    Raises :class:`~agentr_core.errors.UsageError` where there is no such base.
    """
    if not isinstance(source, Path) or not is_adapter(source):
        return source
    base = str(json.loads((source / _ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"])
    try:
        return resolve_model(base)
    except UsageError as cause:
        raise UsageError(f"the adapter in '{source}' needs its base model: {cause}") from cause


def tokenizer_of(source: Path | str) -> Path | str:
    """Where a model's tokenizer lies: in its folder, or with the base of an adapter that was saved without one."""
    return base_of(source) if isinstance(source, Path) and not any(source.glob("tokenizer*")) else source


def model_failure(name: str, source: Path | str, cause: BaseException) -> UsageError:
    """The one sentence for a model that could not be loaded from ``source``, what :func:`resolve_model` returned."""
    reason = _first_line(cause)
    if isinstance(source, Path):
        return UsageError(f"the model in '{name}' cannot be loaded ({reason}); {_choices()}")
    return ModelNotHere(f"'{name}' is no folder here and cannot be loaded from the hub ({reason}); {_choices()}")


def _checked(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise UsageError(f"'{name}' is a file, and a model is a folder with config.json, weights and tokenizer")
    adapter = is_adapter(folder)
    if not adapter and not (folder / "config.json").is_file():
        raise UsageError(f"the folder '{name}' holds no model: it has no config.json; {_choices()}")
    _check_fetched(folder, name)
    if not adapter and not any((folder / file).is_file() for file in _TOKENIZERS):  # an adapter's base has one
        raise UsageError(f"the model folder '{name}' has no tokenizer; save it there with tokenizer.save_pretrained()")
    return folder.resolve()


def _check_fetched(folder: Path, name: str) -> None:
    """Refuse a clone in which Git LFS has left its pointers in the place of large files."""
    for file in sorted(folder.iterdir()):
        if file.suffix in _LARGE and file.is_file():
            with file.open("rb") as opened:
                if opened.read(len(_POINTER)) == _POINTER:
                    raise UsageError(
                        f"'{file.name}' in the model folder '{name}' is a pointer of Git LFS, not the file; fetch "
                        "the files there with: git lfs install && git lfs pull"
                    )


def _choices() -> str:
    return f"give a model folder, a hub id such as 'org/name', or one of: {', '.join(registry().models())}"


def _first_line(cause: BaseException) -> str:
    """What the cause says, up to :data:`_LONGEST` characters and then to a whole word: hints come last."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return textwrap.shorten(lines[0] if lines else type(cause).__name__, _LONGEST, placeholder=" ...").rstrip(".")
