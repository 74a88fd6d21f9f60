"""Checks of a plugin as it is registered: its module, its spec, and the contract of its kind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from agentr_core.errors import UsageError
from agentr_core.hookspecs import Kind
from agentr_core.records import Checkpoint
from agentr_core.registry import Registry, registry
from agentr_core.testing.contract import Check, Contract, require, same
from agentr_core.testing.critics import CriticContract
from agentr_core.testing.environments import EnvironmentContract
from agentr_core.testing.policies import PolicyContract
from agentr_core.testing.searchers import SearcherContract
from agentr_core.testing.trainers import TrainerContract

#: What an entry point must not import: each of these takes longer than everything else that a listing does.
HEAVY = (
    "accelerate", "datasets", "gymnasium", "jax", "numpy", "pandas", "peft", "pyarrow", "pydantic", "sqlite_utils",
    "tensorflow", "torch", "transformers", "trl", "vllm",
)  # fmt: skip
#: The model that a trainer is tried on unless another is named.
DEFAULT_MODEL = "tiny"


class ModuleContract(Contract):
    """Rules for the module that an entry point names."""

    subject = "module"

    def __init__(self, module: str) -> None:
        self._module = module

    def importing_it_imports_nothing_heavy(self) -> None:
        """In a fresh interpreter: listings and ``--help`` import every plugin module."""
        before, after = _imported("import agentr_core, pluggy"), _imported(f"import pluggy, {self._module}")
        heavy = sorted((after - before) & set(HEAVY))
        require(not heavy, "none of them; import them inside the target module", ", ".join(heavy))


class SpecContract(Contract):
    """Rules for what is registered under a name."""

    subject = "spec"

    def __init__(self, kind: Kind, name: str, plugins: Registry) -> None:
        self._kind, self._name, self._plugins = kind, name, plugins

    def its_packages_are_installed(self) -> None:
        """What it requires can be imported."""
        self._plugins.require(self._kind, self._name)

    def it_has_a_summary_of_one_line(self) -> None:
        """Listings show it."""
        summary = self._plugins.spec(self._kind, self._name).summary
        require(summary.strip() and "\n" not in summary, "one line", repr(summary))

    def every_option_has_a_description(self) -> str:
        """``agentr plugins show`` prints them."""
        fields = self._plugins.config_class(self._kind, self._name).model_fields
        bare = [key for key, field in fields.items() if not field.description]
        require(not bare, "Field(description=...) for each", f"none for {', '.join(bare)}")
        return f"{len(fields)} options"

    def options_survive_json(self) -> str:
        """A run stores them and makes the plugin again from what it stored."""
        model = self._plugins.config_class(self._kind, self._name)
        if any(field.is_required() for field in model.model_fields.values()):
            return "some have no default"
        dump = model().model_dump(mode="json")
        same(model(), model.model_validate(json.loads(json.dumps(dump))), "the options and what JSON made of them")
        return ""


def checks(
    kind: Kind,
    name: str,
    config: Mapping[str, Any] | None = None,
    *,
    plugins: Registry | None = None,
    model: str = DEFAULT_MODEL,
) -> list[Check]:
    """Every rule that a registered plugin must keep: of its module, of its spec and of its kind.

    ``config`` are options to make it with; ``model`` is what a trainer starts from. For pytest::

        @pytest.mark.parametrize("check", checks("env", "warehouse"), ids=str)
        def test_contract(check):
            check()
    """
    plugins = plugins or registry()
    entry = plugins.entry(kind, name)
    rules = SpecContract(kind, name, plugins).checks()
    if entry.plugin.hooks:
        rules = ModuleContract(entry.plugin.module).checks() + rules
    return rules + _contract(kind, lambda: plugins.create(kind, name, config or {}), model).checks()


def _contract(kind: Kind, make: Callable[[], Any], model: str) -> Contract:
    contracts: dict[Kind, Callable[[], Contract]] = {
        "env": lambda: EnvironmentContract(make),
        "policy": lambda: PolicyContract(make),
        "searcher": lambda: SearcherContract(make),
        "critic": lambda: CriticContract(make),
        "trainer": lambda: TrainerContract(make, Checkpoint(model=model, base_model=model)),
    }
    return contracts[kind]()


def _imported(code: str) -> set[str]:
    probe = f"{code}\nimport sys\nprint('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    if result.returncode:
        raise UsageError(f"a fresh interpreter cannot do '{code}': {result.stderr.strip().splitlines()[-1]}")
    return set(result.stdout.split())
