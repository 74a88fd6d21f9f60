"""Critics over the trees of a run, side by side."""

from __future__ import annotations

from typing import Any

from agentr_core import Store, critic_agreement, critic_tables
from agentr_view.asked import Asked
from agentr_view.pages.listing import as_tables


def of_run(store: Store, asked: Asked) -> dict[str, Any]:
    """The table of a run's critics, and how often each two of them cut at the same step."""
    run = store.runs.find(asked.text("run") or "last", having="revisions")
    agreed = critic_agreement(store, run)
    sets = [
        {"id": row.id, "critic": row.critic, "label": label, "iteration": row.iteration}
        for row, label in zip(agreed.sets, agreed.labels, strict=True)
    ]
    return {
        "run": run.key,
        "tables": as_tables(critic_tables(store, [run])),
        "agreement": {"critics": agreed.labels, "matrix": agreed.shares, "pairs": agreed.pairs},
        "sets": sets,
    }
