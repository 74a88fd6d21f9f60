"""Named settings, in the shape of a ``run.toml``: tables are named after the plugin they are for.

A table counts only where its plugin is the one in use. ``paper`` holds the values of Agent-R section 4.2 (one
environment's share of them: 200 trees an iteration); ``quick`` is what a laptop does in a few minutes.
"""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "env": "textcraft",
        "searcher": "mcts",
        "policy": "transformers",
        "critic": "actor",
        "trainer": "sft",
        "iterations": 2,
        "tasks": 60,
        "eval_tasks": 100,
        "concurrency": 16,
        "alpha": [0.5, 0.7],
        "transformers": {"model": "tiny"},
        "mcts": {"simulations": 4, "samples": 4, "depth": 20},
    },
    "paper": {
        "env": "textcraft",
        "searcher": "mcts",
        "policy": "transformers",
        "critic": "actor",
        "trainer": "sft",
        "iterations": 3,
        "tasks": 200,
        "eval_tasks": 100,
        "concurrency": 64,
        "alpha": [0.5, 0.7, 1.0],
        "beta": 0.2,
        "beta_mode": "gap",
        "splice": "recorded",
        "revision_action": "wait",
        "pairs_per_tree": None,
        "pairs_per_leaf": None,
        "eta": 0.2,
        "recipe": "agent-r",
        "start": "previous",
        "revision_test": True,
        "epochs": [3, 1],
        "transformers": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
        "mcts": {"simulations": 8, "samples": 4, "depth": 20, "c": 0.25, "temperature": 1.0, "max_tokens": 500},
        "sft": {"lr": 2e-5, "warmup": 0.03},
    },
}
