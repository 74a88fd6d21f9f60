"""agentr: language-model agents that learn to notice and repair their own mistakes.

This is the whole public face: plugins import only these names (and :mod:`agentr_core.testing`). They stand on three
shelves (docs/public-names.md): what every author of a plugin needs, what a plugin with an engine, files or commands of
its own needs besides, and what a script or notebook needs. Importing the package imports nothing else; each name is
loaded when it is first used, and this file alone knows from where.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentr_core.api import configure as configure
    from agentr_core.api import create as create
    from agentr_core.api import open_store as open_store
    from agentr_core.api import plugin_names as plugin_names
    from agentr_core.api import run as run
    from agentr_core.api import run_async as run_async
    from agentr_core.errors import AgentrError as AgentrError
    from agentr_core.errors import ConfigError as ConfigError
    from agentr_core.errors import ContractError as ContractError
    from agentr_core.errors import EnvironmentFailure as EnvironmentFailure
    from agentr_core.errors import ExitCode as ExitCode
    from agentr_core.errors import Interrupted as Interrupted
    from agentr_core.errors import MissingDependencyError as MissingDependencyError
    from agentr_core.errors import ModelNotHere as ModelNotHere
    from agentr_core.errors import NothingToDo as NothingToDo
    from agentr_core.errors import PartialFailure as PartialFailure
    from agentr_core.errors import PluginError as PluginError
    from agentr_core.errors import PolicyFailure as PolicyFailure
    from agentr_core.errors import ResumeError as ResumeError
    from agentr_core.errors import StoreError as StoreError
    from agentr_core.errors import UnknownPluginError as UnknownPluginError
    from agentr_core.errors import UsageError as UsageError
    from agentr_core.errors import WorkerLost as WorkerLost
    from agentr_core.errors import boundary as boundary
    from agentr_core.evaluate.metrics import loop_steps as loop_steps
    from agentr_core.hashing import canonical_json as canonical_json
    from agentr_core.hashing import content_hash as content_hash
    from agentr_core.interfaces.batched_policy import BatchedPolicy as BatchedPolicy
    from agentr_core.interfaces.critic import Critic as Critic
    from agentr_core.interfaces.critic import CritiqueContext as CritiqueContext
    from agentr_core.interfaces.environment import AnyEnvironment as AnyEnvironment
    from agentr_core.interfaces.environment import Environment as Environment
    from agentr_core.interfaces.environment import EnvironmentConfig as EnvironmentConfig
    from agentr_core.interfaces.executor import Executor as Executor
    from agentr_core.interfaces.executor import WorkerLink as WorkerLink
    from agentr_core.interfaces.first_error import StepwiseCritic as StepwiseCritic
    from agentr_core.interfaces.first_error import divergence as divergence
    from agentr_core.interfaces.plugin_config import PluginConfig as PluginConfig
    from agentr_core.interfaces.plugin_config import validate_config as validate_config
    from agentr_core.interfaces.policy import AnyPolicy as AnyPolicy
    from agentr_core.interfaces.policy import MakeEnvironment as MakeEnvironment
    from agentr_core.interfaces.policy import Policy as Policy
    from agentr_core.interfaces.policy import PolicyPreview as PolicyPreview
    from agentr_core.interfaces.published_turns import published_action as published_action
    from agentr_core.interfaces.searcher import MergeKey as MergeKey
    from agentr_core.interfaces.searcher import SearchContext as SearchContext
    from agentr_core.interfaces.searcher import Searcher as Searcher
    from agentr_core.interfaces.searcher import by_action as by_action
    from agentr_core.interfaces.searcher import by_response as by_response
    from agentr_core.interfaces.trainer import PLACE_SETTINGS as PLACE_SETTINGS
    from agentr_core.interfaces.trainer import MemoryNeed as MemoryNeed
    from agentr_core.interfaces.trainer import Report as Report
    from agentr_core.interfaces.trainer import Trainer as Trainer
    from agentr_core.interfaces.trainer import TrainingSpread as TrainingSpread
    from agentr_core.interfaces.training_sets import ActionRow as ActionRow
    from agentr_core.interfaces.training_sets import ActionSet as ActionSet
    from agentr_core.interfaces.training_sets import PreferencePair as PreferencePair
    from agentr_core.interfaces.training_sets import PreferenceSet as PreferenceSet
    from agentr_core.interfaces.training_sets import Rows as Rows
    from agentr_core.interfaces.training_sets import ValueRow as ValueRow
    from agentr_core.interfaces.training_sets import ValueSet as ValueSet
    from agentr_core.interfaces.tree import Node as Node
    from agentr_core.interfaces.tree import Tree as Tree
    from agentr_core.interfaces.turn_parsing import ParsedAction as ParsedAction
    from agentr_core.interfaces.turn_parsing import is_revision as is_revision
    from agentr_core.interfaces.turn_parsing import parse_response as parse_response
    from agentr_core.interfaces.turn_parsing import printable as printable
    from agentr_core.model_files import model_fingerprint as model_fingerprint
    from agentr_core.play.in_flight import run_bounded as run_bounded
    from agentr_core.play.worlds import World as World
    from agentr_core.play.worlds import Worlds as Worlds
    from agentr_core.process.busy_clock import BusyClock as BusyClock
    from agentr_core.process.cache_folder import cache_folder as cache_folder
    from agentr_core.process.cache_folder import locked as locked
    from agentr_core.process.garbage import without_collections as without_collections
    from agentr_core.process.gather import gather_all as gather_all
    from agentr_core.process.java import JavaLost as JavaLost
    from agentr_core.process.java import JavaProcess as JavaProcess
    from agentr_core.process.java import JavaProgram as JavaProgram
    from agentr_core.process.java import JavaRaised as JavaRaised
    from agentr_core.process.java import find_java as find_java
    from agentr_core.process.java import package_folder as package_folder
    from agentr_core.process.machine import Machine as Machine
    from agentr_core.process.machine import free_memory as free_memory
    from agentr_core.process.machine import usable_cores as usable_cores
    from agentr_core.process.placement import Placement as Placement
    from agentr_core.process.progress import Progress as Progress
    from agentr_core.process.sessions import SessionLost as SessionLost
    from agentr_core.process.sessions import persistently as persistently
    from agentr_core.prompts.chat_template import ChatPrompts as ChatPrompts
    from agentr_core.prompts.chat_template import context_length as context_length
    from agentr_core.prompts.chat_template import end_tokens as end_tokens
    from agentr_core.prompts.conversation import fewest_left_out as fewest_left_out
    from agentr_core.prompts.conversation import head as head
    from agentr_core.prompts.conversation import render_history as render_history
    from agentr_core.records import Checkpoint as Checkpoint
    from agentr_core.records import Completion as Completion
    from agentr_core.records import Cut as Cut
    from agentr_core.records import EngineLoad as EngineLoad
    from agentr_core.records import Label as Label
    from agentr_core.records import Observation as Observation
    from agentr_core.records import Purpose as Purpose
    from agentr_core.records import SampleRequest as SampleRequest
    from agentr_core.records import SamplingParams as SamplingParams
    from agentr_core.records import Snapshot as Snapshot
    from agentr_core.records import Step as Step
    from agentr_core.records import StepResult as StepResult
    from agentr_core.records import Task as Task
    from agentr_core.records import Trajectory as Trajectory
    from agentr_core.records import Verdict as Verdict
    from agentr_core.registry.events import CheckpointSaved as CheckpointSaved
    from agentr_core.registry.events import Evaluated as Evaluated
    from agentr_core.registry.events import RevisionsBuilt as RevisionsBuilt
    from agentr_core.registry.events import RunFinished as RunFinished
    from agentr_core.registry.events import RunStarted as RunStarted
    from agentr_core.registry.events import TreeFinished as TreeFinished
    from agentr_core.registry.model_names import base_of as base_of
    from agentr_core.registry.model_names import is_adapter as is_adapter
    from agentr_core.registry.model_names import local_model as local_model
    from agentr_core.registry.model_names import model_failure as model_failure
    from agentr_core.registry.model_names import resolve_model as resolve_model
    from agentr_core.registry.model_names import tokenizer_of as tokenizer_of
    from agentr_core.registry.specs import CommandSpec as CommandSpec
    from agentr_core.registry.specs import Finding as Finding
    from agentr_core.registry.specs import ModelSpec as ModelSpec
    from agentr_core.registry.specs import PluginSpec as PluginSpec
    from agentr_core.registry.specs import hookimpl as hookimpl
    from agentr_core.report.revision_parts import revision_part as revision_part
    from agentr_core.run_context import RunContext as RunContext
    from agentr_core.runs.plots import Plot as Plot
    from agentr_core.runs.plots import Series as Series
    from agentr_core.runs.plots import comparison_plots as comparison_plots
    from agentr_core.runs.plots import run_plots as run_plots
    from agentr_core.runs.report import Table as Table
    from agentr_core.runs.report import critic_agreement as critic_agreement
    from agentr_core.runs.report import iteration_rows as iteration_rows
    from agentr_core.runs.report import set_labels as set_labels
    from agentr_core.runs.scratch import scratch_run as scratch_run
    from agentr_core.runs.stages import under_way as under_way
    from agentr_core.runs.summary import account_rows as account_rows
    from agentr_core.runs.summary import account_warnings as account_warnings
    from agentr_core.runs.summary import run_settings as run_settings
    from agentr_core.runs.summary import run_summary as run_summary
    from agentr_core.runs.tables import comparison_tables as comparison_tables
    from agentr_core.runs.tables import critic_tables as critic_tables
    from agentr_core.runs.tables import run_tables as run_tables
    from agentr_core.runs.worker import serve_worker as serve_worker
    from agentr_core.search.stage import grow_trees as grow_trees
    from agentr_core.search.task_samplers import TASK_SAMPLERS as TASK_SAMPLERS
    from agentr_core.search.task_samplers import PastSearch as PastSearch
    from agentr_core.search.task_samplers import SamplerRequest as SamplerRequest
    from agentr_core.seeds import derive_rng as derive_rng
    from agentr_core.seeds import derive_seed as derive_seed
    from agentr_core.settings.run_config import RunConfig as RunConfig
    from agentr_core.store.store import Store as Store
    from agentr_core.train.conversation_files import read_dataset as read_dataset
    from agentr_core.train.export import preference_row as preference_row
    from agentr_core.train.export import tree_row as tree_row
    from agentr_core.train.template_report import TemplateReport as TemplateReport
    from agentr_core.train.template_report import template_report as template_report
    from agentr_core.train.token_masks import RenderedExample as RenderedExample
    from agentr_core.train.token_masks import check_rendered as check_rendered
    from agentr_core.train.token_masks import render_example as render_example
    from agentr_core.train.tree_sets import tree_set_page as tree_set_page
    from agentr_core.turns import Example as Example
    from agentr_core.turns import Message as Message
    from agentr_core.turns import TrainingSet as TrainingSet

__version__ = "0.1.0"

#: For authors of environments, policies, searchers, critics and trainers.
_AUTHOR = {
    "api": ["create"],
    "errors": ["NothingToDo", "UsageError"],
    "interfaces.critic": ["Critic", "CritiqueContext"],
    "interfaces.environment": ["Environment", "EnvironmentConfig"],
    "interfaces.first_error": ["StepwiseCritic"],
    "interfaces.plugin_config": ["PluginConfig"],
    "interfaces.policy": ["Policy"],
    "interfaces.searcher": ["SearchContext", "Searcher"],
    "interfaces.trainer": ["Report", "Trainer"],
    "interfaces.training_sets": ["ActionSet", "PreferenceSet", "ValueSet"],
    "interfaces.tree": ["Node", "Tree"],
    "records": [
        "Checkpoint", "Completion", "Cut", "Observation", "Purpose", "SampleRequest", "SamplingParams", "Step",
        "StepResult", "Task", "Trajectory", "Verdict",
    ],
    "registry.specs": ["PluginSpec", "hookimpl"],
    "seeds": ["derive_rng"],
    "turns": ["Example", "Message", "TrainingSet"],
}  # fmt: skip

#: For plugins that run a model or worker processes, keep files, bring commands, or observe runs.
_ENGINE = {
    "errors": [
        "AgentrError", "ConfigError", "ContractError", "EnvironmentFailure", "MissingDependencyError", "ModelNotHere",
        "PluginError", "PolicyFailure", "WorkerLost", "boundary",
    ],
    "hashing": ["canonical_json", "content_hash"],
    "interfaces.batched_policy": ["BatchedPolicy"],
    "interfaces.environment": ["AnyEnvironment"],
    "interfaces.executor": ["Executor", "WorkerLink"],
    "interfaces.first_error": ["divergence"],
    "interfaces.plugin_config": ["validate_config"],
    "interfaces.policy": ["AnyPolicy", "MakeEnvironment", "PolicyPreview"],
    "interfaces.published_turns": ["published_action"],
    "interfaces.searcher": ["MergeKey", "by_action", "by_response"],
    "interfaces.trainer": ["PLACE_SETTINGS", "MemoryNeed", "TrainingSpread"],
    "interfaces.training_sets": ["ActionRow", "PreferencePair", "Rows", "ValueRow"],
    "interfaces.turn_parsing": ["ParsedAction", "is_revision", "parse_response", "printable"],
    "model_files": ["model_fingerprint"],
    "process.busy_clock": ["BusyClock"],
    "process.cache_folder": ["cache_folder", "locked"],
    "process.garbage": ["without_collections"],
    "process.gather": ["gather_all"],
    "process.java": ["JavaLost", "JavaProcess", "JavaProgram", "JavaRaised", "find_java", "package_folder"],
    "process.machine": ["Machine", "free_memory", "usable_cores"],
    "process.placement": ["Placement"],
    "process.sessions": ["SessionLost", "persistently"],
    "prompts.chat_template": ["ChatPrompts", "context_length", "end_tokens"],
    "prompts.conversation": ["fewest_left_out", "head", "render_history"],
    "records": ["EngineLoad", "Label", "Snapshot"],
    "registry.events": [
        "CheckpointSaved", "Evaluated", "RevisionsBuilt", "RunFinished", "RunStarted", "TreeFinished",
    ],
    "registry.model_names": ["base_of", "is_adapter", "local_model", "model_failure", "resolve_model", "tokenizer_of"],
    "registry.specs": ["CommandSpec", "Finding", "ModelSpec"],
    "runs.worker": ["serve_worker"],
    "search.task_samplers": ["TASK_SAMPLERS", "PastSearch", "SamplerRequest"],
    "seeds": ["derive_seed"],
    "train.conversation_files": ["read_dataset"],
    "train.template_report": ["TemplateReport", "template_report"],
    "train.token_masks": ["RenderedExample", "check_rendered", "render_example"],
}  # fmt: skip

#: For scripts, notebooks, and commands that work on a run of their own.
_SCRIPT = {
    "api": ["configure", "open_store", "plugin_names", "run", "run_async"],
    "errors": ["ExitCode", "Interrupted", "PartialFailure", "ResumeError", "StoreError", "UnknownPluginError"],
    "evaluate.metrics": ["loop_steps"],
    "play.in_flight": ["run_bounded"],
    "play.worlds": ["World", "Worlds"],
    "process.progress": ["Progress"],
    "report.revision_parts": ["revision_part"],
    "run_context": ["RunContext"],
    "runs.plots": ["Plot", "Series", "comparison_plots", "run_plots"],
    "runs.report": ["Table", "critic_agreement", "iteration_rows", "set_labels"],
    "runs.scratch": ["scratch_run"],
    "runs.stages": ["under_way"],
    "runs.summary": ["account_rows", "account_warnings", "run_settings", "run_summary"],
    "runs.tables": ["comparison_tables", "critic_tables", "run_tables"],
    "search.stage": ["grow_trees"],
    "settings.run_config": ["RunConfig"],
    "store.store": ["Store"],
    "train.export": ["preference_row", "tree_row"],
    "train.tree_sets": ["tree_set_page"],
}  # fmt: skip

_MODULE_OF = {
    name: f"agentr_core.{module}"
    for shelf in (_AUTHOR, _ENGINE, _SCRIPT)
    for module, names in shelf.items()
    for name in names
}

__all__ = ["__version__", *sorted(_MODULE_OF)]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'agentr_core' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
