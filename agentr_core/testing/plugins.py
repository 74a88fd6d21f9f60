"""Checks of a plugin as it is registered: its module, its spec, and the contract of its kind."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agentr_core.errors import PluginError, UsageError
from agentr_core.interfaces.critic import Critic
from agentr_core.interfaces.environment import Environment
from agentr_core.interfaces.executor import Executor
from agentr_core.interfaces.policy import Policy
from agentr_core.interfaces.searcher import Searcher
from agentr_core.interfaces.trainer import Trainer
from agentr_core.records import Checkpoint
from agentr_core.registry.lookup import IN_PROCESS, NOUNS, Registry, registry
from agentr_core.registry.specs import Kind
from agentr_core.testing.contract import Check, Contract, current, require, same
from agentr_core.testing.critics import CriticContract
from agentr_core.testing.environments import EnvironmentContract
from agentr_core.testing.executors import ExecutorContract
from agentr_core.testing.models import random_llama
from agentr_core.testing.policies import PolicyContract
from agentr_core.testing.searchers import SearcherContract
from agentr_core.testing.trainers import TrainerContract

BASES: dict[Kind, type] = {
    "env": Environment, "policy": Policy, "searcher": Searcher, "critic": Critic, "trainer": Trainer,
    "executor": Executor,
}  # fmt: skip


class ModuleContract(Contract):
    """Rules for the module that an entry point names."""

    subject = "module"

    def __init__(self, module: str) -> None:
        self._module = module

    def importing_it_imports_nothing_heavy(self) -> None:
        """In a fresh interpreter: listings and ``--help`` import every plugin module.

        Beside Python's own modules there may be pluggy, the light part of agentr_core, and the plugin's package.
        """
        light = sys.stdlib_module_names | {"pluggy", "agentr_core", self._module.partition(".")[0]}
        extra = sorted(_imported(self._module) - light)
        require(not extra, "none but pluggy and agentr_core; import the rest in the target module", ", ".join(extra))


class SpecContract(Contract):
    """Rules for what is registered under a name."""

    subject = "spec"

    def __init__(self, kind: Kind, name: str, plugins: Registry, config: Mapping[str, Any]) -> None:
        self._kind, self._name, self._plugins, self._config = kind, name, plugins, config

    def its_packages_are_installed(self) -> None:
        """What it requires can be imported."""
        self._plugins.require(self._kind, self._name)

    def its_target_is_of_its_kind(self) -> str:
        """It can be made, and is a subclass of the core's interface."""
        made = self._plugins.create(self._kind, self._name, self._config)
        require(isinstance(made, BASES[self._kind]), f"a {BASES[self._kind].__name__}", type(made).__mro__)
        return type(made).__name__

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
        made = self._plugins.validate(self._kind, self._name, self._config)
        stored = json.loads(json.dumps(made.model_dump(mode="json")))
        same(made, type(made).model_validate(stored), "the options and what JSON made of them")
        return f"{len(stored)} options"


def checks(
    kind: Kind,
    name: str,
    config: Mapping[str, Any] | None = None,
    *,
    plugins: Registry | None = None,
    model: str | None = None,
) -> list[Check]:
    """Every rule that a registered plugin must keep: of its module, of its spec and of its kind.

    ``config`` are options to make it with (:class:`~agentr_core.ConfigError` where they are wrong or one is missing);
    ``model`` is what a trainer starts from, by default a small random Llama. For pytest::

        @pytest.mark.parametrize("check", checks("env", "warehouse"), ids=str)
        def test_contract(check):
            check()
    """
    plugins, config = plugins or registry(), config or {}
    entry = plugins.entry(kind, name)
    plugins.validate(kind, name, config)
    if broken := _outdated(plugins, kind, name):
        return broken
    rules = SpecContract(kind, name, plugins, config).checks()
    if entry.plugin.hooks and not entry.plugin.name.endswith(".py") and entry.plugin.distribution != IN_PROCESS:
        rules = ModuleContract(entry.plugin.module).checks() + rules
    return rules + _contract(kind, lambda: plugins.create(kind, name, config), model).checks()


def _outdated(plugins: Registry, kind: Kind, name: str) -> list[Check]:
    """The one rule that a plugin for an older agentr is tried on: it would break nearly all for the same reason."""
    try:
        change = plugins.outdated(kind, name)
    except PluginError:  # it cannot be imported, which is a rule of its own
        return []
    return [Check(f"{NOUNS[kind]}: it is written for this agentr", lambda: current(change))] if change else []


def _contract(kind: Kind, make: Callable[[], Any], model: str | None) -> Contract:
    contracts: dict[Kind, Callable[[], Contract]] = {
        "env": lambda: EnvironmentContract(make),
        "policy": lambda: PolicyContract(make),
        "searcher": lambda: SearcherContract(make),
        "critic": lambda: CriticContract(make),
        "trainer": lambda: TrainerContract(make, lambda: _start(model)),
        "executor": lambda: ExecutorContract(make),
    }
    return contracts[kind]()


def _start(model: str | None) -> Checkpoint:
    """What a trainer starts from; the random model lies in a folder that goes when the program ends."""
    if model is None:
        folder = tempfile.mkdtemp(prefix="agentr-check-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        model = str(random_llama(Path(folder)))
    return Checkpoint(model=model, base_model=model)


def _imported(module: str) -> set[str]:
    """The top-level modules that importing ``module`` brings into a fresh interpreter."""
    probe = (
        f"import sys; before = set(sys.modules); import {module}; "
        "print('\\n'.join({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    path = os.pathsep.join(place for place in sys.path if place)
    run = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    if run.returncode:
        raise UsageError(f"a fresh interpreter cannot import {module}: {run.stderr.strip().splitlines()[-1]}")
    return set(run.stdout.split())
