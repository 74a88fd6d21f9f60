"""What a sweep's file describes: which runs, what they are called, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentr_core import ConfigError
from agentr_core.runs.taken_over import same_trees
from agentr_core.settings.presets import PRESETS
from agentr_core.settings.sweep import Sweep, read_sweep

REPOSITORY = Path(__file__).parents[2]
SHARED = 'policy = "flawed"\ncritic = "last"\ntrainer = "none"\niterations = 1\n'


def read(folder: Path, text: str) -> Sweep:
    file = folder / "study.toml"
    file.write_text(SHARED + text)
    return read_sweep(file)


def test_every_value_meets_every_other_and_seeds_stand_together(tmp_path: Path) -> None:
    made = read(tmp_path, '[sweep]\nseed = [3, 4]\nsearcher = ["mcts", "greedy"]\nflawed.rate = [0.1, 0.2]\n')
    assert made.name == "study" and made.alike == 0
    names = ["mcts · rate=0.1", "mcts · rate=0.2", "greedy · rate=0.1", "greedy · rate=0.2"]
    assert [each.name for each in made.combinations] == [f"{name} · seed {s}" for name in names for s in (3, 4)]
    last = made.combinations[-1].config
    assert (last.searcher.name, last.policy.options["rate"], last.seed, last.iterations) == ("greedy", 0.2, 4, 1)


def test_ways_are_settings_that_belong_together(tmp_path: Path) -> None:
    text = """name = "five ways"
db = "study.db"
[sweep]
seed = [0, 1]
[[sweep.ways]]
name = "good attempts"
trainer = "learning:Halver"
data.recipe = "good"
[[sweep.ways]]
trainer = {name = "learning:Halver", factor = 0.25}
"""
    made = read(tmp_path, text)
    assert (made.name, made.db, made.out) == ("five ways", "study.db", None)
    good, halved = made.combinations[0], made.combinations[2]
    assert (good.label, good.config.data.recipe, good.config.seed) == ("good attempts", "good", 0)
    assert halved.config.trainer.options["factor"] == 0.25 and halved.config.data.recipe == "agent-r"


def test_a_way_may_be_a_preset(tmp_path: Path) -> None:
    ways = '[sweep]\n[[sweep.ways]]\nname = "a"\n[[sweep.ways]]\nname = "b"\npreset = "paper"\n'
    first, second = read(tmp_path, ways).combinations
    assert (first.config.revise.splice, second.config.revise.splice) == ("verified", "recorded")


def test_where_only_seeds_differ_runs_are_called_by_their_trainer(tmp_path: Path) -> None:
    made = read(tmp_path, "[sweep]\nseed = [0, 1]\n")
    assert [each.name for each in made.combinations] == ["none · seed 0", "none · seed 1"]


def test_what_comes_to_the_same_settings_is_one_run(tmp_path: Path) -> None:
    made = read(tmp_path, '[sweep]\nsearcher = ["greedy", "mcts"]\nmcts.samples = [2, 3]\n')
    assert (len(made.combinations), made.alike) == (3, 1)
    assert [each.label for each in made.combinations] == ["greedy · samples=2", "mcts · samples=2", "mcts · samples=3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"there is nothing to vary: give lists of values.*for one run: agentr run --config"),
        ("[sweep]\nseed = 3\n", r"seed: must be a list of values \(got 3\)"),
        ("[sweep]\nseed = []\n", r"seed: must be a list of values"),
        ('[sweep]\ndb = ["a.db"]\n', r"'db' is one for all runs of a sweep; write it above \[sweep\]"),
        ('[sweep]\n[[sweep.ways]]\nout = "x"\n', r"'out' is one for all runs of a sweep"),
        ('[sweep]\nways = ["sft"]\n', r"ways: must be tables of settings, each below a line \[\[sweep.ways\]\]"),
        (
            '[sweep]\nseed = [1]\n[[sweep.ways]]\nname = "a"\nseed = 2\n',
            r"'seed' is set by 'a' too",
        ),
        (
            '[sweep]\n[[sweep.ways]]\nname = "a"\ntrainer = "sft"\ndpo.beta = 0.2\n',
            r"study.toml, \[sweep\], a: dpo: 'dpo' is not in use there; in use are .*sft",
        ),
        (
            '[sweep]\nsearcher = ["mcts", "baem"]\n',
            r"study.toml, \[sweep\], baem: no searcher is called 'baem'",
        ),
        ("[sweep]\nsead = [1]\n", r"study.toml, \[sweep\]: sead: there is no setting 'sead'. Did you mean 'seed'\?"),
        ('[sweep]\n[[sweep.ways]]\nname = "a"\niterations = 0\n', r"iterations: must be at least 1"),
        (
            '[sweep]\n[[sweep.ways]]\nname = "a"\nseed = 2\n[[sweep.ways]]\nname = "a"\nseed = 2\niterations = 2\n',
            r"two different runs are called 'a · seed 2'; give each of the ways its own name",
        ),
    ],
    ids=[
        "nothing",
        "no list",
        "empty",
        "place",
        "place in a way",
        "no tables",
        "twice",
        "unused",
        "typo",
        "unknown",
        "range",
        "names",
    ],
)
def test_what_is_no_sweep_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_said_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="agentr sweep: there is no file"):
        read_sweep(tmp_path / "none.toml")


def test_the_study_of_one_training_can_be_read() -> None:
    """Seven ways with three seeds, over trees that are grown once for each seed and at equal trained tokens."""
    made = read_sweep(REPOSITORY / "benchmarks" / "clean_start.toml")
    assert len(made.combinations) == 21 and made.alike == 0
    assert len({same_trees(each.config) for each in made.combinations}) == 3
    assert {each.config.trainer.options["trained_tokens"] for each in made.combinations} == {60_000}


def test_the_study_of_searchers_can_be_read() -> None:
    """Four searchers with three seeds, each with trees of its own, and trainings of equal length."""
    made = read_sweep(REPOSITORY / "benchmarks" / "search_pays.toml")
    assert len(made.combinations) == 12 and len({same_trees(each.config) for each in made.combinations}) == 12
    assert {each.config.trainer.options["trained_tokens"] for each in made.combinations} == {100_000}
    assert {each.config.searcher.options["max_tokens"] for each in made.combinations} == {48}


def test_the_study_of_the_papers_orderings_can_be_read() -> None:
    """Three of its ways share their first trees; the paper's own revisions have another action, so it grows its own."""
    made = read_sweep(REPOSITORY / "benchmarks" / "orderings.toml")
    assert len(made.combinations) == 12 and len({same_trees(each.config) for each in made.combinations}) == 6
    assert {each.config.iterations for each in made.combinations} == {3}
    assert {each.config.trainer.options["trained_tokens"] for each in made.combinations} == {100_000}
    paper = next(each.config for each in made.combinations if each.label == "paper")
    for section in ("revise", "data"):
        own = getattr(paper, section).model_dump(mode="json")
        assert {key: own[key] for key in PRESETS["paper"][section]} == PRESETS["paper"][section]


def test_the_study_that_is_here_can_be_read() -> None:
    """Seven ways with three seeds, each another run; what they share they share."""
    made = read_sweep(REPOSITORY / "benchmarks" / "five_ways.toml")
    assert len(made.combinations) == 21 and made.alike == 0 and made.db == "five-ways.db"
    assert {each.config.evaluate.repeats for each in made.combinations} == {4}
    trainers = {each.label: [trainer.name for trainer in each.config.all_trainers] for each in made.combinations}
    assert trainers["tree and Agent-R"] == ["tree"] and trainers["DPO"] == ["dpo"]
    equal = {each.config.trainer.options["trained_tokens"] for each in made.combinations if each.label != "DPO"}
    assert equal == {100_000}
    assert len({same_trees(each.config) for each in made.combinations}) == 3, "trees are grown once for each seed"
