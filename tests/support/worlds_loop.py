"""One iteration over an environment without a model, and the dataset that its revisions make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import agentr_core
from agentr_core import TrainingSet, open_store
from agentr_core.settings.run_config import DataSettings
from agentr_core.train.dataset_recipes import build_dataset


def one_iteration(db: Path, **settings: Any) -> tuple[dict[str, Any], TrainingSet]:
    """What the revise stage counted, and the training set; no replay in a tree showed something else."""
    config = agentr_core.configure(**{"iterations": 1, "trainer": "none", "critic": "value", **settings})
    assert agentr_core.run(config, db=db).failed == 0
    with open_store(db, read_only=True) as store:
        [run] = store.runs.select()
        trees = store.trees.select(run.id)
        assert trees and all(tree.status == "done" and tree.stats["environment_mismatches"] == 0 for tree in trees)
        assert max(tree.best_reward or 0 for tree in trees) == 1.0
        [row] = store.revisions.select(run.id)
        samples = store.revisions.samples(row.id)
        dataset = build_dataset(
            samples, lambda one: store.conversations.get(one.conversation), DataSettings(), name="test", seed=0
        )
        made = next(stage for stage in store.runs.stages(run.id) if stage.stage == "revise").metrics
    assert made["verified"] == made["revisions"] > 0
    return made, dataset
