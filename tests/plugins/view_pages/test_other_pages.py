from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

#: Every page, by what its picture is called, and what must be on it. KEY is the run's, SAMPLE a revision's address.
PAGES = {
    "runs": ("#/runs", "table[aria-label=runs] a"),
    "run": ("#/run/KEY", "#settings td"),
    "trees": ("#/run/KEY/trees", "table[aria-label=trees] a"),
    "tree": ("#/run/KEY/tree/1", ".cut"),
    "tree-two-critics": ("#/run/KEY/tree/1?beside=3", ".critics-2 .cut"),
    "revisions": ("#/run/KEY/revisions?kind=revision", "table[aria-label=revisions] a"),
    "revision": ("#/run/KEY/revision/SAMPLE", ".turn.band-signal"),
    "datasets": ("#/run/KEY/datasets", "table[aria-label=datasets] a"),
    "dataset": ("#/run/KEY/dataset/1", ".turn.trained"),
    "preferences": ("#/run/KEY/preferences", ".two .turn"),
    "evaluation": ("#/run/KEY/evals", ".matrix .cell"),
    "episodes": ("#/run/KEY/episodes/1?a=1&b=4", ".turns"),
    "critics": ("#/run/KEY/critics", ".agreement .agree-text"),
    "compare": ("#/compare?runs=KEY", "#runs td"),
    "search": ("#/run/KEY/search?q=craft", "table[aria-label='steps found'] a"),
    "nowhere": ("#/nowhere/at/all", ".text"),
    "no-number": ("#/run/KEY/tree/abc", ".text"),
}


def address(screen: Any, key: str, name: str) -> str:
    query = "SELECT set_id, tree_id, kind, bad_leaf, good_leaf FROM samples WHERE kind = 'revision' AND judged LIMIT 1"
    sample = "/".join(map(str, screen.sql(query)[0]))
    return PAGES[name][0].replace("KEY", key).replace("SAMPLE", sample)


def fits(screen: Any) -> bool:
    """Whether the page comes to fit its screen; it is laid out anew in the frames after a change of size."""
    from playwright.sync_api import TimeoutError as NeverDid

    try:
        screen.page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth", timeout=10_000)
    except NeverDid:
        return False
    return True


def test_every_page_is_there_narrow_and_wide_and_accessible(screen: Any, key: str) -> None:
    found = {}
    for name, (_, something) in PAGES.items():
        screen.open(address(screen, key, name))
        screen.shows(something)
        found[name] = screen.audited()
        screen.page.set_viewport_size({"width": 400, "height": 800})
        assert fits(screen), f"{name} is wider than a narrow screen"
        screen.page.set_viewport_size({"width": 1280, "height": 800})
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_the_dark_theme_can_be_read(screen: Any, key: str) -> None:
    screen.page.emulate_media(color_scheme="dark")
    for name in ("run", "tree", "revision"):
        screen.open(address(screen, key, name))
        screen.shows(PAGES[name][1])
        assert screen.audited() == []


@pytest.mark.skipif("AGENTR_SCREENSHOTS" not in os.environ, reason="AGENTR_SCREENSHOTS names no folder")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures(screen: Any, key: str, theme: str) -> None:
    folder = Path(os.environ["AGENTR_SCREENSHOTS"])
    screen.page.emulate_media(color_scheme=theme)
    for name, (_, something) in PAGES.items():
        screen.open(address(screen, key, name))
        screen.shows(something)
        for width in (1280, 400):
            screen.page.set_viewport_size({"width": width, "height": 800})
            screen.page.evaluate("() => new Promise((done) => setTimeout(done, 300))")  # what is drawn anew
            picture = screen.page.screenshot(path=folder / f"{name}-{width}-{theme}.png")
            assert picture.startswith(b"\x89PNG") and len(picture) > 5000, "an empty page"


def test_a_run_has_its_figures_plots_and_their_numbers(screen: Any, key: str) -> None:
    screen.open(f"#/run/{key}")
    told = screen.api(f"runs/{key}")
    assert {"success", "yield", "time"} <= {plot["id"] for plot in told["plots"]}
    for plot in told["plots"]:
        figure = screen.page.locator(f"figure[id='{plot['id']}']")
        assert plot["title"] in figure.inner_text()
        figure.get_by_text("Numbers", exact=True).click()
        assert figure.locator("details tbody tr").count() == len({x for each in plot["series"] for x in each["x"]})
    for table in told["tables"]:
        rows = screen.page.locator(f"figure[id='{table['id']}'] tbody tr")
        assert rows.count() == len(table["rows"])
        assert rows.first.locator("td").all_inner_texts() == [cell or "" for cell in table["rows"][0]]
    for counted in told["account"]:
        assert counted["text"] in screen.text("#account")
    rows = screen.page.locator("#settings tbody tr")
    assert rows.all_inner_texts() == ["iterations\t2\t--iterations", "searcher.options.simulations\t60\trun.toml"]
    screen.page.get_by_label("defaults as well").check()
    assert "critic.name\toracle\tdefault" in rows.all_inner_texts()
    screen.page.locator("#settings input[type=search]").fill("simulations")
    assert rows.all_inner_texts() == ["searcher.options.simulations\t60\trun.toml"]


def test_what_is_not_there_is_said_once_with_a_way_on(screen: Any, key: str) -> None:
    asked: list[str] = []
    screen.page.on("request", lambda request: asked.append(request.url))
    screen.open(f"#/run/{key}/dataset/999")
    assert "999" in screen.text("[role=alert]")
    assert screen.page.locator("[role=alert]").count() == 1
    assert not [url for url in asked if url.endswith("999/items")]
    screen.open("#/run/NO-SUCH-RUN")
    assert screen.page.locator("[role=alert]").count() == 1
    assert screen.text("nav[aria-label='last runs'] li").startswith("first ")
    screen.click("first")
    screen.shows("#settings td")
    assert len(screen.said) >= 2 and all("404" in each for each in screen.said)
    screen.said.clear()


def test_a_revision_in_its_bands_with_what_is_trained(screen: Any, key: str) -> None:
    screen.open(f"#/run/{key}/revisions?kind=revision&set=1")
    screen.page.locator("table[aria-label=revisions] a").first.click()
    screen.shows(".turn.band-signal")
    screen.settle()
    path = screen.page.url.partition("/revision/")[2]
    told = screen.api(f"revisions/{path}")
    assert told["why"] in screen.text(".why")
    bands = screen.page.locator(".band-name").count()
    parts = [turn.get("band") for turn in told["turns"]]
    assert bands == len([at for at, band in enumerate(parts) if at == 0 or band != parts[at - 1]])
    assert screen.page.locator(".turn.trained").count() == sum(bool(turn["train"]) for turn in told["turns"])
    texts = [turn["text"].splitlines()[-1] for turn in told["turns"] if turn["band"] in ("bad", "signal", "good")]
    shown = screen.text("ol.turns")
    assert all(text in shown for text in texts)
    screen.click("the bad attempt in the tree")
    screen.shows(f".node-panel h2:has-text('node {path.split('/')[3]} ')")


def test_what_was_recorded_beside_what_was_seen(screen: Any, key: str) -> None:
    query = (
        "SELECT set_id, tree_id, kind, bad_leaf, good_leaf FROM samples WHERE mismatches > 0 AND verified = 1 LIMIT 1"
    )
    found = screen.sql(query)
    assert found, "the run of the tests has no revision that was seen otherwise"
    screen.open(f"#/run/{key}/revision/" + "/".join(map(str, found[0])))
    screen.shows(".tag.differs")
    assert screen.page.locator(".turn h4").count() == 0
    screen.page.get_by_role("checkbox", name="recorded beside what was seen").check()
    assert "recorded" in screen.text(".turn .two")


def test_two_checkpoints_at_one_task_to_where_they_part(screen: Any, key: str) -> None:
    screen.open(f"#/run/{key}")
    screen.click("evaluation")
    matrix = screen.api(f"runs/{key}/matrix")
    cells = screen.page.locator(".matrix td").all_inner_texts()
    assert len(cells) == len(matrix["items"]) * len(matrix["evals"])
    flat = [cell for item in matrix["items"] for cell in item["cells"]]
    assert [("●" in text) for text in cells] == [bool(cell and cell["success"]) for cell in flat]
    plain = [at for at, each in enumerate(matrix["evals"]) if each["kind"] == "plain"]
    ends = [(item["key"], item["cells"][plain[0]], item["cells"][plain[-1]]) for item in matrix["items"]]
    screen.click(next(name for name, first, last in ends if first["success"] != last["success"]))
    screen.shows("h2:has-text('Here they part')")
    columns = [column.inner_text() for column in screen.page.locator(".parts + .two > div").all()]
    assert len(columns) == 2 and columns[0].split("\n")[1:] != columns[1].split("\n")[1:]
    assert screen.page.locator(".result").all_inner_texts()[0].startswith(("● solved", "✕ not solved"))


def test_a_dataset_by_kind(screen: Any, key: str) -> None:
    screen.open(f"#/run/{key}/datasets")
    screen.page.locator("table[aria-label=datasets] a").first.click()
    screen.shows(".item")
    kinds = dict(screen.sql("SELECT kind, count(*) FROM dataset_items WHERE dataset_id = 1 GROUP BY kind"))
    for kind in kinds:
        screen.page.locator("select[name=kind]").select_option(kind)
        screen.page.wait_for_url(f"**kind={kind}")
        screen.page.wait_for_selector(f".item .tag:has-text('{kind}')")
        screen.settle()
        others = screen.page.locator(".item > summary .tag").all_inner_texts()
        assert set(others) == {kind} and len(others) == min(50, kinds[kind])


def test_critics_by_pairs_and_preferences_side_by_side(screen: Any, key: str) -> None:
    screen.open(f"#/run/{key}/critics")
    told = screen.api(f"critics?run={key}")
    rows = screen.page.locator(".agreement").first.locator("tbody tr")
    assert rows.count() == len({each["critic"] for each in told["sets"]})
    screen.page.locator("table[aria-label=trees] a").first.click()
    screen.shows(".critics-2 .tree-head")
    screen.open(f"#/run/{key}/preferences")
    pair = screen.page.locator(".item").first
    chosen, rejected = pair.locator(".two > div").all()
    assert chosen.inner_text() != rejected.inner_text()
    assert "chosen, reward 1" in chosen.inner_text()


def test_an_address_of_nothing_is_one_sentence(screen: Any, key: str) -> None:
    screen.page.on("response", lambda response: screen.said.clear() if response.status == 404 else None)
    screen.open(f"#/run/{key}/tree/999999")
    assert "999999" in screen.text("[role=alert]")
    screen.said.clear()  # the browser itself logs that an answer was a 404


def test_search_leads_to_steps(screen: Any, key: str) -> None:
    screen.open(f"#/run/{key}")
    screen.press("/")
    screen.page.keyboard.type("craft reward>0")
    screen.press("Enter")
    screen.shows("table[aria-label='steps found'] a")
    screen.page.locator("table[aria-label='steps found'] a").first.click()
    screen.shows(".node-panel h2")
    tree, node = screen.page.url.partition("/tree/")[2].partition("?")[0].split("/node/")
    ((action, reward),) = screen.sql("SELECT action, reward FROM nodes WHERE tree_id = ? AND node = ?", tree, node)
    assert "craft" in action and reward > 0
