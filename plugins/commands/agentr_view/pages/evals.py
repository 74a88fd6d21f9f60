"""Evaluations, their results task by task, the matrix of tasks and evaluations, and one episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentr_core import Message, Store, UsageError, loop_steps, parse_response
from agentr_view.asked import Asked
from agentr_view.pages.listing import as_list, as_turns
from agentr_view.pages.runs import eval_items


def listing(store: Store, asked: Asked) -> dict[str, Any]:
    """The evaluations of a run."""
    run = store.runs.find(asked.text("run") or "last", having="evaluations")
    return {"items": eval_items(store, run), "next": None, "run": run.key}


def results(store: Store, asked: Asked) -> dict[str, Any]:
    """The tasks of an evaluation."""
    row = store.evaluations.get(asked.path_number("eval"))
    page = store.pages.results(row.id, asked.cursor(int, int), asked.limit(), success=asked.truth("success"))
    return as_list(page, result_item, eval=row.as_dict())


def result_item(result: Any) -> dict[str, Any]:
    """How a task went, without its conversation."""
    return {name: value for name, value in result.as_dict().items() if name not in ("messages", "conversation")}


def matrix(store: Store, asked: Asked) -> dict[str, Any]:
    """Tasks by evaluations of a run: each cell the results of a task there, None where it was not played."""
    run = store.runs.find(asked.path_text("key"))
    evals = eval_items(store, run)
    numbers = [row["id"] for row in evals]
    page = store.pages.evaluated_tasks(numbers, asked.cursor(int), asked.limit())
    cells: dict[tuple[int, int], list[Any]] = {}
    for number, result in store.pages.results_of(numbers, [task for task, _, _ in page.items]):
        cells.setdefault((result.task_id, number), []).append(result)
    shown = [{name: row[name] for name in ("id", "label", "iteration", "kind")} for row in evals]
    return as_list(
        page,
        lambda task: {"task": task[0], "env": task[1], "key": task[2],
                      "cells": [_cell(cells.get((task[0], number), [])) for number in numbers]},
        evals=shown,
    )  # fmt: skip


def _cell(results: list[Any]) -> dict[str, Any] | None:
    """One result as it is; of several repeats how many there are, how many succeeded, and the rewards of each."""
    if not results:
        return None
    first = results[0]
    cell = {"reward": first.reward, "success": first.success, "error": first.error}
    if len(results) > 1:
        played = [result for result in results if result.error is None]
        solved = sum(result.success for result in played)
        cell |= {"repeats": len(results), "solved": solved, "rewards": [result.reward for result in results]}
    return cell


def episode(store: Store, asked: Asked) -> dict[str, Any]:
    """One episode of an evaluation as a conversation; ``loop`` marks turns that only repeat the one before."""
    row = store.evaluations.get(asked.path_number("eval"))
    task, repeat = asked.path_number("task"), asked.path_number("repeat")
    found = [r for number, r in store.pages.results_of([row.id], [task]) if r.repeat == repeat]
    if not found:
        raise UsageError(f"evaluation {row.id} has no such episode; see: agentr evals show {row.id}")
    (result,) = found
    messages = store.conversations.get(result.conversation) if result.conversation else ()
    run = store.runs.get(row.run_id)
    return {
        "result": result_item(result),
        "eval": row.as_dict(),
        "run": {"key": run.key, "short": run.short, "name": run.name},
        "goal": store.tasks.get(task).instruction,
        "turns": _turns(messages),
    }


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The turns, and of the agent's which only repeat what was done directly before."""
    turns = as_turns(messages)
    said = [turn for turn in turns if turn["role"] == "assistant"]
    again = loop_steps([parse_response(turn["text"]).action or turn["text"] for turn in said])
    for step, turn in enumerate(said):
        turn["loop"] = step in again
    return turns
