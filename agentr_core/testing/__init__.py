"""For authors of plugins: contract checks, and fakes to test against.

    from agentr_core.testing import checks

    @pytest.mark.parametrize("check", checks("env", "warehouse"), ids=str)
    def test_contract(check):
        check()

A check raises :class:`agentr_core.ContractError`, which says the rule, what was expected and what came. ``check_*`` run
all rules of one kind on something that need not be registered.
"""

from __future__ import annotations

from collections.abc import Callable

from agentr_core.interfaces.critic import AnyCritic
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.executor import AnyExecutor
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.interfaces.trainer import AnyTrainer
from agentr_core.records import Checkpoint
from agentr_core.testing.contract import Check
from agentr_core.testing.critics import CriticContract
from agentr_core.testing.environments import EnvironmentContract
from agentr_core.testing.executors import ExecutorContract
from agentr_core.testing.fakes import (
    BlockingCounterEnvironment,
    CounterConfig,
    CounterEnvironment,
    InstantPolicy,
    ReplayCounterEnvironment,
    ScriptedPolicy,
)
from agentr_core.testing.models import random_llama
from agentr_core.testing.plugins import ModuleContract, checks
from agentr_core.testing.policies import PolicyContract
from agentr_core.testing.searchers import SearcherContract
from agentr_core.testing.toy_sets import toy_dataset, toy_set
from agentr_core.testing.trainers import TrainerContract

__all__ = [
    "BlockingCounterEnvironment",
    "Check",
    "CounterConfig",
    "CounterEnvironment",
    "InstantPolicy",
    "ReplayCounterEnvironment",
    "ScriptedPolicy",
    "check_critic",
    "check_environment",
    "check_executor",
    "check_plugin_module",
    "check_policy",
    "check_searcher",
    "check_trainer",
    "checks",
    "random_llama",
    "toy_dataset",
    "toy_set",
]


def check_environment(make: Callable[[], AnyEnvironment], *, tasks: int = 5) -> None:
    """Raise :class:`~agentr_core.ContractError` for the first rule that an environment breaks."""
    EnvironmentContract(make, tasks=tasks).verify()


def check_policy(
    make: Callable[[], AnyPolicy], *, make_environment: Callable[[], AnyEnvironment] = CounterEnvironment
) -> None:
    """Raise :class:`~agentr_core.ContractError` for the first rule that a policy breaks."""
    PolicyContract(make, make_environment=make_environment).verify()


def check_searcher(make: Callable[[], AnySearcher]) -> None:
    """Raise :class:`~agentr_core.ContractError` for the first rule that a searcher breaks."""
    SearcherContract(make).verify()


def check_critic(make: Callable[[], AnyCritic]) -> None:
    """Raise :class:`~agentr_core.ContractError` for the first rule that a critic breaks."""
    CriticContract(make).verify()


def check_trainer(make: Callable[[], AnyTrainer], start: Checkpoint) -> None:
    """Raise :class:`~agentr_core.ContractError` for the first rule that a trainer breaks."""
    TrainerContract(make, lambda: start).verify()


def check_executor(make: Callable[[], AnyExecutor]) -> None:
    """Raise :class:`~agentr_core.ContractError` for the first rule that an executor breaks."""
    ExecutorContract(make).verify()


def check_plugin_module(module: str) -> None:
    """Raise :class:`~agentr_core.ContractError` where an entry point's module imports something heavy."""
    ModuleContract(module).verify()
