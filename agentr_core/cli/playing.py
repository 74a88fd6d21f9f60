"""A person at the prompt of ``agentr play``: each line is a turn, a command, or (Enter) lets the policy play."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from agentr_core.cli.output import say
from agentr_core.cli.play_lines import Lines, thought_alone, turn_of
from agentr_core.cli.play_screen import Screen, label_of, outcome, reward_of
from agentr_core.errors import AgentrError, EnvironmentFailure, ExitCode, Interrupted, UsageError
from agentr_core.process.interrupt import StopSignal
from agentr_core.records import Completion, Task
from agentr_core.runs.by_hand import PERSON, Table

T = TypeVar("T")
#: Keeps the episode at the table: with all turns trained, or the person's alone.
Keep = Callable[[bool], None]


@dataclass(frozen=True, slots=True)
class Command:
    """What follows a colon at the prompt: the name of its method, what may come behind it, and what it does.

    ``of_policy``: it is of no use where no policy plays along.
    """

    method: str
    argument: str
    told: str
    of_policy: bool = False


COMMANDS: Mapping[str, Command] = {
    "go": Command("_go", "[N]", "let the model play N turns, or to the end", of_policy=True),
    "ask": Command("_ask", "[N]", "show N turns that the model might play (4), with log-probabilities", of_policy=True),
    "take": Command("_take", "K", "play number K of them, as a turn of yours", of_policy=True),
    "actions": Command("_actions", "[WORD]", "list the actions that make sense now, or those with a word"),
    "undo": Command("_undo", "[N]", "take back the last N turns (1)"),
    "show": Command("_show", "", "the whole conversation so far"),
    "more": Command("_more", "", "the rest of what was too long for the screen"),
    "keep": Command("_keep", "[all]", "keep as a demonstration: your turns are trained (all: the model's too)"),
    "next": Command("_next", "", "the next task of the split"),
    "task": Command("_task", "KEY", "the task with this key"),
    "again": Command("_again", "", "this task from its start"),
    "help": Command("_help", "", "this list"),
    "quit": Command("_quit", "", "end (Ctrl-D is the same)"),
}
_YES, _NO = ("y", "yes"), ("n", "no")


class Playing:
    """One person at one table, from the first task to the last line."""

    def __init__(self, table: Table, runner: asyncio.Runner, lines: Lines, keep: Keep) -> None:
        self.table, self.lines, self.keep = table, lines, keep
        self._runner = runner
        self._model = table.policy.model if table.policy is not None else ""
        self.screen = Screen(at_terminal=lines.at_terminal, model=self._model)
        self._thought = ""
        #: Where the episode could be kept and has not been asked about; it is asked about once it is solved.
        self._unkept = self._asked = self._over = False

    def play(self, task: Task) -> int:
        """Play until the last line; the exit code."""
        try:
            self._begin(task)
            say(self._welcome())
            while not self._over:
                self._next_line()
        except KeyboardInterrupt:
            say("")
            self._leave()
            return ExitCode.INTERRUPTED
        except AgentrError:
            self._leave()
            raise
        self._leave()
        return ExitCode.OK

    def _next_line(self) -> None:
        line = self.lines.read(self._prompt())
        if line is None:
            self._over = True
            return
        try:
            self._do(line.strip())
        except EnvironmentFailure:
            raise
        except Interrupted as stopped:
            say(f"\n{stopped}")
        except AgentrError as error:
            if not self.lines.at_terminal:  # a pipe is a script: what fails ends it
                raise
            say(f"error: {error}")

    def _do(self, line: str) -> None:
        if line.startswith(":"):
            name, _, argument = line[1:].partition(" ")
            getattr(self, _command(name).method)(argument.strip())
        elif self.table.episode.ended:
            self._answered(line)
        elif not line:
            self._enter()
        elif (thought := thought_alone(line)) is not None:
            self._thought = thought
        else:
            turn = turn_of(line, self._thought, self.table.world.environment)
            self._play(turn, PERSON, shown=self.lines.at_terminal)

    def _enter(self) -> None:
        if self._thought:
            self._thought = ""
            say("the thought is dropped, and nothing was played")
        elif self.table.policy is None:
            say("type an action; :help lists what else there is")
        else:
            self._policy_turn()

    def _answered(self, line: str) -> None:
        """A line after the end: the answer to whether to keep it."""
        if line.lower() in _YES:
            self._keep("")
        elif line.lower() in _NO:
            self._unkept = False
            say("not kept. :next begins the next task, :quit ends")
        else:
            say("the episode is over: :next, :again, :undo, :keep or :quit")

    def _policy_turn(self) -> None:
        self._play(self._wait(self.table.answer()), self._model)

    def _play(self, turn: Completion | str, by: str, *, shown: bool = False) -> None:
        """Play a turn and show what came of it; ``shown``: it stands on the screen already, where it was typed."""
        before = reward_of(self.table.episode)
        if not shown:
            self.screen.turn(turn if isinstance(turn, str) else turn.text, by)
        differed = self.table.episode.environment.mismatches
        self._unkept |= not self.table.episode.ended
        step = self._finish(self.table.play(turn, by))
        self._thought = ""
        self.screen.observation(step.observation)
        if self.table.episode.environment.mismatches > differed:
            say("warning: the environment has come here by playing again, and what it showed differed")
        if self.table.episode.ended:
            self._ended()
        elif (now := reward_of(self.table.episode)) != before:
            say(now)

    def _ended(self) -> None:
        episode, self._asked = self.table.episode, True
        click.echo(click.style(outcome(episode), fg="green" if episode.steps[-1].reward >= 1 else "red", bold=True))
        if episode.steps[-1].reward >= 1:
            say("keep it as a demonstration? y, n, or :keep all (the model's turns too)" if self._mixed() else _KEEP)
        else:
            say(":undo takes the last turn back, :again begins anew, :next is the next task, :keep keeps it as it is")

    def _mixed(self) -> bool:
        return len({by == PERSON for by in self.table.episode.by}) > 1

    # What follows a colon. Each gets what stands behind its name.

    def _go(self, argument: str) -> None:
        for _ in range(_number(argument, 10_000)):
            if self.table.episode.ended:
                return
            self._policy_turn()

    def _ask(self, argument: str) -> None:
        self.screen.proposals(self._wait(self.table.proposals(_number(argument, 4))))

    def _take(self, argument: str) -> None:
        self._play(self.table.proposed(_number(argument, 1)), PERSON)

    def _actions(self, argument: str) -> None:
        if self.table.episode.ended:
            raise UsageError("the episode is over: there is nothing to do in it")
        found = self._finish(self.table.episode.legal_actions())
        if found is None:
            say("this environment does not list its actions; its rules are at the start (:show)")
            return
        chosen = [action for action in found if argument.lower() in action.lower()]
        self.screen.actions(chosen)
        if not chosen:
            say(f"none of {len(found)} actions has '{argument}' in it" if found else "there are none")

    def _undo(self, argument: str) -> None:
        count = _number(argument, 1)
        differing = self._finish(self.table.undo(count))
        self._unkept, self._asked = bool(self.table.episode.steps), False
        if differing:
            say(f"warning: this world does not play again exactly: {differing} observations are others than before")
        left = len(self.table.episode.steps)
        say(f"{count} taken back, {left} left; the world said last:")
        self.screen.observation(self.table.episode.messages()[-1].content)

    def _show(self, argument: str) -> None:
        self.screen.conversation(self.table.episode)

    def _more(self, argument: str) -> None:
        if not self.screen.more():
            say("there is no more")

    def _keep(self, argument: str) -> None:
        if argument not in ("", "all"):
            raise UsageError(f":keep {argument}: write :keep, or :keep all, which trains the model's turns too")
        self.keep(argument == "all")
        self._unkept = False

    def _next(self, argument: str) -> None:
        self._begin(self.table.after(self.table.episode.task))

    def _task(self, argument: str) -> None:
        if not argument:
            raise UsageError(":task needs the key of one; agentr tasks list shows them")
        self._begin(self.table.task(argument, ""))

    def _again(self, argument: str) -> None:
        self._begin(self.table.episode.task)

    def _help(self, argument: str) -> None:
        alone = self.table.policy is None
        rows = [*_TYPED] if alone else [*_TYPED, _ENTER]
        for name, command in COMMANDS.items():
            if not (alone and command.of_policy):
                rows.append((f":{name} {command.argument}".rstrip(), command.told))
        width = max(len(typed) for typed, _ in rows)
        for typed, told in rows:
            say(f"  {typed:<{width}}  {told}")

    def _quit(self, argument: str) -> None:
        self._over = True

    def _begin(self, task: Task) -> None:
        if self._unkept:
            self._leave()
        episode = self._finish(self.table.begin(task))
        self._thought, self._unkept, self._asked = "", False, False
        self.screen.begin(episode)

    def _leave(self) -> None:
        """What was played and not kept is offered once more, or said to be gone."""
        count = len(self.table.episode.steps) if self._unkept else 0
        self._unkept = False
        if not count:
            return
        turns = f"{count} turn{'s' if count > 1 else ''} of {self.table.episode.task.key}"
        if self.lines.at_terminal and not self._asked:
            try:
                answer = self.lines.read(f"keep {turns} as a demonstration? [y/N] ")
            except KeyboardInterrupt:
                answer = None
            if (answer or "").strip().lower() in _YES:
                self.keep(False)
            else:
                say("not kept")
            return
        say(f"not kept: {turns}; the line :keep keeps what was played up to it")

    def _welcome(self) -> str:
        lines = [f"Enter: {self._name()} plays its next turn."] if self.table.policy is not None else []
        lines.append("Type an action (before it, if you like, Thought: …). :help lists the rest, Ctrl-D ends.")
        return "\n".join(lines)

    def _name(self) -> str:
        return label_of(self._model, self._model)[0]

    def _prompt(self) -> str:
        count = len(self.table.episode.steps)
        if self._thought:
            return "Action: "
        if self.table.episode.ended:
            return f"[{count}, over] > "
        return f"[{count}] Enter: {self._name()} > " if self.table.policy is not None else f"[{count}] > "

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The policy's work, which Ctrl-C stops: :class:`~agentr_core.errors.Interrupted` at a terminal."""
        try:
            return self._runner.run(work)
        except KeyboardInterrupt:
            if not self.lines.at_terminal:
                raise
            raise Interrupted("stopped; nothing was played (Ctrl-C once more ends)") from None

    def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Work of the world, which comes to its end before Ctrl-C counts: nobody could tell what half a step did."""
        with StopSignal() as stopped:
            done = self._runner.run(work)
        if stopped():
            raise KeyboardInterrupt
        return done


_KEEP = "keep it as a demonstration? y or n"
_TYPED = [
    ("ACTION", "play it; it is kept as 'Thought:' and 'Action:', as a model would have to say it"),
    ("Thought: TEXT", "the thought of the action that you type next"),
]
_ENTER = ("Enter", "the model plays its next turn; you may type one at any time, and give back with Enter")


def _command(name: str) -> Command:
    """The command of this name, or of the only one that begins so."""
    found = [each for each in COMMANDS if each.startswith(name)] if name not in COMMANDS else [name]
    if len(found) == 1:
        return COMMANDS[found[0]]
    near = found if name else difflib.get_close_matches(name, COMMANDS, n=1)
    near = near or difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f" Did you mean {' or '.join(f':{each}' for each in near)}?" if near and name else ""
    raise UsageError(f"there is no command ':{name}'.{hint} :help lists them; an action with a colon: Action: :…")


def _number(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise UsageError(f"'{text}' is no number from 1 to 10,000")
    return int(text)
