"""The store: everything that happens, as rows of one SQLite file. The only SQL of the project.

store = open_store("agentr.db")
with store.transaction():
    store.writer.create_run(...)
store.queries.load_tree(17)
"""

from __future__ import annotations

from agentr_core.store.connection import Store, open_store
from agentr_core.store.dump import canonical_dump
from agentr_core.store.queries import Queries
from agentr_core.store.rows import (
    NO_LEAF,
    CheckpointRow,
    DatasetItem,
    DatasetRow,
    EvalKind,
    EvalResult,
    EvalRow,
    MetricRow,
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
from agentr_core.store.writer import TreePlan, Writer

__all__ = [
    "NO_LEAF",
    "CheckpointRow",
    "DatasetItem",
    "DatasetRow",
    "EvalKind",
    "EvalResult",
    "EvalRow",
    "MetricRow",
    "PluginRow",
    "Preference",
    "Queries",
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
    "Writer",
    "canonical_dump",
    "open_store",
]
