"""The value model: what is trained, what is measured on other tasks, and the critic that asks it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_trees import TrainOn, configure

from agentr_core import (
    ChatPrompts,
    Checkpoint,
    Interrupted,
    Message,
    NothingToDo,
    ResumeError,
    UsageError,
    ValueSet,
    open_store,
)
from agentr_core.account import describe
from agentr_core.interfaces.training_sets import Rows
from agentr_core.process.progress import Progress
from agentr_core.runs.single_stages import revise_again
from agentr_core.runs.start_and_resume import run
from agentr_core.testing import toy_set
from agentr_core.train.tree_rows import action_rows

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from agentr_training.identity import differences, identity  # noqa: E402
from agentr_training.model import load  # noqa: E402
from agentr_training.value_model import ValueModel  # noqa: E402
from agentr_training.value_question import QUESTION, asked, probability  # noqa: E402
from agentr_value.config import ValueSettings  # noqa: E402
from agentr_value.measures import auc, calibration_error, correlation, measures  # noqa: E402
from agentr_value.states import State, held_out_tasks, render_states  # noqa: E402
from agentr_value.trainer import ValueTrainer  # noqa: E402

pytestmark = pytest.mark.model

QUICK: dict[str, Any] = {"batch_size": 8, "learning_rate": 1e-2, "epochs": 4, "save_steps": 2, "precision": "fp32"}
VALUE, PROGRESS = "agentr_value.trainer:ValueTrainer", "agentr_value.progress:ProgressCritic"


@pytest.fixture
def start(model_folder: Path) -> Checkpoint:
    return Checkpoint(model=str(model_folder), base_model="base")


def train(dataset: Any, start: Checkpoint, out: Path, *, resume: bool = False, **more: Any) -> Checkpoint:
    report = more.pop("report", None)
    settings = ValueSettings(**{**QUICK, **more})
    return ValueTrainer(settings).train(dataset, start, out, resume=resume, seed=5, report=report)


def first_batch(dataset: Any, model_folder: Path, folder: Path, **settings: Any) -> tuple[Any, Any]:
    made = ValueTrainer(ValueSettings(**{**QUICK, **settings}))
    model, tokenizer = load(str(model_folder), torch.float32)
    rows, _ = made.render(dataset, tokenizer, 1024, {})
    trainer = made.trainer(model, tokenizer, rows, made.arguments(folder, 1, 5), 1)
    return trainer, next(iter(trainer.get_train_dataloader()))


def test_the_loss_is_the_cross_entropy_of_yes_and_no_at_the_question(model_folder: Path, tmp_path: Path) -> None:
    """By the plain model on each row alone; rows of a batch have unlike lengths."""
    given = list(toy_set("values", 6).rows)
    longer = tuple(Message(turn.role, turn.content * 3) for turn in given[0].messages)
    rows = [replace(given[0], messages=longer, value=0.7, visits=20), *given[1:]]
    dataset = ValueSet("test", Rows(lambda: rows, len(rows)), "hash")
    trainer, batch = first_batch(dataset, model_folder, tmp_path, held_out=0.0)
    loss = trainer.compute_loss(trainer.model, dict(batch)).item()
    model, tokenizer = load(str(model_folder), torch.float32)
    prompts, by_hand, whole = ChatPrompts(tokenizer, {}, "test"), 0.0, 0.0
    yes, no = prompts.encode("yes")[0], prompts.encode("no")[0]
    for row in rows:
        ids = torch.tensor([prompts.ids(asked(row.messages))])
        said = model(input_ids=ids).logits[0, -1].log_softmax(-1)
        weight = min(row.visits, 8)
        by_hand -= weight * float(row.value * said[yes] + (1 - row.value) * said[no])
        whole += weight
    assert loss == pytest.approx(by_hand / whole, abs=1e-4)


def test_no_turn_of_the_conversation_carries_gradient(model_folder: Path, tmp_path: Path) -> None:
    """The loss is about what follows the question; the tokens before it are read and not learnt."""
    trainer, batch = first_batch(toy_set("values", 4), model_folder, tmp_path, held_out=0.0)
    states: list[Any] = []

    def keep(module: Any, given: Any, output: Any) -> None:
        output.last_hidden_state.retain_grad()
        states.append(output.last_hidden_state)

    handle = trainer.model.model.register_forward_hook(keep)
    trainer.compute_loss(trainer.model, dict(batch)).backward()
    handle.remove()
    (state,) = states
    felt = state.grad.abs().sum(-1) > 0
    assert felt[:, -1].all() and not felt[:, :-1].any()


def test_it_learns_what_states_are_worth_on_tasks_that_it_has_not_seen(start: Checkpoint, tmp_path: Path) -> None:
    made = train(toy_set("values", 64), start, tmp_path, epochs=8)
    assert made.metrics["loss_last"] < made.metrics["loss_first"]
    assert made.metrics["held_out"] > 0 and made.metrics["examples"] + made.metrics["held_out"] == 64
    _, tokenizer = load(made.model, torch.float32)
    assert tokenizer.chat_template


def test_tasks_are_split_and_stay_where_they_are() -> None:
    tasks = [f"task-{number}" for number in range(200)]
    apart = held_out_tasks(tasks, 0.2)
    assert 20 < len(apart) < 60 and held_out_tasks(tasks[:50], 0.2) == apart & set(tasks[:50])
    assert held_out_tasks(tasks, 0.0) == set()


def test_no_state_of_a_task_that_is_measured_on_is_trained_on(model_folder: Path) -> None:
    _, tokenizer = load(str(model_folder), torch.float32)
    prompts = ChatPrompts(tokenizer, {}, "test")
    settings = ValueSettings(held_out=0.5)
    states, _ = render_states(toy_set("values", 64), prompts, settings, max_length=1024)  # type: ignore[arg-type]
    trained, measured = ({state.place[0] for state in part} for part in (states.trained, states.held_out))
    assert trained and measured and not trained & measured  # in the toy set a tree is a task
    few, counts = render_states(
        toy_set("values", 64), prompts, ValueSettings(max_rows_per_tree=3), max_length=1024  # type: ignore[arg-type]
    )  # fmt: skip
    assert len(few.trained) + len(few.held_out) == 24 and counts["over_cap"] == 40


def state(node: int, value: float, before: int | None = None, *, ended: bool = False, mixed: bool = True) -> State:
    from array import array

    came = None if before is None else (1, before)
    return State(array("i"), value, 1.0, (1, node), came, ended, mixed)


def test_measures_by_hand() -> None:
    assert auc([(1.0, 0.9), (0.0, 0.2), (0.5, 0.2)]) == pytest.approx((1 + 1 + 0.5) / 3)
    assert auc([(1.0, 0.9), (1.0, 0.1)]) is None
    assert calibration_error([(1.0, 0.85), (0.0, 0.88), (0.0, 0.1)]) == pytest.approx((abs(1.0 - 1.73) + 0.1) / 3)
    assert correlation([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == pytest.approx(1.0)
    assert correlation([(0.0, 1.0), (1.0, 1.0)]) is None
    states = [
        state(0, 0.5),
        state(1, 1.0, 0),
        state(2, 0.0, 0),
        state(3, 0.0, 2, ended=True),
        state(4, 1.0, mixed=False),
    ]
    found = measures(states, [0.5, 0.8, 0.3, 0.1, 0.9])
    assert found["held_out_states"] == 3 and found["auc"] == 1.0
    assert found["brier"] == pytest.approx((0.04 + 0.09) / 3)
    assert found["progress"] > 0.5 and found["delta"] == pytest.approx(0.2)  # 3 came of 2, both worth nothing
    assert measures([], []) == {"held_out_states": 0.0}


@pytest.mark.parametrize("lora", [False, True])
def test_a_stopped_training_goes_on_to_the_same_weights(lora: bool, start: Checkpoint, tmp_path: Path) -> None:
    dataset = toy_set("values", 16)
    whole = train(dataset, start, tmp_path / "whole", lora=lora)

    def stop(step: int, _: object) -> None:
        if step == 3:
            raise Interrupted("here")

    with pytest.raises(Interrupted):
        train(dataset, start, tmp_path / "cut", report=stop, lora=lora)
    resumed = train(dataset, start, tmp_path / "cut", resume=True, lora=lora)
    assert (resumed.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()
    assert resumed.metrics == whole.metrics
    with pytest.raises(ResumeError, match=r"held_out: 0\.2 -> 0\.5"):
        train(dataset, start, tmp_path / "whole", resume=True, held_out=0.5, lora=lora)


def test_every_setting_tells_trainings_apart(start: Checkpoint) -> None:
    def known(settings: ValueSettings) -> dict[str, Any]:
        return identity(settings, start, "hash", 1, "fp32")

    changed = {"learning_rate": 1e-6, "held_out": 0.0, "most_visits": 1, "max_rows_per_tree": 3, "before_step": True}
    assert set(ValueSettings.__annotations__) == set(changed)
    for name, value in changed.items():
        (found,) = differences(known(ValueSettings()), known(ValueSettings(**{name: value})))
        assert found.startswith(f"{name}: ")


def test_nothing_to_train_on_is_said(start: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match=r"none of the 8 states is left .* raise value\.max_length"):
        train(toy_set("values", 8), start, tmp_path, max_length=16)


def test_the_critic_asks_the_model_that_was_trained(train_on: TrainOn, tmp_path: Path) -> None:
    made, metrics = train_on(VALUE, {**QUICK, "epochs": 1, "held_out": 0.4, "max_rows_per_tree": 12})
    assert metrics["examples"] > 0
    options = {"model": made.model, "options": {"device": "cpu", "dtype": "float32"}, "delta": 0.0}
    config = configure(critic=PROGRESS, **{PROGRESS: options})
    revise_again("last", config, db=tmp_path / "agentr.db", iteration=None, progress=Progress(quiet=True))
    with open_store(tmp_path / "agentr.db") as store:
        said = [
            verdict
            for tree in store.trees.select()
            for (critic, _), own in store.trees.verdicts(tree.id).items()
            if critic == PROGRESS
            for verdict in own.values()
        ]
        (row,) = [row for row in store.revisions.select() if row.critic == PROGRESS]
    assert row.metrics["judge_tokens"] > 1000, "what the value model read is what the critic costs"
    assert said and {verdict.label for verdict in said} <= {"good", "bad"}
    for verdict in said:
        before, after = (float(part.split()[-2]) for part in verdict.rationale.split(","))
        assert verdict.label == ("bad" if after < before else "good") or before == after
    with pytest.raises(UsageError, match=r"progress\.model: name a checkpoint"):
        bare = configure(critic=PROGRESS)
        revise_again("last", bare, db=tmp_path / "agentr.db", iteration=None, progress=Progress(quiet=True))


def test_a_path_on_a_server_is_a_name_and_no_folder_here() -> None:
    ValueModel("openai", {"model": "/models/value"}, setting="progress.model").check()
    with pytest.raises(UsageError, match=r"progress\.model: there is no model folder '/models/value'"):
        ValueModel("transformers", {"model": "/models/value"}, setting="progress.model").check()


def test_before_a_step_it_is_asked_in_the_place_of_what_will_be_seen(model_folder: Path) -> None:
    _, tokenizer = load(str(model_folder), torch.float32)
    prompts = ChatPrompts(tokenizer, {}, "test")
    dataset: Any = toy_set("values", 16)
    plain, _ = render_states(dataset, prompts, ValueSettings(held_out=0.4), max_length=1024)
    both, _ = render_states(dataset, prompts, ValueSettings(held_out=0.4, before_step=True), max_length=1024)
    assert [state.ids for state in both.held_out] == [state.ids for state in plain.held_out], "measured as before"
    steps = [row for row in dataset.rows if row.before is not None]
    wanted = {tuple(prompts.ids((*row.messages[:-1], Message("user", QUESTION)))): row.value for row in steps}
    more = [state for state in both.trained if state.ids not in [each.ids for each in plain.trained]]
    assert more and all(wanted[tuple(state.ids)] == state.value for state in more)


def test_a_search_is_guided_by_the_model_that_was_trained(train_on: TrainOn, tmp_path: Path) -> None:
    """Every child that is open keeps what the model says of it; of eight candidates the best are done."""
    made, _ = train_on(VALUE, {**QUICK, "epochs": 1, "held_out": 0.4, "max_rows_per_tree": 12, "before_step": True})
    options = {"device": "cpu", "dtype": "float32"}
    guided = {"selection": "puct", "value_model": made.model, "value_options": options, "consider": 8, "samples": 2}
    config = configure(mcts={"simulations": 2, "depth": 4, "max_tokens": 48, **guided}, search={"tasks": 1})
    db = tmp_path / "agentr.db"
    run(config, db=db, stages=("search",), name="guided", progress=Progress(quiet=True))
    with open_store(db) as store:
        (row,) = store.trees.select(store.runs.find("guided").id)
        tree = store.trees.load(row.id)
    said = [(node.parent, node.completion) for node in tree.nodes[1:]]
    prompts = {parent.index: drawn.prompt_tokens for parent, drawn in said if parent and drawn}
    assert row.stats["prompt_tokens"] > 8 * sum(prompts.values()), "what the value model read of eight counts as well"
    assert tree.simulations == 2 and all(len(node.children) <= 2 for node in tree.nodes)
    kept = {node: node.info["search"] for node in tree.nodes[1:]}
    assert {each["chosen_of"] for each in kept.values()} == {8}
    model = ValueModel("transformers", {**options, "model": made.model}, setting="test")
    opened = [node for node in kept if not node.terminal]
    values = asyncio.run(_asked(model, [tree.messages(node) for node in opened]))
    assert opened and [kept[node]["value"] for node in opened] == pytest.approx(values, abs=1e-5)
    assert all(not row.drawn.token_ids for row in action_rows(tree, 1)), "chosen turns are no draws of the policy"


def test_states_that_the_value_model_cannot_read_are_counted(model_folder: Path, tmp_path: Path) -> None:
    options = {"device": "cpu", "dtype": "float32", "context_length": 16}
    guided = {"selection": "puct", "value_model": str(model_folder), "value_options": options, "samples": 2}
    config = configure(mcts={"simulations": 2, "depth": 3, "max_tokens": 24, **guided}, search={"tasks": 1})
    db = tmp_path / "agentr.db"
    run(config, db=db, stages=("search",), name="blind", progress=Progress(quiet=True))
    with open_store(db) as store:
        found = store.runs.find("blind")
        tree = store.trees.load(store.trees.select(found.id)[0].id)
        account = store.trees.count_turns(found.id, 1)
    open_ends = [node for node in tree.nodes[1:] if not node.terminal]
    assert open_ends and account["unvalued"] == len(open_ends)
    assert f"{len(open_ends)} of {account['turns']} states too long for the value model" in describe(account)


async def _asked(model: ValueModel, states: list[Any]) -> list[float | None]:
    try:
        return [await model.value(messages, lambda tokens: None) for messages in states]
    finally:
        await model.close()


def test_the_question_stands_behind_what_was_seen() -> None:
    said = asked((Message("system", "Rules."), Message("user", "You see.")))
    assert said[-1] == Message("user", f"You see.\n\n{QUESTION}") and len(said) == 2
    assert probability(-1.0, -1.0) == 0.5 and probability(-5.0, -900.0) == 1.0 and probability(-900.0, 0.0) < 1e-9
