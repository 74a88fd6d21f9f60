"""``agentr play``: at a terminal of its own, through a pipe, and what training makes of what was kept."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from training_fixtures import model_folder as model_folder

from agentr_core import create, open_store
from agentr_core.cli.main import main
from agentr_core.cli.play_lines import thought_alone, turn_of

if os.name == "posix":
    from typing_terminal import Terminal

COUNTER = ("play", "--env", "agentr_core.testing:CounterEnvironment", "--run", "mine")
CRAFT = ("play", "--env", "textcraft", "-o", "textcraft.world=synthetic", "-o", "textcraft.depth=2", "--run", "mine")
AGENTR = (sys.executable, "-m", "agentr_core")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """The program with lines from a pipe: code, stdout, stderr."""

    def run(*arguments: str, lines: tuple[str, ...] = ()) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return main(list(arguments)), *capsys.readouterr()

    return run


@pytest.fixture
def at_terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        opened.append(Terminal([*AGENTR, *arguments], tmp_path))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def datasets() -> list[int]:
    """The sizes of all datasets that there are."""
    if not Path("agentr.db").exists():
        return []
    with open_store("agentr.db", read_only=True) as store:
        return [row.n_examples for row in store.datasets.select()]


posix = pytest.mark.skipif(os.name != "posix", reason="pseudo terminals are of POSIX")


@posix
def test_a_person_solves_a_task_of_textcraft_at_a_terminal_and_keeps_it(at_terminal: Callable[..., Terminal]) -> None:
    environment = create("env", "textcraft")
    task = environment.task("textcraft_9")
    *actions, last = environment.demonstrate(task) or ()
    terminal = at_terminal("play", "--env", "textcraft", "--task", task.key)
    opening = terminal.until("[0] > ")
    assert "Crafting commands:" in opening and "Ctrl-D ends" in opening and "Enter:" not in opening
    terminal.type(":help", "[0] > ")
    assert ":undo" in terminal.text and ":ask" not in terminal.text  # nobody plays along
    for number, action in enumerate(actions, 1):
        assert "world" in terminal.type(action, f"[{number}] > ")
    terminal.type("Thought: That is all I need.", "Action: ")
    terminal.type(last, "keep it as a demonstration? y or n")
    terminal.until("over] > ")
    terminal.type("y", "train on them: agentr train --run played-textcraft")
    terminal.until("over] > ")
    terminal.press(b"\x04")
    assert terminal.end() == 0 and "not kept" not in terminal.text
    with open_store("agentr.db", read_only=True) as store:
        (example,) = store.datasets.load(1).examples
    said = [(message.content, message.train) for message in example.messages if message.role == "assistant"]
    bare = [(f"Thought:\nAction: {action}", True) for action in actions]
    assert said == [*bare, (f"Thought: That is all I need.\nAction: {last}", True)]
    assert (example.origin["replay"], example.origin["reward"]) == ("exact", 1.0)


@posix
def test_a_person_takes_over_takes_back_and_gives_back(at_terminal: Callable[..., Terminal]) -> None:
    terminal = at_terminal(*COUNTER, "--policy", "expert", "--task", "count_9")
    terminal.until("[0] Enter: expert > ")
    assert "Action: add 1" in terminal.type("", "[1] Enter: expert > ")
    assert "×4" in terminal.type(":ask", "[1] Enter: expert > ")
    assert "You are at 4." in terminal.type("add 2", "[2] Enter: expert > ")
    assert "'jump' is not an action." in terminal.type("jump", "[3] Enter: expert > ")
    assert "1 taken back, 2 left" in terminal.type(":undo", "[2] Enter: expert > ")
    assert "Did you mean :undo?" in terminal.type(":undi", "[2] Enter: expert > ")
    terminal.type("double", "[3] Enter: expert > ")
    terminal.type("add 1", "[4] Enter: expert > ")
    terminal.type("stop", "keep it as a demonstration? y, n, or :keep all (the model's turns too)")
    terminal.until("[5, over] > ")
    assert "4 of 5 turns are trained; played again exactly" in terminal.type("y", "[5, over] > ")
    terminal.type(":next", "[0] Enter: expert > ")
    terminal.type(":go", "over] > ")
    terminal.type("n", "not kept.")
    terminal.type(":quit", "")
    assert terminal.end() == 0
    with open_store("agentr.db", read_only=True) as store:
        (example,) = store.datasets.load(1).examples
    assert [message.train for message in example.messages if message.role == "assistant"] == [False] + [True] * 4
    assert example.origin["played"] == "1 expert, 4 person"


@posix
@pytest.mark.parametrize(("key", "answer", "kept", "code"), [(b"\x03", "y", [1], 130), (b"\x04", "", [], 0)])
def test_leaving_half_way_asks_once_and_keeps_nothing_by_itself(
    key: bytes, answer: str, kept: list[int], code: int, at_terminal: Callable[..., Terminal]
) -> None:
    terminal = at_terminal(*COUNTER)
    terminal.until("[0] > ")
    terminal.type("add 1", "[1] > ")
    terminal.press(key)
    terminal.until("keep 1 turn of count_5 as a demonstration? [y/N] ")
    terminal.type(answer, "kept")
    assert terminal.end() == code and datasets() == kept and "Traceback" not in terminal.text


def test_through_a_pipe_there_are_no_colours_and_the_streams_are_apart() -> None:
    lines = "\n:ask 2\n:take 1\n:show\n:go\n:keep all\n"
    done = subprocess.run(
        [*AGENTR, *COUNTER, "--policy", "expert"], input=lines, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr and done.stdout.endswith("solved in 3 turns\n")
    assert "3 of 3 turns are trained" in done.stderr and "1 conversation" in done.stderr
    assert "        you   Thought: Step 2 of 3." in done.stdout


def test_the_end_of_a_pipe_keeps_nothing_unless_a_line_says_so(piped: Said) -> None:
    code, _, err = piped(*COUNTER, lines=("add 2", "add 2", "stop"))
    assert (code, datasets()) == (0, []) and "not kept: 3 turns of count_5; the line :keep keeps" in err
    code, out, err = piped(*COUNTER, lines=("add 2", ":keep"))
    assert (code, datasets()) == (0, [1]) and "not kept" not in err
    assert "warning: it is trained as a good example, and its reward is 0 so far" in err
    code, out, err = piped(*COUNTER, lines=("Thought: 3. Action: add 2", "Thought: 5.", "add 2", ":undo 2", ":quit"))
    assert code == 0 and "Thought: 3.\n              Action: add 2\n" in out
    assert "2 taken back, 0 left" in err and "not kept" not in err


@pytest.mark.parametrize(
    ("arguments", "lines", "code", "told"),
    [
        (("--task", "count_55"), (), 2, "has no task 'count_55'. Did you mean 'count_5'? List them with: agentr tasks"),
        (("--split", "dev"), (), 2, "no split is called 'dev'; there are: train, test"),
        (("--model", "./nowhere"), (), 2, "there is no model folder './nowhere'"),
        (("--policy", "exper"), (), 2, "no policy is called 'exper'. Did you mean 'expert'?"),
        (("--name", "x"), (), 2, "no such option '--name'"),
        (("-o", "env.max_step=3"), (), 2, "max_step"),
        ((), (":fly",), 2, "there is no command ':fly'"),
        ((), (":a",), 2, "Did you mean :ask or :actions or :again?"),
        ((), (":undo",), 2, "there are 0 turns to take back"),
        ((), (":undo two",), 2, "'two' is no number from 1 to 10,000"),
        ((), (":keep",), 5, "there is no turn to train"),
        ((), ("add 1", ":keep some"), 2, ":keep some: write :keep, or :keep all"),
        ((), ("Action:",), 2, "that is no turn here, and nothing was played: Error: The action is empty."),
        ((), (":go",), 2, "begin with --model PATH_OR_ID or --policy NAME"),
        ((), (":task",), 2, ":task needs the key of one"),
        (("--db", "."), ("add 1", ":keep"), 1, ". is a folder; name a database file with --db"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_sentence(
    arguments: tuple[str, ...], lines: tuple[str, ...], code: int, told: str, piped: Said
) -> None:
    found, _, err = piped(*COUNTER, *arguments, lines=lines)
    assert (found, datasets()) == (code, []) and told in err and "Traceback" not in err


WORLD = """
from agentr_core import Environment, PluginConfig, StepResult, Task

class Empty(Environment[PluginConfig]):
    def instructions(self, task): return "Say something."
    def splits(self): return ("train", "full")
    def tasks(self, split): return [] if split == "train" else [Task(key="k", split=split, instruction="Do.")]
    def reset(self, task): return "begin \\x1b[2Jhere\\u202egnp"
    def step(self, action):
        if action == "die":
            raise OSError("gone")
        return StepResult(observation="\\x1b]0;owned\\x07" + "wide " * 60 + "\\ud800")
    def state_key(self): return ""
"""


def test_hostile_worlds_are_shown_as_text_and_broken_ones_told(piped: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad_world.py").write_text(WORLD)
    monkeypatch.syspath_prepend(".")
    play = ("play", "--env", "bad_world:Empty")
    code, _, err = piped(*play)
    assert code == 5 and "the split 'train' of 'bad_world:Empty' has no tasks; choose another --split" in err
    code, out, _ = piped(*play, "--split", "full", lines=("look",))
    assert code == 0 and "\x1b" not in out and "\u202e" not in out
    assert r"begin \x1b[2Jhere\u202egnp" in out and r"\x1b]0;owned\x07wide" in out and r"\ud800" in out
    code, _, err = piped(*play, "--split", "full", lines=("look", ":actions", "die"))
    assert code == 1 and "this environment does not list its actions" in err
    assert "not kept: 1 turn of k" in err and "error: step of k: OSError: gone" in err
    assert piped("play", "--env", "textcraft,webshop")[0] == 2


SLOW = """
import asyncio, os, signal
from agentr_core import Completion, Policy, PluginConfig
from agentr_core.testing import CounterEnvironment

class Thinker(Policy[PluginConfig]):
    async def sample(self, request):
        print("thinking", flush=True)
        await asyncio.Event().wait()

class Interrupting(CounterEnvironment):
    def step(self, action):
        os.kill(os.getpid(), signal.SIGINT)
        return super().step(action)
"""


@posix
def test_ctrl_c_stops_a_model_that_thinks_and_the_game_goes_on(at_terminal: Callable[..., Terminal]) -> None:
    Path("slow.py").write_text(SLOW)
    terminal = at_terminal(*COUNTER, "--policy", "slow:Thinker")
    terminal.until("[0] Enter: Thinker > ")
    terminal.type("", "thinking")
    terminal.press(b"\x03")
    assert "stopped; nothing was played" in terminal.until("[0] Enter: Thinker > ")
    terminal.type("add 1", "[1] Enter: Thinker > ")
    terminal.type(":undo", "[0] Enter: Thinker > ")
    terminal.press(b"\x03")
    assert terminal.end() == 130 and "kept" not in terminal.text and "Traceback" not in terminal.text


def test_ctrl_c_in_a_step_lets_it_end_and_then_leaves(piped: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("slow.py").write_text(SLOW)
    monkeypatch.syspath_prepend(".")
    code, _, err = piped("play", "--env", "slow:Interrupting", lines=("add 1", "add 1"))
    assert code == 130 and "not kept: 1 turn of count_5" in err


@pytest.mark.parametrize(
    ("line", "thought", "turn"),
    [
        ("get 1 log", "", "Thought:\nAction: get 1 log"),
        ("get 1 log", "I need one.", "Thought: I need one.\nAction: get 1 log"),
        ("action:  get 1 log", "So.", "Thought: So.\nAction: get 1 log"),
        ("Thought: Go. Action: get 1 log", "not this", "Thought: Go.\nAction: get 1 log"),
        ("Action: :quit", "", "Thought:\nAction: :quit"),
        ("get \x1b[1m1", "", "Thought:\nAction: get  [1m1"),
    ],
)
@pytest.mark.parametrize("parser", ["lenient", "agentgym", "agent-r"])
def test_what_is_typed_is_kept_as_a_model_would_have_to_say_it(line: str, thought: str, turn: str, parser: str) -> None:
    environment = create("env", "textcraft", world="synthetic", parser=parser)
    if parser == "lenient" or not line.startswith("Thought"):
        assert turn_of(line, thought, environment) == turn
    assert environment.parse(turn).action is not None
    assert thought_alone("thought: I wait") == "I wait" and thought_alone(turn) is None and thought_alone(line) is None


def test_a_generated_shop_is_played(piped: Said) -> None:
    pytest.importorskip("rapidfuzz")
    code, out, err = piped(
        *("play", "--env", "webshop", "-o", "webshop.products=60", "--policy", "expert"),
        lines=("search[shoe]", ":actions next", ":undo", ":go", ":keep"),
    )
    assert code == 0 and "solved in" in out and "played again exactly" in err, err


@pytest.mark.model
def test_a_model_is_trained_on_what_was_kept(model_folder: Path, piped: Said) -> None:
    craft = create("env", "textcraft", world="synthetic", depth=2)
    actions = tuple(craft.demonstrate(craft.tasks("train")[0]) or ())
    code, out, err = piped(
        *CRAFT, "--model", str(model_folder), "-o", "evaluate.max_tokens=8", lines=("", ":ask 3", *actions, "y")
    )
    assert code == 0 and f"{len(actions)} of {len(actions) + 1} turns are trained" in err, err
    assert "-" in out.partition("log p")[2].splitlines()[1]  # a log-probability
    code, listed, _ = piped("datasets", "list", "--json")
    (row,) = json.loads(listed)
    assert (row["name"], row["recipe"], row["n_examples"], row["kinds"]) == ("played", "imported", 1, {"good": 1})
    code, shown, err = piped("datasets", "show", "1")
    assert f"{len(actions)} of {2 * len(actions) + 4} turns are trained" in err and "replay exact" in shown
    model = ("--model", str(model_folder), "-o", "sft.epochs=1")
    code, out, err = piped("train", "--run", "mine", *model, "--json")
    assert code == 0, err
    assert json.loads(out)[0]["examples"] == 1
    with open_store("agentr.db", read_only=True) as store:
        trained = store.datasets.get(2)
        assert (trained.recipe, trained.config["demonstrations"]) == ("demonstrations", 1)
        assert store.datasets.load(2).examples == store.datasets.load(1).examples
    run = ("run", "--dry-run", "--env", "textcraft", *model, "-o", "data.demonstrations=1")
    code, _, err = piped(*run)
    assert code == 0 and "data.demonstrations: 1 conversations of dataset 1 'played'" in err, err
