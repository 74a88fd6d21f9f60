"""What the pages say is what the store holds and what the core's own tables and plugins say."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agentr_mcts.search import uct
from agentr_view.app import PAGES
from agentr_view.pages.revisions import why
from viewing import Viewed, Visitor, entered

import agentr_core
from agentr_core import Example, Message, Store, open_store
from agentr_core.evaluate.metrics import loop_count
from agentr_core.interfaces.turn_parsing import parse_response
from agentr_core.runs import report


def first_revision(store: Store) -> Any:
    (made,) = store.revisions.select(store.runs.find("first").id)
    return made, next(sample for sample in store.revisions.samples(made.id) if sample.kind == "revision")


def places(store: Store) -> dict[str, str]:
    """An address of every page: what stands for each part of a path."""
    run = store.runs.find("second")
    made = store.revisions.select(run.id)[0]
    sample = next(s for s in store.revisions.samples(made.id) if s.kind == "revision")
    evaluation = store.evaluations.select(run.id)[0]
    result = store.evaluations.results(evaluation.id)[0]
    dataset = store.datasets.select()[-1]
    parts = {
        "key": run.key, "tree": sample.tree_id, "node": sample.bad_leaf, "set": made.id, "kind": sample.kind,
        "bad": sample.bad_leaf, "good": sample.good_leaf, "dataset": dataset.id, "eval": evaluation.id,
        "task": result.task_id, "repeat": 0,
    }  # fmt: skip
    needed = {"/api/compare": "?runs=first,second", "/api/trees/{tree}/marks": f"?set={made.id}"}
    return {page: page.format(**parts) + needed.get(page, "") for page in PAGES}


def test_every_page_answers_with_an_object(visitor: Visitor, store: Store) -> None:
    for page, place in places(store).items():
        answer = visitor.ask(place)
        assert answer.status == 200, (page, answer.body)
        assert isinstance(answer.json, dict) and answer.body.startswith(b"{")
        assert answer.headers["content-type"] == "application/json"


def test_runs_are_listed_with_what_they_came_to(visitor: Visitor, store: Store) -> None:
    second, first = visitor.get("runs")["items"]
    assert [first["name"], second["name"]] == ["first", "second"]
    run = store.runs.find("first")
    stages = [row for row in store.runs.stages(run.id) if row.stage == "evaluate"]
    assert first["baseline"] == stages[0].metrics["success"] and first["success"] == stages[-1].metrics["success"]
    assert (first["envs"], first["critic"], first["searcher"], first["model"]) == (
        ["textcraft"],
        "oracle",
        "mcts",
        "flawed",
    )
    trees = store.trees.select(run.id)
    assert (first["trees"], first["nodes"]) == (len(trees), sum(row.n_nodes for row in trees))
    assert [run["name"] for run in visitor.get("runs", q="FIRST")["items"]] == ["first"]
    assert visitor.get("runs", status="killed")["items"] == []


def test_the_tables_of_a_run_are_those_of_the_command_line(visitor: Visitor, store: Store) -> None:
    run = store.runs.find("first")
    page = visitor.get(f"runs/{run.key}")
    tables = {table["id"]: table for table in page["tables"]}
    assert tables["iterations"]["rows"] == report.iterations(store, run).rows
    critics = visitor.get("critics", run="first")
    assert critics["tables"][0]["rows"] == report.critics(store, [run]).rows
    assert critics["agreement"]["matrix"] == [[1.0]] and critics["agreement"]["critics"] == ["oracle"]
    success = next(plot for plot in page["plots"] if plot["id"] == "success")
    rows = [row for row in report.iteration_rows(store, run) if row["own"]]
    assert success["series"][0]["y"] == [row["success"] for row in rows]
    assert success["series"][0]["low"] == [row["success_low"] for row in rows]
    assert {row["key"]: row["value"] for row in page["settings"]}[
        "mcts.simulations".replace("mcts", "searcher.options")
    ] == 4


def test_the_funnel_narrows_and_ends_at_what_is_kept(visitor: Visitor, store: Store) -> None:
    (series,) = next(p for p in visitor.get("runs/first")["plots"] if p["id"] == "yield")["series"]
    trees, mixed, pairs, verified, kept, trained = series["y"]
    made, _ = first_revision(store)
    samples = [s for s in store.revisions.samples(made.id) if s.kind != "good"]
    assert trees == 8 and 0 < mixed <= trees and pairs == made.metrics["pairs"] and trained is None
    assert kept == sum(s.kept for s in samples) and verified == sum(s.verified is True for s in samples)


def test_a_skeleton_has_the_numbers_of_the_tree(visitor: Visitor, store: Store) -> None:
    for row in store.trees.select(store.runs.find("first").id):
        tree, page = store.trees.load(row.id), visitor.get(f"trees/{row.id}")
        columns = page["columns"]
        assert columns["node"] == [node.index for node in tree.nodes] and page["whole"]
        assert columns["parent"] == [node.parent.index if node.parent else None for node in tree.nodes]
        assert columns["visits"] == [node.visits for node in tree.nodes]
        assert columns["value"] == [node.value if node.visits else None for node in tree.nodes]
        assert columns["action"] == [node.action for node in tree.nodes]
        lines = [next(line for line in node.observation.splitlines() if line.strip()) for node in tree.nodes]
        assert columns["line"] == [line if len(line) <= 120 else f"{line[:119]}…" for line in lines]
        assert [bool(flags & 8) for flags in columns["flags"]] == [node.terminal for node in tree.nodes]


def test_a_tree_is_called_by_how_its_attempts_ended(visitor: Visitor, store: Store) -> None:
    items = {item["id"]: item for item in visitor.get("trees", run="first")["items"]}
    for row in store.trees.select(store.runs.find("first").id):
        leaves = store.trees.load(row.id).leaves()
        solved = sum(leaf.reward >= 1.0 for leaf in leaves)
        assert (items[row.id]["attempts"], items[row.id]["solved"]) == (len(leaves), solved)
    for outcome in ("mixed", "solved", "failed", "none"):
        found = [item["id"] for item in visitor.get("trees", run="first", outcome=outcome)["items"]]
        assert found == [item["id"] for item in items.values() if item["outcome"] == outcome]


def test_a_node_has_all_of_its_own(visitor: Visitor, store: Store) -> None:
    _, sample = first_revision(store)
    tree = store.trees.load(sample.tree_id)
    verdicts = next(iter(store.trees.verdicts(sample.tree_id).values()))
    for node in tree.nodes:
        page = visitor.get(f"trees/{sample.tree_id}/nodes/{node.index}")
        assert (page["response"], page["observation"], page["action"]) == (node.response, node.observation, node.action)
        assert page["thought"] == parse_response(node.response).thought
        assert [child["node"] for child in page["children"]] == [child.index for child in node.children]
        given = [verdicts[node.index].label] if node.index in verdicts else []
        assert [verdict["label"] for verdict in page["verdicts"]] == given
        cut_here = [s for s in page["samples"] if s["cut_here"]]
        for cut in cut_here:
            assert tree.nodes[cut["bad"]].path()[cut["cut"] - 1] is node


def test_uct_is_that_of_the_searcher(visitor: Visitor, store: Store) -> None:
    reckoned = 0
    run = store.runs.find("first")
    constant = run.config["searcher"]["options"]["c_uct"]
    for row in store.trees.select(run.id):
        for node in store.trees.load(row.id).nodes:
            page = visitor.get(f"trees/{row.id}/nodes/{node.index}") if node.children else {"children": []}
            for child, shown in zip(node.children, page["children"], strict=True):
                expected = uct(child.value_sum, child.visits, node.visits, constant)
                done = child.terminal or child.exhausted or math.isinf(expected)
                assert shown["uct"] == (None if done else pytest.approx(expected))
                reckoned += not done
    assert reckoned


def test_no_uct_is_shown_where_the_searcher_has_another_rule(viewed_db: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(viewed_db)) as source, closing(sqlite3.connect(tmp_path / "puct.db")) as copy:
        source.backup(copy)
        copy.execute("UPDATE runs SET config_json = json_set(config_json, '$.searcher.options.selection', 'puct')")
        copy.commit()
    with Viewed(tmp_path / "puct.db") as viewed:
        children = entered(viewed).get("trees/1/nodes/0")["children"]
    assert children and all(child["uct"] is None for child in children)


def test_marks_are_the_verdicts_and_cuts_of_the_set(visitor: Visitor, store: Store) -> None:
    made, sample = first_revision(store)
    tree = store.trees.load(sample.tree_id)
    page = visitor.get(f"trees/{sample.tree_id}/marks", set=made.id)
    samples = [s for s in store.revisions.samples(made.id, tree_id=sample.tree_id) if s.kind != "good"]
    cuts = Counter(tree.nodes[s.bad_leaf].path()[s.cut - 1].index for s in samples)
    assert {cut["node"]: cut["count"] for cut in page["cuts"]} == cuts
    given = next(iter(store.trees.verdicts(sample.tree_id).values()))
    assert {one["node"]: one["label"] for one in page["verdicts"]} == {n: v.label for n, v in given.items()}


def test_the_bands_of_a_revision_are_its_parts(visitor: Visitor, store: Store) -> None:
    made, s = first_revision(store)
    page = visitor.get(f"revisions/{made.id}/{s.tree_id}/{s.kind}/{s.bad_leaf}/{s.good_leaf}")
    messages = store.conversations.get(s.conversation)
    assert [(turn["role"], turn["text"], turn["train"]) for turn in page["turns"]] == [
        (message.role, message.content, message.train) for message in messages
    ]
    steps = [turn["band"] for turn in page["turns"][2::2]]
    tail = len(steps) - s.cut - 1
    assert steps == ["shared"] * s.divergence + ["bad"] * (s.cut - s.divergence) + ["signal"] + ["good"] * tail
    assert [turn["band"] for turn in page["turns"][:2]] == ["head", "head"]
    assert f"cut after step {s.cut}" in page["why"] and page["why"] == why(s)


def test_what_was_seen_otherwise_than_recorded_is_shown_beside_it(visitor: Visitor, store: Store) -> None:
    """A repaired splice goes on otherwise than the good attempt that the tree recorded."""
    made, _ = first_revision(store)
    different = 0
    for s in store.revisions.samples(made.id):
        if s.kind == "good":
            continue
        page = visitor.get(f"revisions/{made.id}/{s.tree_id}/{s.kind}/{s.bad_leaf}/{s.good_leaf}")
        tree = store.trees.load(s.tree_id)
        bad, good = tree.nodes[s.bad_leaf].path()[: s.cut], tree.nodes[s.good_leaf].path()[s.divergence :]
        recorded = [text for node in bad for text in (node.response, node.observation)] + ["", ""]
        recorded += [text for node in good for text in (node.response, node.observation)]
        for turn, text in zip(page["turns"][2:], recorded, strict=False):
            expected = text if text not in ("", turn["text"]) else None
            assert turn.get("recorded") == expected
            different += expected is not None
    assert different


def test_an_episode_marks_as_many_loops_as_its_result_counts(visitor: Visitor, store: Store) -> None:
    looped = 0
    for evaluation in store.evaluations.select(store.runs.find("first").id):
        for result in store.evaluations.results(evaluation.id):
            page = visitor.get(f"episodes/{evaluation.id}/{result.task_id}/{result.repeat}")
            said = [turn for turn in page["turns"] if turn["role"] == "assistant"]
            marked = sum(turn["loop"] for turn in said)
            actions = [parse_response(turn["text"]).action or turn["text"] for turn in said]
            assert marked == loop_count(actions) and page["result"]["task"] == result.task
            looped += marked
    assert looped


def test_the_matrix_has_each_task_in_each_evaluation(visitor: Visitor, store: Store) -> None:
    evals = store.evaluations.select(store.runs.find("first").id)
    page = visitor.get("runs/first/matrix", limit=200)
    assert [row["id"] for row in page["evals"]] == [row.id for row in evals]
    known = {(row.id, r.task_id): r for row in evals for r in store.evaluations.results(row.id)}
    cells = {
        (row.id, item["task"]): cell for item in page["items"] for row, cell in zip(evals, item["cells"], strict=True)
    }
    assert {key for key, cell in cells.items() if cell} == set(known)
    assert all(cell["success"] == known[key].success for key, cell in cells.items() if cell)


def test_runs_side_by_side_are_those_of_compare(visitor: Visitor, store: Store) -> None:
    page = visitor.get("compare", runs="first,second")
    expected = agentr_core.comparison_tables(store, [store.runs.find("first"), store.runs.find("second")])
    assert [table["rows"] for table in page["tables"]] == [table.rows for table in expected.values()]
    assert {series["name"].split(" · ")[0] for series in page["plots"][0]["series"]} == {"first", "second"}


def test_search_finds_what_a_look_at_every_node_finds(visitor: Visitor, store: Store) -> None:
    def expected(keep: Callable[[Any, Any], bool]) -> list[tuple[int, int]]:
        rows = store.trees.select(store.runs.find("first").id)
        return [
            (row.id, node.index)
            for row in rows
            for node in store.trees.load(row.id).nodes
            if node.parent and keep(row, node)
        ]

    def found(words: str) -> list[tuple[int, int]]:
        return [(item["tree"], item["node"]) for item in visitor.pages("search", 7, run="first", q=words)]

    task = store.trees.select(store.runs.find("first").id)[3].task
    everything = expected(lambda row, node: "CRAFT" in f"{node.action} {node.observation} {node.response}".upper())
    assert found("CRAFT") == everything and len(everything) > 20
    assert found("depth>3") == expected(lambda row, node: node.depth > 3)
    assert found("reward>0.5") == expected(lambda row, node: node.reward > 0.5)
    narrow = found(f"get task:{task} reward<1 depth>1")
    assert narrow == expected(
        lambda row, node: row.task == task and node.reward < 1 and node.depth > 1
        and "get" in f"{node.action} {node.observation} {node.response}".lower()
    ) and narrow  # fmt: skip


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_pages_hold_every_row_once(visitor: Visitor, store: Store, limit: int) -> None:
    def walked(path: str, **asked: Any) -> list[Any]:
        return list(visitor.pages(path, limit, **asked))

    run = store.runs.find("first")
    made, _ = first_revision(store)
    assert [item["name"] for item in walked("runs")] == ["second", "first"]
    trees = [row.id for row in store.trees.select(run.id)]
    assert [item["id"] for item in walked("trees", run="first")] == trees
    for order in ("nodes", "-nodes", "best", "-best", "seconds", "task", "-task", "-simulations"):
        assert sorted(item["id"] for item in walked("trees", run="first", sort=order)) == trees
    sizes = [item["nodes"] for item in walked("trees", run="first", sort="-nodes")]
    assert sizes == sorted(sizes, reverse=True)
    mixed = [item["id"] for item in walked("trees", run="first", outcome="mixed")]
    assert mixed == [item["id"] for item in visitor.get("trees", run="first", outcome="mixed", limit=200)["items"]]
    samples = [(s.tree_id, s.kind, s.bad_leaf, s.good_leaf) for s in store.revisions.samples(made.id)]
    items = walked("revisions", run="first")
    assert [(item["tree"], item["kind"], item["bad"], item["good"]) for item in items] == samples
    dropped = [s for s in store.revisions.samples(made.id) if not s.kept]
    assert len(walked("revisions", run="first", kept=0)) == len(dropped)
    pairs = store.revisions.preferences(made.id)
    assert [(item["tree"], item["node"]) for item in walked("preferences", set=made.id)] == [
        (pair.tree_id, pair.node) for pair in pairs
    ]
    evaluation = store.evaluations.select(run.id)[0]
    results = store.evaluations.results(evaluation.id)
    assert [item["task_id"] for item in walked(f"evals/{evaluation.id}/results")] == [r.task_id for r in results]
    tasks = {r.task_id for row in store.evaluations.select(run.id) for r in store.evaluations.results(row.id)}
    assert [item["task"] for item in walked("runs/first/matrix")] == sorted(tasks)
    dataset = store.datasets.select()[-1]
    assert [item["position"] for item in walked(f"datasets/{dataset.id}/items")] == [0, 1]


def test_rows_that_come_between_two_pages_move_nothing(tmp_path: Path) -> None:
    turn = (Message("user", "hello"), Message("assistant", "hi", True))
    with open_store(tmp_path / "agentr.db") as store:
        run = store.runs.create(
            "run", agentr_core.configure(policy="flawed", trainer="none").model_dump(mode="json"), seed=0
        )

        def save(count: int) -> int:
            examples = [Example(turn, "good", {"n": n}) for n in range(count)]
            return store.datasets.save(run.id, 1, "d", examples, recipe="good", content_hash="1" * 64).id

        number = save(5)
        with Viewed(tmp_path / "agentr.db") as viewed:
            visitor = entered(viewed)
            first = visitor.get(f"datasets/{number}/items", limit=3)
            save(9)
            rest = visitor.get(f"datasets/{number}/items", cursor=first["next"])
    assert [item["position"] for item in first["items"] + rest["items"]] == list(range(9))


def test_a_kind_that_nobody_knew_is_shown_as_any_other(visitor: Visitor, store: Store) -> None:
    (dataset,) = [row for row in visitor.get("datasets")["items"] if row["recipe"] == "imported"]
    assert dataset["kinds"] == {"general": 1, "good": 1}
    (only,) = visitor.get(f"datasets/{dataset['id']}/items", kind="general")["items"]
    assert only["kind"] == "general"
