"""The revise stage over stored trees: sets side by side, splices that were really executed, what is kept."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentr_core import Message, create, is_revision
from agentr_core.cli.main import main
from agentr_core.errors import ConfigError, ExitCode
from agentr_core.revise.splice import REVISION_THOUGHTS
from agentr_core.runs.start_and_resume import failures
from agentr_core.store import Sample

JUDGE = """
from agentr_core import Completion, PluginConfig, Policy

class Sceptic(Policy[PluginConfig]):
    config_class = PluginConfig
    async def sample(self, request):
        return [Completion(text="Never.\\nJudgment: bad")] * request.n
"""


def replay(task: Any, messages: Sequence[Message], action: str, **world: Any) -> tuple[list[str], float, list[bool]]:
    """What a fresh environment shows for the agent's turns of a conversation, the reward, and which were refused."""
    environment = create("env", "textcraft", **world)
    seen, reward, refused = [environment.reset(task)], 0.0, list[bool]()
    for turn in messages[2::2]:
        parsed = environment.parse(turn.content)
        refused.append(parsed.action is None)
        if parsed.action is None:
            seen.append(parsed.error or "")
        elif is_revision(parsed.action, action):
            seen.append("ok.")
        else:
            result = environment.step(parsed.action)
            seen.append(result.observation)
            reward, refused[-1] = result.reward, bool(result.info.get("invalid"))
    return seen, reward, refused


def spliced(store: Any, row: Any) -> list[tuple[Sample, Any, tuple[Message, ...]]]:
    """Revision samples with their task and messages."""
    tasks = {tree.id: store.tasks.get(tree.task_id).task() for tree in store.trees.select(row.run_id)}
    samples = [sample for sample in store.revisions.samples(row.id) if sample.kind != "good"]
    return [(each, tasks[each.tree_id], tuple(store.conversations.get(each.conversation))) for each in samples]


def test_each_critic_makes_its_own_set_over_the_same_trees(
    project, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sceptical.py").write_text(JUDGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    with project.store() as store:
        before = [store.trees.select(store.runs.find("last").id), project.sets(store)]
    for critic in ("actor", "judge", "value", "last", "oracle", "random"):
        project.revise(settings(critic=critic, judge={"policy": "sceptical:Sceptic"}))
    with project.store() as store:
        assert [store.trees.select(store.runs.find("last").id), []] == before
        sets = project.sets(store)
        cuts = {}
        for row in sets:
            samples = [sample for sample in store.revisions.samples(row.id) if sample.kind != "good"]
            cuts[row.critic] = {(each.tree_id, each.bad_leaf, each.good_leaf): each.cut for each in samples}
            lengths = {each.kind for each in samples}
            assert lengths == {"direct"} if row.critic == "last" else "revision" in lengths
            for each in samples:
                assert each.divergence < each.cut
                assert each.good_reward >= 0.5 and each.good_reward - each.bad_reward > 0.2
                assert each.origin["critic"] == row.critic and each.origin["seed"] == 5
        assert len(cuts) == 6 and len({frozenset(found) for found in cuts.values()}) == 1 and cuts["last"]
        first = {(each.tree_id, each.bad_leaf, each.good_leaf): each.divergence + 1 for each in samples}
        assert cuts["judge"] == first  # calls everything bad: always the first step after the divergence
        assert len({tuple(sorted(found.items())) for found in cuts.values()}) == 6


@pytest.mark.parametrize("train_refused", [False, True])
def test_a_verified_splice_was_really_executed(project, settings, train_refused: bool) -> None:
    metrics = project.revise(settings(critic="oracle", revise={"train_refused": train_refused}))
    with project.store() as store:
        (row,) = project.sets(store)
        verified = 0
        for sample, task, messages in spliced(store, row):
            seen, reward, refused = replay(task, messages, "revise", **settings().env[0].options)
            assert [turn.content for turn in messages[1::2]] == seen
            assert sample.reward == reward
            assert sample.kept == sample.verified == (reward >= sample.good_reward)
            verified += bool(sample.verified)
            trained = [turn.train for turn in messages[2::2]]
            assert trained == [index >= sample.cut and (train_refused or not bad) for index, bad in enumerate(refused)]
        assert verified == metrics["verified"] == metrics["revisions"] > 0


def test_splices_whose_reward_falls_are_repaired_or_dropped(project, settings) -> None:
    """The episode is cut off after 14 steps: a long bad start leaves the good tail no room, a better one may fit."""
    yields = {}
    for repairs in (0, 4):
        project.revise(settings(critic="last", revise={"repairs": repairs}))
        with project.store() as store:
            row = project.sets(store)[-1]
            found = spliced(store, row)
            yields[repairs] = {
                (sample.tree_id, sample.bad_leaf, sample.good_leaf): sample.verified for sample, *_ in found
            }
            for sample, task, messages in found:
                seen, reward, _ = replay(task, messages, "revise", **settings().env[0].options)
                assert [turn.content for turn in messages[1::2]] == seen and sample.reward == reward
                assert sample.kept == (reward >= sample.good_reward)
    dropped = [key for key, verified in yields[0].items() if not verified]
    assert dropped
    assert all(yields[4][key] for key, verified in yields[0].items() if verified)
    with project.store() as store:
        kept = [sample.kept for sample in store.revisions.samples(project.sets(store)[0].id, kept=True)]
    assert set(kept) == {True}


WARM = """
from agentr_scripted.flawed import FlawedPolicy

TEMPERATURES = []

class Warm(FlawedPolicy):
    async def sample(self, request):
        TEMPERATURES.append((request.purpose, request.params.temperature, request.params.max_tokens))
        return await super().sample(request)
"""


def test_repairs_are_sampled_as_the_settings_say(
    project, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "warm.py").write_text(WARM)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "warm", raising=False)
    policy = {"name": "warm:Warm", "rate": 0.5}
    asked: dict[str, Any] = {"critic": "last", "policy": policy, "flawed": {}, "evaluate": {"max_tokens": 33}}
    for temperature in (1.0, 0.25, 1.0):
        project.revise(settings(**asked, revise={"repair_temperature": temperature}))
    known = importlib.import_module("warm").TEMPERATURES
    assert set(known) == {("act", 1.0, 33), ("act", 0.25, 33)}
    with project.store() as store:
        first, second = project.sets(store)
    assert "repair_temperature" not in first.config["revise"], "sets of before it could be set still count"
    assert second.config["revise"]["repair_temperature"] == 0.25
    with pytest.raises(ConfigError, match="would be one and the same attempt"):
        settings(revise={"repairs": 2, "repair_temperature": 0})


def test_recorded_splices_keep_what_the_trees_recorded(project, settings) -> None:
    project.revise(settings(critic="last", revise={"splice": "recorded"}))
    with project.store() as store:
        (row,) = project.sets(store)
        found = spliced(store, row)
        assert found
        for sample, _, messages in found:
            tree = store.trees.load(sample.tree_id)
            bad, good = (tree.trajectory(tree.nodes[leaf]) for leaf in (sample.bad_leaf, sample.good_leaf))
            signal = messages[2 + 2 * sample.cut]
            assert signal.content.endswith("\nAction: revise")
            assert signal.content.split("\n")[0].removeprefix("Thought: ") in REVISION_THOUGHTS
            expected = [*bad.steps[: sample.cut], None, *good.steps[sample.divergence :]]
            for index, step in enumerate(expected):
                if step is not None:
                    assert [turn.content for turn in messages[2 + 2 * index : 4 + 2 * index]] == [
                        step.response,
                        step.observation,
                    ]
            assert (sample.verified, sample.kept, sample.reward) == (None, True, good.reward)


def test_good_trajectories_are_those_of_the_leaves_at_least_alpha(project, settings) -> None:
    project.revise(settings(revise={"train_refused": True}))
    with project.store() as store:
        (row,) = project.sets(store)
        goods = [sample for sample in store.revisions.samples(row.id) if sample.kind == "good"]
        expected = []
        for tree_row in store.trees.select(row.run_id):
            tree = store.trees.load(tree_row.id)
            expected += [(tree_row.id, leaf.index) for leaf in tree.leaves() if leaf.reward >= 0.5]
        assert sorted((sample.tree_id, sample.good_leaf) for sample in goods) == sorted(expected) != []
        for sample in goods:
            turns = store.conversations.get(sample.conversation)
            assert {turn.train for turn in turns[2::2]} == {True} and not any(turn.train for turn in turns[1::2])


def test_preference_pairs_share_what_comes_before_their_node(project, settings) -> None:
    project.revise(settings())
    with project.store() as store:
        (row,) = project.sets(store)
        found = store.revisions.preferences(row.id)
        assert found
        for each in found:
            tree = store.trees.load(each.tree_id)
            chosen, rejected = (list(store.conversations.get(key)) for key in (each.chosen, each.rejected))
            shared = 2 + 2 * tree.nodes[each.node].depth
            assert [turn.as_dict() for turn in chosen] == [
                turn.as_dict() for turn in tree.trajectory(tree.nodes[each.chosen_leaf]).messages()
            ]
            assert chosen[:shared] == rejected[:shared] and chosen[shared] != rejected[shared]
            assert each.chosen_reward == tree.nodes[each.chosen_leaf].reward > each.rejected_reward


def test_verdicts_are_stored_once_a_node_and_used_by_the_next_set(project, settings) -> None:
    first = project.revise(settings())
    again = project.revise(settings(revise={"max_pairs_per_leaf": 2}))
    assert first["verdicts"] > 0 and again["verdicts"] < first["verdicts"]
    assert project.revise(settings()) == first  # the same set is not made twice
    with project.store() as store:
        assert len(project.sets(store)) == 2


def test_a_second_run_in_the_same_database_gives_the_same_set(project, settings) -> None:
    """Seeds go by what a thing is called, not by the number of its row."""
    project.run(settings(), "search", name="again")
    found = []
    for reference in ("again", None):
        with project.store() as store:
            keys = [row.key for row in store.runs.select()]
            run = store.runs.find(reference or next(k for k in keys if k != store.runs.find("again").key))
        project.revise(settings(critic="random"), run.key)
        with project.store() as store:
            (row,) = project.sets(store, run.key)
            trees = {tree.id: tree.task for tree in store.trees.select(run.id)}
            found.append(
                [
                    (trees[each.tree_id], each.bad_leaf, each.good_leaf, each.cut, each.conversation)
                    for each in store.revisions.samples(row.id)
                ]
            )
    assert Counter(found[0]) == Counter(found[1]) and found[0]


def test_the_revision_action_of_a_preset_never_reaches_the_environment(empty, settings) -> None:
    (empty.path.parent / "waiting.py").write_text(
        "from agentr_core import Completion, PluginConfig, Policy\n"
        "class Waiting(Policy[PluginConfig]):\n"
        "    config_class = PluginConfig\n"
        "    async def sample(self, request):\n"
        "        return [Completion(text='Thought: Hm.\\nAction: wait')] * request.n\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(empty.path.parent))
        config = settings(revise={"revision_action": "wait"}, policy="waiting:Waiting", search={"tasks": 2})
        empty.run(config, "search")
    with empty.store() as store:
        for row in store.trees.select(store.runs.find("last").id):
            tree = store.trees.load(row.id)
            assert {node.observation for node in tree.nodes[1:]} == {"ok."}


FUSSY = """
from agentr_core import Critic, Cut, PluginConfig

class Fussy(Critic[PluginConfig]):
    config_class = PluginConfig
    async def judge(self, bad, good, context):
        if bad.task.key[-1] in "13579":
            raise OSError("not this one")
        return Cut(step=len(bad.steps))
"""


def test_a_tree_that_cannot_be_revised_is_counted_and_the_others_go_on(
    project, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fussy.py").write_text(FUSSY)
    monkeypatch.syspath_prepend(str(tmp_path))
    metrics = project.revise(settings(critic="fussy:Fussy"))
    with project.store() as store:
        run = store.runs.find("last")
        (row,) = store.revisions.select(run.id)
        done = store.revisions.trees(row.id)
        trees = {tree.id: tree.task for tree in store.trees.select(run.id, status="done")}
        assert row.status == "done" and 0 < metrics["failed"] == len(trees) - len(done) < len(trees)
        assert all(trees[tree][-1] in "13579" for tree in trees.keys() - done.keys())
        assert failures(store, run.id) == metrics["failed"]
    code = main(["revise", "--critic", "fussy:Fussy", "--db", str(project.path), "-o", "revise.beta=0.1"])
    assert code == ExitCode.PARTIAL
