"""agentr: language-model agents that learn to notice and repair their own mistakes.

This is the whole public face: plugins import only these names (and :mod:`agentr_core.testing`). Importing the
package imports nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentr_core.aio import gather_all as gather_all
    from agentr_core.api import configure as configure
    from agentr_core.api import create as create
    from agentr_core.api import open_store as open_store
    from agentr_core.api import run as run
    from agentr_core.batching import BatchedPolicy as BatchedPolicy
    from agentr_core.batching import BatchRequest as BatchRequest
    from agentr_core.cache import cache_folder as cache_folder
    from agentr_core.cache import locked as locked
    from agentr_core.chat import ChatPrompts as ChatPrompts
    from agentr_core.chat import context_length as context_length
    from agentr_core.chat import end_tokens as end_tokens
    from agentr_core.clock import BusyClock as BusyClock
    from agentr_core.config import PluginConfig as PluginConfig
    from agentr_core.config import canonical_json as canonical_json
    from agentr_core.config import content_hash as content_hash
    from agentr_core.config import validate_config as validate_config
    from agentr_core.conversation import head as head
    from agentr_core.conversation import render_history as render_history
    from agentr_core.conversation import trim as trim
    from agentr_core.critic import Critic as Critic
    from agentr_core.critic import CritiqueContext as CritiqueContext
    from agentr_core.critic import StepwiseCritic as StepwiseCritic
    from agentr_core.critic import divergence as divergence
    from agentr_core.critic import first_bad as first_bad
    from agentr_core.dataset import RenderedExample as RenderedExample
    from agentr_core.dataset import check_rendered as check_rendered
    from agentr_core.dataset import render_example as render_example
    from agentr_core.environment import AnyEnvironment as AnyEnvironment
    from agentr_core.environment import Environment as Environment
    from agentr_core.errors import AgentrError as AgentrError
    from agentr_core.errors import ConfigError as ConfigError
    from agentr_core.errors import ContractError as ContractError
    from agentr_core.errors import EnvironmentFailure as EnvironmentFailure
    from agentr_core.errors import ExitCode as ExitCode
    from agentr_core.errors import Interrupted as Interrupted
    from agentr_core.errors import MissingDependencyError as MissingDependencyError
    from agentr_core.errors import NothingToDo as NothingToDo
    from agentr_core.errors import PartialFailure as PartialFailure
    from agentr_core.errors import PluginError as PluginError
    from agentr_core.errors import PolicyFailure as PolicyFailure
    from agentr_core.errors import ResumeError as ResumeError
    from agentr_core.errors import StoreError as StoreError
    from agentr_core.errors import UnknownPluginError as UnknownPluginError
    from agentr_core.errors import UsageError as UsageError
    from agentr_core.errors import boundary as boundary
    from agentr_core.hookspecs import CheckpointSaved as CheckpointSaved
    from agentr_core.hookspecs import CommandSpec as CommandSpec
    from agentr_core.hookspecs import Evaluated as Evaluated
    from agentr_core.hookspecs import ModelSpec as ModelSpec
    from agentr_core.hookspecs import PluginSpec as PluginSpec
    from agentr_core.hookspecs import RevisionsBuilt as RevisionsBuilt
    from agentr_core.hookspecs import RunFinished as RunFinished
    from agentr_core.hookspecs import RunStarted as RunStarted
    from agentr_core.hookspecs import TreeFinished as TreeFinished
    from agentr_core.hookspecs import hookimpl as hookimpl
    from agentr_core.memory import without_collections as without_collections
    from agentr_core.mixing import read_dataset as read_dataset
    from agentr_core.models import model_failure as model_failure
    from agentr_core.models import resolve_model as resolve_model
    from agentr_core.parsing import PAPER_REVISION_ACTION as PAPER_REVISION_ACTION
    from agentr_core.parsing import REVISION_ACTION as REVISION_ACTION
    from agentr_core.parsing import REVISION_REPLY as REVISION_REPLY
    from agentr_core.parsing import ParsedAction as ParsedAction
    from agentr_core.parsing import is_revision as is_revision
    from agentr_core.parsing import parse_response as parse_response
    from agentr_core.policy import AnyPolicy as AnyPolicy
    from agentr_core.policy import Policy as Policy
    from agentr_core.records import Checkpoint as Checkpoint
    from agentr_core.records import Completion as Completion
    from agentr_core.records import Cut as Cut
    from agentr_core.records import EngineLoad as EngineLoad
    from agentr_core.records import Example as Example
    from agentr_core.records import Label as Label
    from agentr_core.records import Message as Message
    from agentr_core.records import Observation as Observation
    from agentr_core.records import Purpose as Purpose
    from agentr_core.records import Record as Record
    from agentr_core.records import SamplingParams as SamplingParams
    from agentr_core.records import Snapshot as Snapshot
    from agentr_core.records import Step as Step
    from agentr_core.records import StepResult as StepResult
    from agentr_core.records import Task as Task
    from agentr_core.records import TrainingSet as TrainingSet
    from agentr_core.records import Trajectory as Trajectory
    from agentr_core.records import Verdict as Verdict
    from agentr_core.rng import derive_rng as derive_rng
    from agentr_core.rng import derive_seed as derive_seed
    from agentr_core.searcher import MergeKey as MergeKey
    from agentr_core.searcher import SearchContext as SearchContext
    from agentr_core.searcher import Searcher as Searcher
    from agentr_core.searcher import by_action as by_action
    from agentr_core.searcher import by_response as by_response
    from agentr_core.settings import RunConfig as RunConfig
    from agentr_core.trainer import Report as Report
    from agentr_core.trainer import Trainer as Trainer
    from agentr_core.tree import Node as Node
    from agentr_core.tree import Tree as Tree

__version__ = "0.1.0"

_WHERE = {
    "agentr_core.aio": ["gather_all"],
    "agentr_core.api": ["configure", "create", "open_store", "run"],
    "agentr_core.cache": ["cache_folder", "locked"],
    "agentr_core.chat": ["ChatPrompts", "context_length", "end_tokens"],
    "agentr_core.clock": ["BusyClock"],
    "agentr_core.config": ["PluginConfig", "canonical_json", "content_hash", "validate_config"],
    "agentr_core.conversation": ["head", "render_history", "trim"],
    "agentr_core.batching": ["BatchRequest", "BatchedPolicy"],
    "agentr_core.critic": ["Critic", "CritiqueContext", "StepwiseCritic", "divergence", "first_bad"],
    "agentr_core.dataset": ["RenderedExample", "check_rendered", "render_example"],
    "agentr_core.environment": ["AnyEnvironment", "Environment"],
    "agentr_core.errors": [
        "AgentrError", "ConfigError", "ContractError", "EnvironmentFailure", "ExitCode", "Interrupted",
        "MissingDependencyError", "NothingToDo", "PartialFailure", "PluginError", "PolicyFailure", "ResumeError",
        "StoreError", "UnknownPluginError", "UsageError", "boundary",
    ],
    "agentr_core.hookspecs": [
        "CheckpointSaved", "CommandSpec", "Evaluated", "ModelSpec", "PluginSpec", "RevisionsBuilt", "RunFinished",
        "RunStarted", "TreeFinished", "hookimpl",
    ],
    "agentr_core.memory": ["without_collections"],
    "agentr_core.mixing": ["read_dataset"],
    "agentr_core.models": ["model_failure", "resolve_model"],
    "agentr_core.parsing": [
        "PAPER_REVISION_ACTION", "REVISION_ACTION", "REVISION_REPLY", "ParsedAction", "is_revision", "parse_response",
    ],
    "agentr_core.policy": ["AnyPolicy", "Policy"],
    "agentr_core.records": [
        "Checkpoint", "Completion", "Cut", "EngineLoad", "Example", "Label", "Message", "Observation", "Purpose",
        "Record", "SamplingParams", "Snapshot", "Step", "StepResult", "Task", "TrainingSet", "Trajectory", "Verdict",
    ],
    "agentr_core.rng": ["derive_rng", "derive_seed"],
    "agentr_core.settings": ["RunConfig"],
    "agentr_core.searcher": ["MergeKey", "SearchContext", "Searcher", "by_action", "by_response"],
    "agentr_core.trainer": ["Report", "Trainer"],
    "agentr_core.tree": ["Node", "Tree"],
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE_OF)]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'agentr_core' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
