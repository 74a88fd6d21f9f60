"""How an episode that is played looks in the terminal: who says what, folded to its width, a screenful at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence

import click

from agentr_core.cli.conversations import turns
from agentr_core.cli.output import heading, table_lines
from agentr_core.cli.reading import one_line, screen_width
from agentr_core.play.steered import SteeredEpisode
from agentr_core.runs.by_hand import PERSON, Proposal
from agentr_core.turns import Message

#: Lines of the screen that are left for the turn above and the prompt below an observation.
_LEFT_FREE = 6
WORLD, YOU = ("world", "cyan"), ("you", "green")
#: The margin that names stand in.
_NAME = 11


def label_of(by: str, model: str) -> tuple[str, str]:
    """What a turn's maker is called at the margin, and its colour."""
    return YOU if by == PERSON else (one_line(model.rstrip("/").rpartition("/")[2], _NAME), "yellow")


class Screen:
    """Prints an episode; on a terminal what is longer than the screen is cut, and :meth:`more` has the rest."""

    def __init__(self, *, at_terminal: bool, model: str) -> None:
        self.at_terminal, self.model = at_terminal, model
        self._rest: list[str] = []

    def begin(self, episode: SteeredEpisode) -> None:
        """The task, its instructions and what is seen first."""
        task = episode.task
        title = one_line(f"{task.key} · {task.split} · {task.instruction}", self._width())
        click.echo(heading(title))
        rules, first = (message.content for message in episode.head)
        for line in (*self._lines(("rules", "blue"), rules), ""):
            click.echo(line)
        self.observation(first)

    def turn(self, response: str, by: str) -> None:
        """What somebody said."""
        self._print(self._lines(label_of(by, self.model), response))

    def observation(self, text: str) -> None:
        """What the world answered."""
        self._print(self._lines(WORLD, text))

    def conversation(self, episode: SteeredEpisode) -> None:
        """All turns so far, as the model is asked with them."""
        messages = [Message(message.role, message.content) for message in episode.messages()]
        first = len(episode.head)
        labels = dict.fromkeys(range(len(messages)), WORLD)
        labels |= {first + 2 * at: label_of(by, self.model) for at, by in enumerate(episode.by)}
        for line in turns(messages, labels={**labels, 0: ("rules", "blue")}):
            click.echo(line)

    def actions(self, actions: Sequence[str]) -> None:
        """Legal actions, one a line."""
        self._print([f"  {one_line(action)}" for action in actions])

    def proposals(self, proposals: Sequence[Proposal]) -> None:
        """What the policy might say, with log-probabilities."""
        rows = [_cells(number, each) for number, each in enumerate(proposals, 1)]
        self._print(list(table_lines(("", "drawn", "log p", "mean", "turn"), rows)))

    def more(self) -> bool:
        """The rest of what was too long for the screen; False where there is none."""
        rest, self._rest = self._rest, []
        if rest:
            self._print(rest)
        return bool(rest)

    def _width(self) -> int | None:
        return screen_width() if self.at_terminal else None

    def _lines(self, label: tuple[str, str], text: str) -> Iterator[str]:
        return turns([Message("assistant", text)], labels={0: label})

    def _print(self, lines: Iterator[str] | list[str]) -> None:
        lines = list(lines)
        room = max(_LEFT_FREE, shutil.get_terminal_size().lines - _LEFT_FREE) if self.at_terminal else len(lines)
        self._rest = lines[room:]
        for line in lines[:room]:
            click.echo(line)
        if self._rest:
            click.echo(click.style(f"{'':>{_NAME + 3}}… {len(self._rest)} more lines, :more", dim=True))


def _cells(number: int, proposal: Proposal) -> tuple[str, ...]:
    total, tokens = proposal.log_probability, len(proposal.completion.logprobs)
    known = ("-", "-") if total is None else (f"{total:.2f}", f"{total / tokens:.2f}")
    return (str(number), f"×{proposal.copies}", *known, one_line(proposal.completion.text))


def outcome(episode: SteeredEpisode) -> str:
    """How an episode that is over has ended."""
    last, count = episode.steps[-1], len(episode.steps)
    after = f"{count} turn{'s' if count > 1 else ''}"
    if last.reward >= 1.0:
        return f"solved in {after}"
    how = "cut short by the environment's limit of steps" if last.truncated else "over"
    return f"{how} after {after}: {reward_of(episode)}"


def reward_of(episode: SteeredEpisode) -> str:
    """The reward so far, and the environment's own score where that is another number."""
    reward, score = (episode.steps[-1].reward, episode.steps[-1].score) if episode.steps else (0.0, 0.0)
    return f"reward {reward:g}" + (f" (score {score:g})" if score != reward else "")
