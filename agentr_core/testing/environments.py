"""The contract of an environment."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

from agentr_core.errors import UsageError
from agentr_core.interfaces.environment import AnyEnvironment, EnvironmentConfig
from agentr_core.interfaces.observations import LEAST_CHARS, shortened
from agentr_core.interfaces.signatures import outdated
from agentr_core.interfaces.turn_parsing import ParsedAction
from agentr_core.records import StepResult, Task
from agentr_core.seeds import derive_rng
from agentr_core.testing.contract import Contract, current, require, same

#: What a model may say: nothing, control characters, other scripts, too much, several actions at once.
ODD_ACTIONS = ("", " ", "\x00\x1b[31m", "✂ 剪", "x" * 10_000, "look\nlook", "Action: Action:", "{'a': 1}")
#: Actions of a stroll at the most, and of the search for the end of an episode.
STROLL, MAX_STEPS = 25, 400
#: What a model may answer.
ODD_ANSWERS = (*ODD_ACTIONS, "<think>never closed", "Thought: a\nAction: b\nAction: c", "<tool_call>{}", "```\n```")
_OWN_SETTINGS = "not offered: derive the configuration from EnvironmentConfig"


class EnvironmentContract(Contract):
    """Rules for the environments that ``make`` makes, tried on ``tasks`` tasks of each split."""

    subject = "environment"

    def __init__(self, make: Callable[[], AnyEnvironment], *, tasks: int = 5) -> None:
        self._make, self._count = make, tasks

    def it_is_written_for_this_agentr(self) -> None:
        """``instructions`` takes the task."""
        current(outdated(type(self._make())))

    def tasks_are_stable(self) -> str:
        """Splits exist, tasks come in the same order each time, and a key finds its one task."""
        environment, again = self._make(), self._make()
        splits = list(environment.splits())
        require(splits, "at least one split", splits)
        found = {split: list(environment.tasks(split)) for split in splits}
        for split, tasks in found.items():
            same([task.key for task in tasks], [task.key for task in again.tasks(split)], f"the tasks of '{split}'")
            keys = {task.key for task in tasks}
            require(
                len(keys) == len(tasks),
                f"a key of its own for each task of '{split}'",
                f"{len(keys)} keys for {len(tasks)}",
            )
        for task in self._tasks(environment):
            same(task.key, environment.task(task.key).key, "a task and the task with its key")
            Task.model_validate_json(task.model_dump_json())
        return ", ".join(f"{split} {len(tasks)}" for split, tasks in found.items())

    def unknown_splits_and_keys_are_usage_errors(self) -> None:
        """Raises UsageError, with a text."""
        environment = self._make()
        for what, ask in (("tasks('no such split')", environment.tasks), ("task('no such key')", environment.task)):
            try:
                ask("no such thing")
            except UsageError as error:
                require(str(error), "a message", "an empty one")
            else:
                require(False, f"UsageError from {what}", "no error")

    def instructions_are_text(self) -> None:
        """Not empty, and the same each time, whatever has been played before."""
        environment, other = self._make(), self._make()
        for task in self._tasks(environment):
            text = environment.instructions(task)
            require(text.strip() and environment.domain_of(task).strip(), "texts, of domain_of as well", "an empty one")
            environment.reset(task)
            same([text] * 2, [each.instructions(task) for each in (environment, other)], "the instructions")

    def the_same_actions_have_the_same_effect(self) -> str:
        """In another instance, and after another episode in the same one; replay therefore is exact."""
        one, other = self._make(), self._make()
        for task in self._tasks(one):
            for actions in self._walks(one, task):
                first = _trace(one, task, actions)
                same(first, _trace(other, task, actions), f"the episode of '{task.key}' in another instance")
                same(first, _trace(one, task, actions), f"the episode of '{task.key}' played again")
        return f"{len(self._tasks(one))} tasks"

    def instances_share_no_state(self) -> None:
        """Two episodes that take turns show what each shows alone."""
        one, other = self._make(), self._make()
        tasks = self._tasks(one)[:2]
        plans = [(env, task, self._walks(one, task)[-1]) for env, task in zip((one, other), tasks, strict=False)]
        alone = [_trace(env, task, actions) for env, task, actions in plans]
        seen: list[list[object]] = [[env.reset(task), env.state_key()] for env, task, _ in plans]
        for turn in range(max(len(actions) for *_, actions in plans)):
            for (env, _, actions), shown in zip(plans, seen, strict=True):
                shown += _continue(env, actions[turn : turn + 1])
        same(alone, seen, "episodes alone and side by side")

    def snapshots_restore_the_state(self) -> str:
        """In the same instance and in another one; where there are none, replay must do (see the rule before)."""
        one, other = self._make(), self._make()
        if not one.supports_snapshot:
            return "no snapshots: the core replays actions"
        for task in self._tasks(one):
            for actions in self._walks(one, task):
                self._restore_midway(one, other, task, actions)
        return f"{len(self._tasks(one))} tasks"

    def _restore_midway(self, one: AnyEnvironment, other: AnyEnvironment, task: Task, actions: Sequence[str]) -> None:
        middle = len(actions) // 2
        _trace(one, task, actions[:middle])
        kept, key = one.snapshot(), one.state_key()
        rest = _continue(one, actions[middle:])
        for environment in (one, other):
            environment.restore(kept)
            same(key, environment.state_key(), f"the state key of '{task.key}' after restore")
            same(rest, _continue(environment, actions[middle:]), f"what follows in '{task.key}' after restore")

    def any_text_is_answered(self) -> None:
        """An agent may say anything: it gets an observation, never an exception."""
        environment = self._make()
        for task in self._tasks(environment)[:1]:
            for action in ODD_ACTIONS:
                environment.reset(task)
                _check_result(environment.step(action))

    def any_answer_is_read(self) -> str:
        """Whatever a model writes, ``parse`` gives an action or an error text; so by each ``parser`` that there is."""
        environment = self._make()
        for rule in _rules(environment):
            for answer in ODD_ANSWERS:
                parsed = rule(answer)
                require((parsed.action is None) == (parsed.error is not None), "an action or an error text", parsed)
        return "" if _has_settings(environment) else _OWN_SETTINGS

    def long_observations_are_shortened(self) -> str:
        """``max_observation_chars`` changes what is shown and nothing of what happens."""
        environment, other = self._make(), self._make()
        if not _has_settings(environment):
            return _OWN_SETTINGS
        environment.config = environment.config.model_copy(update={"max_observation_chars": LEAST_CHARS})
        for task in self._tasks(environment)[:1]:
            same(
                environment.begin(task).observation, shortened(other.reset(task), LEAST_CHARS)[0], "what is shown first"
            )
            for action in self._walks(self._make(), task)[0]:
                shown, result = environment.act(action), other.step(action)
                same(shown.observation, shortened(result.observation, LEAST_CHARS)[0], f"what '{action}' shows")
                same(environment.state_key(), other.state_key(), f"the state after '{action}'")
        return ""

    def results_are_plain_data(self) -> str:
        """Rewards in [0, 1], terminated and truncated apart, ``info`` as JSON, distances and legal actions usable."""
        environment = self._make()
        steps = 0
        for task in self._tasks(environment):
            for actions in self._walks(environment, task):
                require(isinstance(environment.reset(task), str), "text from reset", type(environment.reset(task)))
                for action in actions:
                    _check_state(environment)
                    _check_result(environment.step(action))
                    steps += 1
        return f"{steps} steps"

    def steps_before_reset_and_after_the_end_are_errors(self) -> str:
        """RuntimeError: it is the caller who is wrong."""
        environment = self._make()
        task = self._tasks(environment)[0]
        shown = environment.demonstrate(task)
        actions = list(shown) if shown else self._stroll(environment, task, MAX_STEPS)
        fresh = self._make()
        _expect_runtime_error(fresh, actions[0] if actions else "look", "before reset")
        environment.reset(task)
        result = [environment.step(action) for action in actions][-1:]
        if not result or not (result[0].terminated or result[0].truncated):
            return f"no end within {MAX_STEPS} steps"
        _expect_runtime_error(environment, actions[0], "after the end")
        return ""

    def demonstrations_succeed(self) -> str:
        """Where there is an expert, its actions end with reward 1 (and distance 0, where distances are known)."""
        environment = self._make()
        solved = 0
        tasks = self._tasks(environment)
        for task in tasks:
            actions = environment.demonstrate(task)
            if actions is None:
                continue
            environment.reset(task)
            results = [environment.step(action) for action in actions]
            require(results and results[-1].reward >= 1.0, f"reward 1 in '{task.key}'", results[-1:] or "no action")
            require(results[-1].terminated, f"'{task.key}' to be terminated", "no end")
            require(
                environment.distance() in (None, 0), f"distance 0 at the goal of '{task.key}'", environment.distance()
            )
            solved += 1
        return f"{solved} of {len(tasks)} tasks" if solved else "none offered"

    def closing_twice_is_fine(self) -> None:
        """``close`` may be called again, and before any reset."""
        environment = self._make()
        environment.close()
        environment.close()

    def _tasks(self, environment: AnyEnvironment) -> list[Task]:
        return [task for split in environment.splits() for task in environment.tasks(split)[: self._count]]

    def _walks(self, environment: AnyEnvironment, task: Task) -> list[list[str]]:
        """Whole episodes or the starts of some: by chance, with odd actions among them; then the expert's."""
        shown = environment.demonstrate(task)
        return [self._stroll(environment, task, STROLL), *([list(shown)] if shown else [])]

    def _stroll(self, environment: AnyEnvironment, task: Task, longest: int) -> list[str]:
        environment.reset(task)
        rng, actions = derive_rng(0, "stroll", task.key), list[str]()
        while len(actions) < longest:
            legal = environment.legal_actions() or environment.demonstrate(task)
            actions.append(rng.choice(list(legal if legal and rng.random() < 0.8 else ODD_ACTIONS)))
            result = environment.step(actions[-1])
            if result.terminated or result.truncated:
                break
        return actions


def _has_settings(environment: AnyEnvironment) -> bool:
    return isinstance(environment.config, EnvironmentConfig)


def _rules(environment: AnyEnvironment) -> list[Callable[[str], ParsedAction]]:
    return [environment.parse, environment.parse_as_agentgym] if _has_settings(environment) else [environment.parse]


def _trace(environment: AnyEnvironment, task: Task, actions: Sequence[str]) -> list[object]:
    """Everything an episode shows."""
    return [environment.reset(task), environment.state_key(), *_continue(environment, actions)]


def _continue(environment: AnyEnvironment, actions: Sequence[str]) -> list[object]:
    """What further actions show, up to the end of the episode."""
    seen: list[object] = []
    for action in actions:
        result = environment.step(action)
        seen += [result, environment.state_key()]
        if result.terminated or result.truncated:
            break
    return seen


def _check_result(result: StepResult) -> None:
    require(isinstance(result, StepResult), "a StepResult", type(result))
    require(0.0 <= result.reward <= 1.0, "a reward in [0, 1]", result.reward)
    for flag in (result.terminated, result.truncated):
        require(isinstance(flag, bool), "True or False in terminated and truncated", repr(flag))
    require(isinstance(result.observation, str), "text as observation", type(result.observation))
    require(math.isfinite(result.score), "a finite score", result.score)
    require(not (result.terminated and result.truncated), "terminated or truncated, not both", result)
    require(isinstance(result.info.get("invalid", False), bool), "a truth value in info['invalid']", result.info)
    json.dumps(result.info)


def _check_state(environment: AnyEnvironment) -> None:
    require(isinstance(environment.state_key(), str), "text as state key", type(environment.state_key()))
    far, legal = environment.distance(), environment.legal_actions()
    require(far is None or far >= 0, "a distance of at least 0, or None", far)
    require(legal is None or all(isinstance(action, str) and action for action in legal), "texts", legal)


def _expect_runtime_error(environment: AnyEnvironment, action: str, when: str) -> None:
    try:
        result = environment.step(action)
    except RuntimeError:
        return
    require(False, f"RuntimeError from step {when}", result)
