"""The store: everything that happens, as rows of one SQLite file. The only SQL of the project.

store = open_store("agentr.db")
run = store.runs.find("last")
for row in store.trees.select(run.id, iteration=1):
    tree = store.trees.load(row.id)
"""

from __future__ import annotations

from agentr_core.store.connection import is_new
from agentr_core.store.dump import canonical_dump
from agentr_core.store.rows import (
    NO_LEAF,
    CheckpointRow,
    DatasetItem,
    DatasetRow,
    EvalKind,
    EvalResult,
    EvalRow,
    MetricRow,
    Pace,
    PluginRow,
    Preference,
    RevisionSetRow,
    Row,
    RunRow,
    RunStatus,
    Sample,
    SampleKind,
    StageRow,
    TaskRow,
    TreeRow,
    WorkStatus,
)
from agentr_core.store.store import Store, open_store
from agentr_core.store.trees import TreePlan

__all__ = [
    "NO_LEAF",
    "CheckpointRow",
    "DatasetItem",
    "DatasetRow",
    "EvalKind",
    "EvalResult",
    "EvalRow",
    "MetricRow",
    "Pace",
    "PluginRow",
    "Preference",
    "RevisionSetRow",
    "Row",
    "RunRow",
    "RunStatus",
    "Sample",
    "SampleKind",
    "StageRow",
    "Store",
    "TaskRow",
    "TreePlan",
    "TreeRow",
    "WorkStatus",
    "canonical_dump",
    "is_new",
    "open_store",
]
