"""Named settings, in the shape of a ``run.toml``.

A table named after a plugin counts where that plugin is in use, on top of what the plugin itself offers under the
preset's name (:attr:`agentr_core.PluginConfig.PRESETS`). ``paper`` holds the values of Agent-R section 4.2: with
``--env webshop,sciworld,textcraft`` it is the paper's run on all three (multi-task), with one of them that on one
(single-task). ``quick`` is what a laptop does in a few minutes.
"""

from __future__ import annotations

from typing import Any

DEFAULT_PRESET = "quick"
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "env": "textcraft",
        "searcher": "mcts",
        "policy": "transformers",
        "critic": "actor",
        "trainer": "sft",
        "executor": "local",
        "iterations": 1,
        "search": {"tasks": 100},
        "evaluate": {"tasks": 100, "max_tokens": 48, "max_turns": 20, "revision_tasks": 40, "revision_turns": 12},
        "transformers": {"model": "tiny"},
        "mcts": {"simulations": 3, "samples": 2, "max_tokens": 48},
        "actor": {"max_tokens": 48},
    },
    "paper": {
        "env": "textcraft",
        "searcher": "mcts",
        "policy": "transformers",
        "critic": "actor",
        "trainer": "sft",
        "executor": "local",
        "iterations": 3,
        "start_from": "previous",
        "search": {"tasks": 200},
        "revise": {
            "alpha": [0.5, 0.7, 1.0],
            "beta": 0.2,
            "beta_mode": "gap",
            "max_pairs_per_tree": 1_000_000,
            "max_pairs_per_leaf": 1_000_000,
            "splice": "recorded",
            "revision_action": "wait",
            "train_refused": True,
        },
        "data": {
            "recipe": "agent-r",
            "prefer": "chance",
            "max_good_per_tree": 1_000_000,
            "max_revisions_per_tree": 1_000_000,
        },
        "evaluate": {"tasks": 100, "max_turns": 100, "revision_test": True, "revision_turns": 50},
        # Steps of the environment's own cap: 100 turns, and 50 more after a given start in the revision test.
        "textcraft": {
            "max_steps": 150,
            "parser": "agent-r",
            "search": {"split": "agentr_train", "tasks": 200},
            "evaluate": {"split": "agentr_test", "tasks": 100},
        },
        "webshop": {
            "max_steps": 150,
            "parser": "agent-r",
            "search": {"split": "agentr_train", "tasks": 300},
            "evaluate": {"split": "agentr_test", "tasks": 200},
        },
        # The paper's training tasks are not published: Agent-R's script makes these 115, of which 200 cannot be taken.
        "sciworld": {
            "max_steps": 150,
            "move_cap": 150,
            "parser": "agent-r",
            "search": {"split": "agentr_train", "tasks": 200},
            "evaluate": {"split": "agentr_test", "tasks": 200},
        },
        "transformers": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
    },
}
