"""``python -m tools.tiny.report MODEL``: what the model does on goals, shown or held out, and as its own critic."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from agentr_core import Message, create
from tools.tiny.data import judge_question
from tools.tiny.measure import Episode, answers, load, play

SAMPLES = 8


def solved_by_depth(plays: Sequence[Episode]) -> dict[str, str]:
    """Solved of all, at each depth and together."""
    depths = sorted({episode.task.metadata["depth"] for episode in plays})
    groups = {f"depth {d}": [p for p in plays if p.task.metadata["depth"] == d] for d in depths} | {"all": list(plays)}
    return {name: f"{sum(p.solved for p in group)}/{len(group)}" for name, group in groups.items()}


def greedy(policy: Any, keys: Sequence[str]) -> dict[str, str]:
    """Greedy success on goals."""
    plays = [Episode(key) for key in keys]
    play(policy, plays, temperature=0.0)
    return solved_by_depth(plays)


def sampled(policy: Any, keys: Sequence[str], seed: int = 0) -> tuple[dict[str, float], list[Episode]]:
    """Mean and best of ``SAMPLES`` episodes a goal at temperature 1, and the episodes."""
    played: list[Episode] = []
    for start in range(0, len(keys), 16):
        plays = [Episode(key) for key in keys[start : start + 16] for _ in range(SAMPLES)]
        play(policy, plays, temperature=1.0, seed=seed + start)
        played += plays
    goals = [played[at : at + SAMPLES] for at in range(0, len(played), SAMPLES)]
    mean = sum(episode.solved for episode in played) / len(played)
    best = sum(any(episode.solved for episode in goal) for goal in goals) / len(goals)
    return {"mean": round(mean, 3), f"best of {SAMPLES}": round(best, 3)}, played


def judged(policy: Any, plays: Sequence[Episode]) -> dict[str, float]:
    """How often the model's verdict on a step is the one that the oracle's distance gives (it falls: good)."""
    questions, labels = [], []
    for episode in plays:
        history: list[str] = []
        for step in episode.log:
            shown = judge_question(episode.first_observation, "\n".join(history), step.action, step.seen)
            questions.append([Message("user", shown)])
            labels.append("good" if step.after < step.before else "bad")
            history += [f"Action: {step.action}", f"Observation: {step.seen}"]
    given: list[str] = []
    for start in range(0, len(questions), 64):
        texts = answers(policy, questions[start : start + 64], 0.0, range(len(questions[start : start + 64])))
        given += [text.rpartition("Judgment:")[2].strip() for text in texts]
    right = [label == verdict for label, verdict in zip(labels, given, strict=True)]
    result: dict[str, float] = {"steps": len(labels), "accuracy": round(sum(right) / len(right), 3)}
    for name in ("good", "bad"):
        hits = [hit for hit, label in zip(right, labels, strict=True) if label == name]
        result[f"{name} ({len(hits)} steps)"] = round(sum(hits) / max(1, len(hits)), 3)
    return result


def main(path: Path) -> None:
    """Print the measurements as JSON, one line each."""
    policy = load(path)
    env = create("env", "textcraft")
    shown = json.loads((path / "demonstrated_goals.json").read_text())
    unseen = [task.key for task in env.tasks("train") if task.key not in set(shown)]
    splits = {"test": [task.key for task in env.tasks("test")], "valid": [task.key for task in env.tasks("valid")]}
    for name, keys in {**splits, "train, demonstrated": shown[::3], "train, not demonstrated": unseen[::2]}.items():
        print(json.dumps({"greedy": name, **greedy(policy, keys)}), flush=True)
    for name, keys in {"test": splits["test"][::2], "train, not demonstrated": unseen[::4]}.items():
        rates, plays = sampled(policy, keys)
        print(json.dumps({"temperature 1": name, "goals": len(keys), **rates}), flush=True)
        if name == "test":
            print(json.dumps({"verdicts": name, **judged(policy, plays[:: SAMPLES // 2])}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
