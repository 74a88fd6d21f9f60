"""Critics that ask a model: whom they ask, how often, and what they do with what comes back."""

from __future__ import annotations

import asyncio

import pytest
from agentr_critics.config import ActorConfig, JudgeConfig
from agentr_critics.llm_judge import TOO_LONG, ActorCritic, JudgeCritic
from agentr_critics.prompts import judge_prompt
from court import Court

from agentr_core import Completion, ConfigError, PolicyFailure, UsageError, create, validate_config
from agentr_core.testing.fakes import ScriptedPolicy


def test_all_steps_of_a_path_are_asked_about_at_once(court) -> None:
    class Patient(ScriptedPolicy):
        """Answers nobody before all five questions are there."""

        waiting = 0

        async def sample(self, request):
            self.waiting += 1
            for _ in range(100):
                if self.waiting == 5:
                    return [Completion(text="Judgment: good")]
                await asyncio.sleep(0)
            raise AssertionError("the questions come one by one")

    court.policy = Patient()
    [cut] = court.judge("actor", ("astray", "good"))
    assert [verdict.label for verdict in cut.verdicts] == ["good"] * 5


def test_the_acting_model_is_asked_as_a_judge(court) -> None:
    [cut] = court.judge("actor", ("over", "good"), temperature=0.5, max_tokens=99)
    [asked] = court.policy.asked
    assert (asked.purpose, asked.session, asked.n) == ("judge", "tree-1", 1)
    assert (asked.params.temperature, asked.params.max_tokens) == (0.5, 99)
    assert asked.task == court.tree.task
    assert cut.verdicts[0].rationale == "It counts on.\nJudgment: good"


def test_a_bad_leaf_with_many_partners_is_judged_once(court) -> None:
    context = court.context()
    pairs = [("slip", "late"), ("slip", "good"), ("slip", "short"), ("slip", "astray"), ("slip", "over")]
    cuts = court.judge("actor", *pairs, context=context)
    assert [cut.step for cut in cuts] == [4, 3, 3, 3, 3]
    # Four steps, four questions, though the five pairs hold 1 + 2 + 3 + 4 + 2 steps after their divergences.
    assert len(court.policy.asked) == 4
    assert sorted(context.fresh) == [node.index for node in court.leaves["slip"].path()]


def test_another_leaf_asks_only_about_steps_of_its_own(court) -> None:
    context = court.context()
    court.judge("actor", ("slip", "astray"), context=context)
    court.judge("actor", ("over", "astray"), context=context)
    assert len(court.policy.asked) == 4 + 1  # "add 2" and "double" are the same nodes


def test_verdicts_of_an_earlier_run_are_used(court) -> None:
    first = court.context()
    [cut] = court.judge("actor", ("slip", "good"), context=first)
    questions = len(court.policy.asked)
    second = court.context(known=first.fresh)
    assert court.judge("actor", ("slip", "good"), context=second) == [cut]
    assert (len(court.policy.asked), second.fresh) == (questions, {})


def test_the_same_question_has_the_same_seed_in_any_pair(court) -> None:
    court.judge("actor", ("slip", "good"))
    court.judge("actor", ("slip", "late"))
    seeds: dict[str, set[int]] = {}
    for asked in court.policy.asked:
        seeds.setdefault(asked.messages[-1].content, set()).add(asked.seed)
    assert len(seeds) == 2 and all(len(found) == 1 for found in seeds.values())
    assert len({seed for found in seeds.values() for seed in found}) == 2


@pytest.mark.parametrize(("votes", "label"), [(3, "bad"), (4, "uncertain")])
def test_votes_are_counted(court, votes: int, label: str) -> None:
    class Split(ScriptedPolicy):
        async def sample(self, request):
            said = ["Why not.\nJudgment: good", "No.\nJudgment: bad", "Never.\nJudgment: bad", "Yes.\nJudgment: good"]
            return [Completion(text=text) for text in said[: request.n]]

    court.policy = Split()
    [cut] = court.judge("actor", ("over", "good"), votes=votes, temperature=1.0)
    assert [(verdict.label, verdict.rationale) for verdict in cut.verdicts] == [
        (label, "No.\nJudgment: bad" if label == "bad" else "")
    ]


def test_greedy_votes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^actor: votes above 1 need a temperature above 0"):
        create("critic", "actor", votes=3)
    with pytest.raises(ConfigError, match=r"^-o actor: votes above 1"):
        validate_config(ActorConfig, {"votes": 3}, lambda key: f"-o actor.{key}")


@pytest.mark.parametrize("answer", ["", "\x00", "good " * 10_000, "Action: stop", "Judgment: splendid"])
def test_an_answer_that_cannot_be_read_keeps_the_whole_trajectory(court, answer: str) -> None:
    court.policy = ScriptedPolicy(lambda messages, rng: answer)
    [cut] = court.judge("actor", ("short", "good"))
    assert (cut.step, cut.judged) == (4, False)


def test_a_policy_without_answers_is_uncertain(court) -> None:
    class Mute(ScriptedPolicy):
        async def sample(self, request):
            return []

    court.policy = Mute()
    [cut] = court.judge("actor", ("over", "good"))
    assert (cut.judged, cut.verdicts[0].label, cut.verdicts[0].rationale) == (False, "uncertain", "")


def test_a_failing_model_fails_the_judgement(court) -> None:
    class Gone(ScriptedPolicy):
        async def sample(self, request):
            raise PolicyFailure("the engine has stopped")

    court.policy = Gone()
    with pytest.raises(PolicyFailure, match="the engine has stopped"):
        court.judge("actor", ("over", "good"))


class TestShortContext:
    """Where a question is longer than the judge's context, the oldest steps of its history are left out."""

    def ask(self, court, room: int) -> list[str]:
        court.policy._context_length = room
        critic = ActorCritic(ActorConfig(max_tokens=10))
        self.cut = court.judge(critic, ("astray", "good"))[0]
        return [asked.messages[-1].content for asked in court.policy.asked]

    def test_all_of_it_where_it_fits(self, court) -> None:
        assert not any("left out" in question for question in self.ask(court, 100_000))

    def test_the_end_of_the_history_where_not(self, court) -> None:
        whole = judge_prompt(court.trajectory("astray"), 5, "a counting game", left_out=2)
        room = court.policy.count_tokens(whole) + 10
        questions = self.ask(court, room)
        assert "History:\nAction: double\n" in questions[2]
        assert "History:\n(2 earlier steps are left out)\nAction: add 1\n" in questions[4]
        assert all(court.policy.count_tokens(asked.messages) + 10 <= room for asked in court.policy.asked)

    def test_no_history_where_nothing_of_it_fits(self, court) -> None:
        whole = judge_prompt(court.trajectory("astray"), 5, "a counting game", left_out=4)
        questions = self.ask(court, court.policy.count_tokens(whole) + 10)
        assert "History:\n(4 earlier steps are left out)\n\nAction: add 2\n" in questions[-1]

    def test_uncertain_where_the_question_itself_is_too_long(self, court) -> None:
        assert self.ask(court, 20) == []
        assert [(one.label, one.rationale) for one in self.cut.verdicts] == [("uncertain", TOO_LONG)] * 5


class TestJudge:
    def test_another_policy_is_asked(self, court) -> None:
        [cut] = court.judge("judge", ("slip", "good"), policy="expert")
        assert court.policy.asked == []
        assert (cut.step, [verdict.label for verdict in cut.verdicts]) == (3, ["bad", "bad"])

    def test_it_agrees_with_the_oracle_where_the_expert_judges(self, court) -> None:
        pairs = [("over", "good"), ("short", "good"), ("slip", "late"), ("astray", "good")]
        assert [cut.step for cut in court.judge("judge", *pairs, policy="expert")] == [
            cut.step for cut in court.judge("oracle", *pairs)
        ]

    def test_options_and_model_reach_the_policy(self) -> None:
        config = JudgeConfig(policy="transformers", model="smollm2-135m", options={"device": "cpu"})
        assert config.policy_options == {"device": "cpu", "model": "smollm2-135m"}
        with pytest.raises(ConfigError, match="flawed: rate: must be at most 1"):
            asyncio.run(_judge_once(JudgeCritic(JudgeConfig(policy="flawed", options={"rate": 2}))))

    def test_it_is_made_once_and_closed_with_the_critic(self, court, monkeypatch: pytest.MonkeyPatch) -> None:
        class Other(ScriptedPolicy):
            bound = closed = got_ready = 0

            async def ready(self) -> None:
                assert self.bound == 1 and self.requests == 0
                self.got_ready += 1
                await asyncio.sleep(0)  # others come to ask meanwhile

            def bind(self, make_environment) -> None:
                self.bound += 1

            async def close(self) -> None:
                self.closed += 1

        made: list[Other] = []
        monkeypatch.setattr(
            "agentr_critics.llm_judge.create", lambda kind, name, **options: made.append(Other()) or made[-1]
        )
        critic = create("critic", "judge")
        court.judge(critic, ("slip", "good"), ("astray", "good"))
        asyncio.run(critic.close())
        assert [(other.bound, other.got_ready, other.closed, other.requests) for other in made] == [(1, 1, 1, 7)]

    def test_one_that_does_not_get_ready_is_not_asked(self, court, monkeypatch: pytest.MonkeyPatch) -> None:
        class Elsewhere(ScriptedPolicy):
            async def ready(self) -> None:
                raise UsageError("serve the judge with: serve j")

        judge = Elsewhere()
        monkeypatch.setattr("agentr_critics.llm_judge.create", lambda kind, name, **options: judge)
        with pytest.raises(UsageError, match="serve the judge with: serve j"):
            court.judge("judge", ("slip", "good"))
        assert judge.requests == 0

    def test_nothing_is_made_before_it_is_needed(self) -> None:
        critic = create("critic", "judge", policy="no-such-policy")
        asyncio.run(critic.close())


async def _judge_once(critic: JudgeCritic) -> None:
    court = Court()
    await critic.judge(court.trajectory("over"), court.trajectory("good"), court.context())
