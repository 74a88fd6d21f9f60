"""``agentr run --dry-run`` says all that can be known without a token or a model, and keeps nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentr_core.cli.main import main
from agentr_core.registry.lookup import use
from agentr_core.store import open_store

ABSTRACT = """
from agentr_core import Critic, PluginConfig
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft
from agentr_scripted.flawed import FlawedPolicy
class Placed(FlawedPolicy):
    @property
    def runs_on(self):
        return "2 engines, on the GPUs 0 and 1"
class Half(Critic[PluginConfig]):
    config_class = PluginConfig
class Lost(TextCraft):
    config_class = TextCraftConfig
    @property
    def version(self):
        raise OSError("no simulator here")
"""
LOST = (
    "run",
    "--dry-run",
    "--env",
    "textcraft,halfway:Lost",
    "--policy",
    "flawed",
    "--critic",
    "last",
    "--trainer",
    "none",
)
SCRIPTED = (
    *("run", "--dry-run", "-o", "textcraft.world=synthetic", "-o", "textcraft.depth=3", "--policy", "flawed"),
    *("--critic", "last"),
)
UNTRAINED = (*SCRIPTED, "--trainer", "none")
PROGRESS = tuple("progress" if word == "last" else word for word in UNTRAINED)
GUIDED = ("-o", "mcts.selection=puct", "-o", "mcts.value_model=/nope")
OPENAI = (
    *("run", "--dry-run", "-o", "textcraft.world=synthetic", "--critic", "actor", "--model", "m"),
    *("--policy", "openai:http://127.0.0.1:9/v1"),
)
SERVED = ("--policy", "openai", "-o", "openai.tokenizer=org/not-here")
Dry = Callable[..., tuple[int, str, str]]


@pytest.fixture
def dry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Dry]:
    """Runs the program in an empty folder; its code, and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "halfway.py").write_text(ABSTRACT)
    (tmp_path / "empty").mkdir()
    (tmp_path / "general.jsonl").write_text('{"messages": []}\n')
    use(None)

    def call(*arguments: str) -> tuple[int, str, str]:
        before = sorted(path.name for path in tmp_path.iterdir())
        code = main(arguments)
        kept = {path.name for path in tmp_path.iterdir()} - {*before, "__pycache__"}
        assert kept == set(), "a dry run keeps nothing"
        return (code, *capsys.readouterr())

    yield call
    use(None)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((*UNTRAINED, "--split", "tset"), 2, "no split 'tset'"),
        ((*UNTRAINED, "--eval-split", "tset"), 2, "no split 'tset'"),
        (SCRIPTED, 2, "the policy 'flawed' has no weights to train"),
        ((*UNTRAINED[:-3], "halfway:Half", "--trainer", "none"), 4, "abstract"),
        ((*OPENAI, "--trainer", "none", "-o", "judge.votes=2"), 2, "'judge' is not in use"),
        (PROGRESS, 2, "progress.model: name a checkpoint of the trainer 'value'"),
        ((*PROGRESS, "-o", "progress.model=/nope"), 2, "progress.model: there is no model folder '/nope'"),
        ((*UNTRAINED, *GUIDED), 2, "mcts.value_model: there is no model folder '/nope'"),
        (LOST, 1, "'halfway:Lost' could not tell its version: OSError: no simulator here"),
    ],
    ids=[
        "split",
        "eval split",
        "weights",
        "abstract critic",
        "options of another plugin",
        "no value model",
        "value model",
        "guide",
        "an environment",
    ],
)
def test_what_cannot_be_is_refused(dry: Dry, arguments: tuple[str, ...], code: int, said: str) -> None:
    ended, out, err = dry(*arguments)
    assert (ended, out) == (code, ""), err
    assert said in err and "Traceback" not in err


@pytest.mark.model
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--general", "nofile.jsonl", "--eta", "0.5"), "data.general: 'nofile.jsonl' cannot be read"),
        (("--general", "general.jsonl", "--eta", "0.5"), "holds no conversation that can be trained on"),
        (("-o", "openai.weights=./empty"), "the folder './empty' holds no model"),
        (("-o", "sft.max_length=64"), "sft.max_length: the instructions alone have"),
        (("--out", "/proc/nowhere"), "'/proc/nowhere' cannot be written"),
        (("--trainer", "tree", "-o", "mcts.temperature=0.7"), "trees that are sampled at temperature 0.7, top_p 1"),
        (("-o", "sft.processes=3"), "cannot be shared out among 3 processes evenly; take a multiple of 3"),
    ],
    ids=["general missing", "general unusable", "weights", "length", "out", "sampling", "processes"],
)
def test_what_training_needs_is_looked_at(dry: Dry, arguments: tuple[str, ...], said: str) -> None:
    pytest.importorskip("trl")
    weights = () if "openai.weights=./empty" in arguments else ("-o", "openai.weights=tiny")
    code, out, err = dry(*OPENAI, *weights, *arguments)
    assert (code, out) == (2, ""), err
    assert said in err and "Traceback" not in err


@pytest.mark.model
def test_a_folder_that_is_no_model_is_refused(dry: Dry) -> None:
    pytest.importorskip("transformers")
    code, _, err = dry("run", "--dry-run", "--model", "./empty", "--trainer", "none")
    assert code == 2 and "the folder './empty' holds no model" in err


@pytest.mark.model
def test_short_names_stand_for_weights_and_no_model_is_loaded(dry: Dry, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trl")
    import transformers

    def loaded(*_: Any, **__: Any) -> None:
        raise AssertionError("a dry run loads no weights")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", loaded)
    code, _, err = dry(*OPENAI, "-o", "openai.weights=tiny")
    assert code == 0, err
    assert "chat template: " in err and "memory: training takes" in err
    code, out, err = dry(
        "run", "--dry-run", "-o", "textcraft.world=synthetic", "--model", "tiny", "-o", "sft.processes=2"
    )
    assert code == 0, err
    assert "sft.processes: 2 processes, each with the whole model" in err and " in 2 processes" in err
    assert "training conversations, " in out and "steps" in out


@pytest.mark.model
@pytest.mark.parametrize(
    "policy", [(), ("--policy", "openai", "-o", "openai.tokenizer=org/not-here")], ids=["own", "server"]
)
def test_a_model_that_is_not_here_is_said_and_the_rest_is_planned(dry: Dry, policy: tuple[str, ...]) -> None:
    pytest.importorskip("trl")
    weights = ("-o", "openai.weights=org/not-here") if policy else ()
    code, out, err = dry("run", "--dry-run", "--model", "org/not-here", "--tasks", "3", *policy, *weights)
    assert code == 0 and out.count("at most") >= 3, err
    assert err.count("warning: model: ") == 1 and "so its template, context and memory are not looked at" in err


def test_an_empty_database_file_is_one_that_the_run_would_begin(dry: Dry, tmp_path: Path) -> None:
    path = tmp_path / "begun.db"
    path.touch()
    code, out, err = dry(*UNTRAINED, "--db", str(path))
    assert code == 0, err
    assert "plan: 1 iteration" in out and path.stat().st_size == 0


def test_a_folder_in_place_of_the_database_is_told_before_the_run(dry: Dry, tmp_path: Path) -> None:
    code, out, err = dry(*UNTRAINED, "--db", str(tmp_path / "empty"))
    assert (code, out) == (1, ""), err
    assert "is a folder; name a database file with --db" in err


def test_counts_are_those_of_the_tasks_that_there_are(dry: Dry) -> None:
    sizes = ("--tasks", "100000", "--eval-tasks", "5000", "--iterations", "1", "-o", "mcts.depth=5")
    code, out, err = dry(*UNTRAINED, *sizes, "-o", "mcts.simulations=2", "-o", "mcts.samples=3", "--json")
    assert code == 0, err
    found = json.loads(out)
    told = {check["what"]: check for check in found["checks"] if check["warning"]}
    assert "100,000 were asked for and the split 'train' has" in told["search.tasks"]["told"]
    assert "5,000 were asked for and the split 'test' has" in told["evaluate.tasks"]["told"]
    plan = found["plan"]
    assert plan["completions_at_most"] == plan["trees"] * 2 * 3 * 5 < 100_000
    assert plan["steps"] is None and plan["conversations"] == 0 and plan["verdicts_at_most"] == 0


def test_what_the_model_runs_on_is_said(dry: Dry) -> None:
    code, _, err = dry(*("halfway:Placed" if word == "flawed" else word for word in UNTRAINED))
    assert code == 0 and "policy: 2 engines, on the GPUs 0 and 1" in err


@pytest.mark.parametrize("split", [("--eval-split", "train"), ("--split", "test")])
def test_measuring_on_training_tasks_is_said(dry: Dry, split: tuple[str, str]) -> None:
    code, _, err = dry(*UNTRAINED, *split)
    assert code == 0 and "warning: evaluate.split: " in err and "is the split that is trained on" in err


def test_a_trainer_whose_turn_never_comes_is_said(dry: Dry) -> None:
    pytest.importorskip("trl")
    trained = (*OPENAI, "-o", "openai.weights=tiny", "--trainer", "sft,tree")
    code, _, err = dry(*trained, "--iterations", "1")
    assert code == 0 and "warning: trainer: iterations take them in turn, and 1 do not come to tree" in err, err
    code, _, err = dry(*trained, "--iterations", "2")
    assert code == 0 and "in turn" not in err and "start_from" not in err, err
    code, _, err = dry(*trained, "--iterations", "2", "-o", "start_from=base")
    assert code == 0 and "warning: start_from: base: from iteration 2 on 'tree' starts from another model" in err, err


def test_a_file_that_is_not_used_is_said(dry: Dry) -> None:
    pytest.importorskip("trl")
    code, _, err = dry(*OPENAI, "-o", "openai.weights=tiny", "--general", "nofile.jsonl")
    assert code == 0 and "warning: data.general: 'nofile.jsonl' is not used, since data.eta is 1" in err


def test_prices_are_for_what_is_known(dry: Dry) -> None:
    priced = (*OPENAI, "--trainer", "none", "-o", "openai.prices.prompt=1", "-o", "openai.prices.completion=2")
    code, out, _ = dry(*priced)
    assert code == 0 and "for what is generated; prompts cost more" in out
    code, out, _ = dry(*priced, "-o", "openai.context_length=4096", "--json")
    plan = json.loads(out)["plan"]
    assert plan["dollars"] == pytest.approx((plan["prompt_tokens"] + 2 * plan["completion_tokens"]) / 1e6)
    code, out, _ = dry(*OPENAI, "--trainer", "none")
    assert "$" not in out, "nothing is known of prices"


def test_a_critic_that_plays_is_priced_by_the_turns_it_plays(dry: Dry) -> None:
    playing = tuple("unrecoverable" if word == "actor" else word for word in OPENAI)
    plans = []
    for rollouts in ("1", "3"):
        options = ("-o", f"unrecoverable.rollouts={rollouts}", "-o", "unrecoverable.depth=5", "--json")
        code, out, err = dry(*playing, "--trainer", "none", *options, "-o", "unrecoverable.max_tokens=10")
        assert code == 0, err
        plans.append(json.loads(out)["plan"])
    one, three = plans
    assert one["verdicts_at_most"] == three["verdicts_at_most"] > 0
    more = three["completion_tokens"] - one["completion_tokens"]
    assert more == one["verdicts_at_most"] * 2 * 5 * 10


def test_hours_are_those_that_were_measured_and_else_none(dry: Dry, searched: Path, tmp_path: Path) -> None:
    shutil.copy(searched, tmp_path / "agentr.db")
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        tree = store.trees.select(store.runs.find("last").id)[0]
        pace = store.runs.search_pace(tree.model, "textcraft", tree.searcher_hash)
    assert pace is not None and pace.items == 10 and pace.seconds > 0
    grown = ("-o", "mcts.samples=4", "-o", "mcts.depth=9")
    same = ("-o", "flawed.rate=0.5", *grown, "--tasks", "5", "--iterations", "4")
    code, out, _ = dry(*UNTRAINED, *same, "-o", "mcts.simulations=4", "--json")
    assert code == 0 and json.loads(out)["plan"]["search_seconds"] == pytest.approx(2 * pace.seconds)
    code, out, _ = dry(*UNTRAINED, *same, "-o", "mcts.simulations=9")
    assert code == 0 and "at the pace" not in out, "another searcher has another pace"
