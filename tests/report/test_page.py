"""The page of real runs: whole without a script, and every number that of the core's tables."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hand_made_trees import three_actions
from html_tree import Page

import agentr_core
from agentr_core.cli.main import main
from agentr_core.interfaces.tree import Tree
from agentr_core.records import Completion, Task
from agentr_core.report.chapters import chapters
from agentr_core.report.marks import Marks, marks_of, said_at_the_cut
from agentr_core.report.methods import DEFINITIONS, NAMES, plain
from agentr_core.report.repeating import commands, configuration, stored_settings
from agentr_core.report.report import report
from agentr_core.report.table_page import plot_html
from agentr_core.report.tree_page import tree_html
from agentr_core.runs.report import critics, iterations
from agentr_core.runs.side_by_side import side_by_side
from agentr_core.store import Store, open_store
from agentr_core.store.runs import RunRow
from agentr_core.train.tree_rows import action_rows
from agentr_core.turns import Example, Message


@pytest.fixture(scope="session")
def one(db: Path) -> str:
    """The page of a run with three critics."""
    with open_store(db, read_only=True) as store:
        return report(store, [store.runs.find("seed-0")], trees=3)


@pytest.fixture(scope="session")
def sweep(db: Path) -> str:
    with open_store(db, read_only=True) as store:
        return report(store, [store.runs.find(f"seed-{seed}") for seed in range(3)], trees=3)


def runs(store: Store) -> list[RunRow]:
    return [store.runs.find(f"seed-{seed}") for seed in range(3)]


@pytest.mark.parametrize("which", ["one", "sweep"])
def test_a_page_is_well_formed_and_asks_nothing_of_anybody(which: str, request: pytest.FixtureRequest) -> None:
    page = Page(request.getfixturevalue(which))
    tags = {tag for tag, _ in page.opened}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use"}
    for tag, attributes in page.opened:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "srcdoc")], tag
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(found["content"] for tag, found in page.opened if found.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'; style-src 'sha256-")


def test_every_link_of_the_contents_leads_to_a_chapter(sweep: str) -> None:
    page = Page(sweep)
    links = [str(found["href"])[1:] for tag, found in page.opened if tag == "a"]
    assert links == ["chapter-0", "chapter-1", "chapter-2", "chapter-3", "trees", "methods", "repeat"]
    assert set(links) <= set(page.sections)
    anchors = [str(found["id"]) for _, found in page.opened if "id" in found]
    assert len(set(anchors)) == len(anchors)


@pytest.mark.parametrize("which", ["one", "sweep"])
def test_the_cells_of_the_page_are_those_of_the_core_and_its_json(
    which: str, request: pytest.FixtureRequest, store: Store, agentr: Callable[..., Any], db: Path
) -> None:
    page, chosen = Page(request.getfixturevalue(which)), runs(store)[: 1 if which == "one" else 3]
    code, out, _ = agentr("report", *(run.name for run in chosen), "--format", "json", "--db", db)
    assert code == 0
    parts = {
        f"chapter-{number}-{part['key']}": part
        for number, chapter in enumerate(json.loads(out)["chapters"])
        for part in chapter["tables"]
    }
    shown = {key: part for key, part in parts.items() if part["rows"]}
    assert len(shown) >= 4
    for key, part in shown.items():
        assert page.tables[key] == [part["columns"], *part["rows"]], key
        assert len(part["data"]) == len(part["rows"])
    assert [part["missing"] for part in parts.values() if not part["rows"]] != []
    assert all(part["missing"] in page.text for part in parts.values() if not part["rows"])


def test_the_tables_are_computed_where_compare_computes_them(store: Store) -> None:
    alone, (together, *_) = chapters(store, runs(store)[:1])[0], chapters(store, runs(store))
    parts = {part.key: part.table for part in alone.parts}
    assert parts["iterations"] == iterations(store, runs(store)[0])
    assert parts["critics"] == critics(store, runs(store)[:1]) and len(parts["critics"].rows) == 4
    assert [part.table for part in together.parts[:2]] == side_by_side(store, runs(store))


def test_each_plot_is_xml_and_says_the_numbers_of_its_table(store: Store) -> None:
    drawn = {}
    for chapter in (chapters(store, runs(store)[:1])[0], chapters(store, runs(store))[0]):
        for part in chapter.parts:
            if figure := plot_html(part):
                drawn[part.key] = (part, ElementTree.fromstring(figure))
    assert set(drawn) == {"iterations", "yield", "loss", "runs", "seeds"}
    for key, column in (("iterations", 1), ("runs", 5), ("seeds", 4)):
        part, figure = drawn[key]
        told = [str(title.text) for title in figure.iter("title")]
        assert [each.rpartition(": ")[2] for each in told] == [row[column] for row in part.table.rows]
        for circle, row in zip(figure.iter("circle"), part.table.data, strict=True):
            assert abs(float(circle.attrib["cx"]) - (12 + 416 * row["success"])) < 0.1
    part, figure = drawn["yield"]
    own = [row for row in part.table.data if row["own"]]
    assert len(own) == 2 and len(list(figure.iter("rect"))) == 5 * len(own)
    assert len(str(next(figure.iter("polyline" if key == "loss" else "svg")).attrib)) > 0
    line = next(drawn["loss"][1].iter("polyline")).attrib["points"].split()
    assert len(line) == 30 == len(drawn["loss"][0].table.rows)


def test_trees_are_open_where_something_is_to_be_seen_and_everything_is_in_the_page(one: str, store: Store) -> None:
    page = Page(one)
    branches = [found for tag, found in page.opened if tag == "details" and found.get("class") == "branch"]
    assert any("open" in found for found in branches) and any("open" not in found for found in branches)
    assert "✂ cut of" in page.text and "actor: bad" in page.text and "value: " in page.text
    assert "not played" in page.text and re.search(r"\d+ below", page.text)
    first = re.search(r"tree (\d+), task", page.text)
    assert first is not None
    tree = store.trees.load(int(first[1]))
    said = [node.response.strip() for node in tree.nodes[1:] if node.visits]
    assert said and all(response in page.text for response in said)
    for row in action_rows(tree, 1):
        assert f"advantage {row.advantage():+.2f}, weight {row.weight:.3g}" in page.text


def test_what_a_value_model_expected_stands_beside_q() -> None:
    """Of the search's own guide beside Q, of a critic with its verdict."""
    tree = three_actions()
    tree.nodes[1].info = {"search": {"value": 0.25}}
    page = tree_html(tree, {"progress": Marks({2: "bad"}, {}, {}, {2: 0.125})})
    assert page.count("V 0.25") == 1 and page.count("bad V 0.12") == 1


def test_a_revision_is_a_conversation_in_bands_with_what_is_trained_marked(one: str) -> None:
    page = Page(one)
    bands = [str(found["class"]) for _, found in page.opened if str(found.get("class")).startswith("band ")]
    order = ["band shared", "band bad", "band signal", "band good"]
    assert [name for name in order if name in bands] == order
    assert "judged bad" in page.text and "trained" in page.text


def test_every_column_is_defined(store: Store) -> None:
    made = [*chapters(store, runs(store)), *chapters(store, runs(store)[:1])]
    columns = {plain(name) for chapter in made for part in chapter.parts for name in part.table.columns}
    assert columns - set(DEFINITIONS) - NAMES == set()


def test_marks_are_of_the_very_set_where_a_critic_ran_with_other_settings_too(changed: Callable[..., Path]) -> None:
    path = changed(
        "INSERT INTO verdicts SELECT tree_id, node, critic, 'of other settings', step, 'uncertain', "
        "'another reason', NULL FROM verdicts WHERE critic = 'oracle'"
    )
    with open_store(path, read_only=True) as store:
        (made,) = (row for row in store.revisions.select(runs(store)[0].id) if row.critic == "oracle")
        sample = next(each for each in store.revisions.samples(made.id) if each.kind == "revision")
        marks = marks_of(store, store.trees.load(sample.tree_id), sample.tree_id, made)
        assert "uncertain" not in marks.verdicts.values() and "bad" in marks.verdicts.values()
        assert said_at_the_cut(store, made, sample) != "another reason"


def test_what_was_made_beside_the_run_is_named_with_the_settings_it_was_made_with(changed: Callable[..., Path]) -> None:
    path = changed(
        "UPDATE revision_sets SET config_json = json_remove(config_json, '$.critic') WHERE critic = 'value'",
        "UPDATE revision_sets SET config_json = json_set(config_json, '$.critic.options', json('{\"votes\": 3}')) "
        "WHERE critic = 'oracle'",
    )
    with open_store(path) as store:
        run = runs(store)[0]
        pairs = store.datasets.save(run.id, 1, "pairs", [], recipe="preferences", content_hash="p")
        with store.transaction():
            store.connection.execute("UPDATE datasets SET reads = 'preferences'")
        settings = {"trainer": {"name": "dpo", "options": {"beta": 0.25, "epochs": 1}}}
        made = store.checkpoints.open(
            run.id, 1, pairs.id, "dpo", base_model="m", start_model="m", path="model", config=settings
        )
        store.checkpoints.finish(made.id, step=3, metrics={})
        typed = commands(store, run)
    assert "agentr revise --run seed-0 --critic value --iteration 1" in typed
    assert "agentr revise --run seed-0 --critic oracle -o oracle.votes=3 --iteration 1" in typed
    (train,) = (line for line in typed if line.startswith("agentr train"))
    assert "--trainer dpo" in train and "-o dpo.beta=0.25" in train and "--recipe" not in train


def test_the_page_says_how_to_make_the_run_again(one: str, store: Store, tmp_path: Path, agentr: Any) -> None:
    run = runs(store)[0]
    typed = commands(store, run)
    assert typed[0] == "agentr run --config run.toml --name seed-0"
    assert typed[1:] == [
        f"agentr revise --run seed-0 --critic {critic} --iteration 1" for critic in ("value", "oracle")
    ]
    assert all(command in Page(one).text for command in typed)
    (tmp_path / "run.toml").write_text(configuration(run), encoding="utf-8")
    _, out, _ = agentr("config", "show", "--config", tmp_path / "run.toml", "--json")
    again = agentr_core.configure(**{key: value for key, value in json.loads(out)["settings"].items() if key not in (
        "name", "db", "out", "plugins", "stages")})  # fmt: skip
    stored = stored_settings(run)
    assert stored is not None
    assert again.model_dump(exclude={"out", "plugins", "stages"}) == stored.model_dump(
        exclude={"out", "plugins", "stages"}
    )


def test_a_tree_of_seven_hundred_nodes_with_long_pages_stays_small() -> None:
    tree = Tree(Task(key="t", split="train", instruction="Buy."), (Message("user", "go"),), seed=1)
    for number in range(700):
        node = tree.add(tree.nodes[number // 3], action=f"click {number}", response=f"Action: click {number}",
                        observation=f"page {number} " + "<b>word</b> " * 400, visits=1,
                        completion=Completion(text="x"))  # fmt: skip
        node.terminal = number > 600
    drawn = tree_html(tree, {"actor": Marks({5: "bad"}, {650: 1}, {})})
    assert 100_000 < len(drawn) < 1_000_000
    page = Page(f"<section>{drawn}</section>")
    assert all(f"click {number} " in page.text for number in range(700)), "every node has its row"
    assert "more characters" in page.text and "are left out for size" in page.text
    cut = page.text.index("✂ cut of 1 revision")
    assert "page 649 <b>word</b>" in page.text[cut:], "what is worth seeing has its whole turn"


def test_a_very_deep_tree_is_drawn() -> None:
    tree = Tree(Task(key="t", split="train", instruction="Walk."), (Message("user", "go"),), seed=1)
    for number in range(400):
        for side in range(2):
            tree.add(tree.nodes[2 * number - 1 if number else 0], action=f"{number}.{side}", visits=1)
    assert len(Page(tree_html(tree, {})).text) > 5_000


STATES: list[tuple[list[str], list[str]]] = [
    (["DELETE FROM verdicts", "DELETE FROM samples", "DELETE FROM revised_trees", "DELETE FROM revision_sets",
      "DELETE FROM nodes", "DELETE FROM trees"],
     ["There are no trees yet", "No revision set is finished", "No revision set of this run is finished"]),
    (["DELETE FROM eval_results", "DELETE FROM evals", "UPDATE stages SET result_id = NULL"],
     ["No model of this run has been evaluated"]),
    (["UPDATE runs SET status = 'failed', error = 'the disk is full'",
      "UPDATE trees SET status = 'failed', error = 'no server' WHERE id = 1"],
     ["This run has failed: the disk is full", "7 of 8 trees are done", "agentr resume",
      "1 trees failed, the first one: no server"]),
    (["UPDATE runs SET status = 'interrupted'", "UPDATE revision_sets SET status = 'running'"],
     ["This run was interrupted", "No revision set of this run is finished", "No tree has been revised yet"]),
    (["UPDATE runs SET status = 'running'"], ["This run was killed"]),
    (["DELETE FROM stages", "DELETE FROM metrics"], ["No stage of this run was begun", "This run trains no model."]),
    (["UPDATE runs SET config_json = json_set(config_json, '$.stages', json('[\"evaluate\"]'))"],
     ["agentr eval --config run.toml --name seed-0", "Each model (the first one: flawed"]),
    (["UPDATE runs SET command = 'import', config_json = json_set(config_json, '$.stages', json('[]'))"],
     ["agentr datasets import FILE --env textcraft --name seed-0", "Conversations of others were imported"]),
    (["UPDATE runs SET config_json = json_set(config_json, '$.searcher', 7)"], ["does not know"]),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "said"), STATES, ids=[said[0] for _, said in STATES])
def test_what_a_run_does_not_have_is_said(
    changed: Callable[..., Path], tmp_path: Path, statements: list[str], said: list[str]
) -> None:
    path = changed("PRAGMA foreign_keys=OFF", *statements)
    assert main(["report", "seed-0", "--trees", "1", "-o", str(tmp_path / "r.html"), "--db", str(path)]) == 0
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert [each for each in said if each not in page.text] == []


def test_what_was_not_asked_for_or_does_not_apply_is_said(store: Store) -> None:
    page = Page(report(store, [*runs(store)[:1], store.runs.find("last")], trees=0))
    assert "No trees were asked for" in page.text
    assert "No two of these runs differ in the seed alone" in page.text and "No tokens were counted" in page.text


def test_a_run_of_several_environments_has_a_row_for_each_and_for_their_mean(tmp_path: Path) -> None:
    small = {"mcts": {"simulations": 2, "depth": 6}, "search": {"tasks": 2}}
    config = agentr_core.configure(
        env="textcraft,webshop", policy="flawed", trainer="none", critic="actor", iterations=1,
        textcraft={"world": "synthetic", "max_steps": 6}, webshop={"products": 60, "max_steps": 6},
        evaluate={"tasks": 3, "max_turns": 4, "revision_turns": 4}, **small,
    )  # fmt: skip
    outcome = agentr_core.run(config, db=tmp_path / "two.db")
    with open_store(tmp_path / "two.db", read_only=True) as store:
        page = Page(report(store, [outcome.run], trees=1))
    names = [row[0].strip() for row in page.tables["chapter-0-iterations"]]
    assert names[1:4] == ["baseline · mean of 2", "textcraft", "webshop"]
    assert [row[0] for row in page.tables["chapter-0-environments"][1:]] == ["textcraft", "webshop"]
    assert "In textcraft and webshop, the searcher mcts" in page.text


def test_what_one_environment_took_is_told_too(one: str, store: Store) -> None:
    (row,) = Page(one).tables["chapter-0-environments"][1:]
    run = runs(store)[0]
    trees = store.trees.select(run.id, status="done")
    assert row[:3] == ["textcraft", str(len(trees)), f"{sum(tree.stats['samples'] for tree in trees):,}"]


def test_a_run_that_trains_is_drawn_from_tokens_to_rows_to_success(changed: Callable[..., Path]) -> None:
    path = changed("UPDATE trees SET stats_json = json_set(stats_json, '$.prompt_tokens', 1000)")
    with open_store(path) as store:
        run = store.runs.find("seed-0")
        sets = [row for row in store.revisions.select(run.id, iteration=1) if row.critic == "actor"]
        samples = store.revisions.samples(sets[0].id, kept=True)[:5]
        examples = [Example(store.conversations.get(sample.conversation), sample.kind, {}) for sample in samples]
        data = store.datasets.save(
            run.id, 1, "agent-r", examples, recipe="agent-r", content_hash="c", set_id=sets[0].id
        )
        folder = path.parent / "model"
        made = store.checkpoints.open(run.id, 1, data.id, "sft", base_model="m", start_model="m", path=str(folder))
        store.checkpoints.finish(made.id, step=3, metrics={})
        with store.transaction():
            at = (run.id,)
            store.connection.execute(
                "UPDATE stages SET result_id = 1 WHERE run_id = ? AND iteration = 1 AND stage = 'train'", at
            )
            own = "UPDATE evals SET model = ? WHERE run_id = ? AND iteration = 1"
            store.connection.execute(own, (store.checkpoints.kept(folder), *at))
    with open_store(path, read_only=True) as store:
        (chapter,) = chapters(store, [store.runs.find("seed-0")])
    parts = {part.key: part for part in chapter.parts}
    assert [row[1] for row in parts["tokens"].table.rows] == ["0", "4,000", "8,000"]
    assert [row[-1] for row in parts["yield"].table.rows if row[0] == "actor"] == ["5", "-"]
    figure = ElementTree.fromstring(plot_html(parts["tokens"]))
    assert len(list(figure.iter("circle"))) == 3 and "after 4,000 tokens" in ElementTree.tostring(figure, "unicode")
    told = [title.text for title in ElementTree.fromstring(plot_html(parts["critics"])).iter("title")]
    assert told == [f"actor · iteration 1: {parts['iterations'].table.rows[1][1]}"]
