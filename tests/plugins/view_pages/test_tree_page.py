from __future__ import annotations

from typing import Any

import pytest

TREE = 1  # of some 700 nodes


@pytest.fixture
def tree(screen: Any, key: str) -> Any:
    screen.open(f"#/run/{key}/tree/{TREE}")
    screen.shows(".tree-row.active")
    screen.shows(".cut")
    return screen


def active(screen: Any) -> Any:
    return screen.shows('.tree-row[aria-selected="true"]')


def reaches(screen: Any, node: int) -> None:
    """The row, the panel beside it and the address are at a node."""
    screen.page.wait_for_selector(f'.tree-row.active[data-key="n{node}"]')
    screen.page.wait_for_selector(f".node-panel h2:has-text('node {node} ')")
    screen.page.wait_for_url(f"**/node/{node}**")


def node_of(row: Any) -> int:
    key: str = row.get_attribute("data-key")
    assert key.startswith("n")
    return int(key[1:])


def test_a_tree_of_700_nodes_is_folded_to_what_matters(tree: Any) -> None:
    (nodes,) = tree.sql("SELECT n_nodes FROM trees WHERE id = ?", TREE)[0]
    assert nodes > 600
    rows = int(tree.shows("[role=treegrid]").get_attribute("aria-rowcount")) - 1
    assert 10 < rows < nodes / 3
    drawn = tree.page.locator(".tree-row").count()
    assert drawn <= 45  # those in sight and a few around them
    tree.page.get_by_role("button", name="open all").click()
    tree.page.wait_for_selector(".tree-row.group")
    unfolded = int(tree.shows("[role=treegrid]").get_attribute("aria-rowcount")) - 1
    assert unfolded > 2 * rows
    assert tree.page.locator(".tree-row").count() <= 45


def test_every_row_says_what_the_store_says(tree: Any) -> None:
    tree.page.get_by_role("button", name="open all").click()
    rows = tree.page.locator(".tree-row.node").all()[:15]
    assert len(rows) == 15
    for row in rows:
        query = "SELECT visits, action, reward, flags & 8, parent FROM nodes WHERE tree_id = ? AND node = ?"
        visits, action, reward, ends, parent = tree.sql(query, TREE, node_of(row))[0]
        cells = row.locator("[role=gridcell]").all_inner_texts()
        assert cells[1] == str(visits)
        assert cells[3] == (f"{reward:.0f}" if ends else "")
        assert (action if parent is not None else "the task") in cells[0]


def test_the_whole_way_by_keyboard_alone(screen: Any) -> None:
    screen.open("#/runs")
    screen.press("j", "Enter")
    screen.shows("h1:has-text('first')")
    screen.settle()
    screen.press("g", "t")
    screen.shows("h1:has-text('Trees')")
    screen.settle()
    screen.press("j", "Enter")
    screen.shows("h1:has-text('tree 1')")
    screen.shows(".tree-row.active")
    for _ in range(40):
        screen.press("Tab")
        if screen.page.evaluate("() => document.activeElement.getAttribute('role') === 'row'"):
            break
    assert node_of(active(screen)) == 0
    screen.press("ArrowDown")
    first = active(screen)
    assert first.get_attribute("aria-level") == "2"
    assert screen.page.evaluate("() => document.activeElement.getAttribute('aria-selected')") == "true"
    screen.press("ArrowLeft", "ArrowLeft")
    assert node_of(active(screen)) == 0
    screen.press("ArrowLeft")
    assert active(screen).get_attribute("aria-expanded") == "false"
    assert screen.shows("[role=treegrid]").get_attribute("aria-rowcount") == "2"
    screen.press("ArrowRight", "ArrowRight")
    assert active(screen).get_attribute("aria-level") == "2"
    screen.press("End")
    last = int(active(screen).get_attribute("aria-rowindex"))
    assert last == int(screen.shows("[role=treegrid]").get_attribute("aria-rowcount"))
    screen.press("Home")
    assert node_of(active(screen)) == 0
    screen.press("Tab")
    assert screen.page.evaluate("() => document.activeElement.getAttribute('role')") != "row"  # one stop by Tab


def test_a_tree_at_the_address_of_another_run_leads_to_its_own(screen: Any, key: str) -> None:
    screen.open(f"#/run/nobody/tree/{TREE}")
    screen.shows(".tree-row.active")
    screen.shows(".cut")  # the verdicts come after the tree, and the key leads to them
    screen.press("c")
    screen.page.wait_for_url(f"**/run/{key}/tree/{TREE}/node/**")
    assert all("404" in line for line in screen.said)  # the page's head asks for the run of the address
    screen.said.clear()


#: The key is pressed again in the moment in which the address says the node it led to.
AGAIN_AT_ONCE = """() => {
  const replace = history.replaceState.bind(history);
  history.replaceState = (...address) => {
    replace(...address);
    history.replaceState = replace;
    queueMicrotask(() => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "c", bubbles: true })));
  };
}"""


def test_a_key_that_is_pressed_while_the_address_changes_counts(tree: Any) -> None:
    ways = []
    for _ in range(2):
        tree.press("c")
        ways.append(node_of(tree.shows(f'.tree-row.active:not([data-key="n{(ways or [0])[-1]}"])')))
    first, second = ways
    reaches(tree, second)
    tree.press("Home")
    reaches(tree, 0)
    tree.page.evaluate(AGAIN_AT_ONCE)
    tree.press("c")
    tree.page.wait_for_url(f"**/node/{first}**")
    reaches(tree, second)


def test_keys_lead_to_cuts_and_ends(tree: Any) -> None:
    run = tree.sql("SELECT node, flags, reward FROM nodes WHERE tree_id = ? AND flags & 8", TREE)
    solved = {node for node, _, reward in run if reward >= 1}
    cuts = {each["node"] for each in tree.api(f"trees/{TREE}/marks?set=1")["cuts"]}
    assert solved and cuts
    visited: list[int] = []
    for _ in range(len(cuts)):
        tree.press("c")
        row = tree.shows(f'.tree-row.active:not([data-key="n{(visited or [0])[-1]}"])')
        assert row.query_selector(".cut") is not None
        visited.append(node_of(row))
    assert set(visited) == cuts  # each once, in turn
    tree.press("s")
    assert node_of(active(tree)) in solved
    tree.press("f")
    failed = node_of(active(tree))
    assert failed in {node for node, *_ in run} - solved
    reaches(tree, failed)


def click_the_root(tree: Any) -> None:
    """On the overview: it is at the left edge, where what is under the pointer is called the task."""
    box = tree.shows(".overview canvas").bounding_box()
    for down in range(6, int(box["height"]), 6):
        tree.page.mouse.move(box["x"] + 14, box["y"] + down)
        if "the task" in tree.page.locator(".overview-told").inner_text():
            tree.page.mouse.click(box["x"] + 14, box["y"] + down)
            return
    raise AssertionError("the root is not on the overview")


def test_by_mouse_on_rows_on_the_overview_and_in_the_panel(tree: Any) -> None:
    row = tree.page.locator(".tree-row.node").nth(1)
    node = node_of(row)
    row.click()
    reaches(tree, node)
    click_the_root(tree)
    children = tree.page.locator(".node-panel table[aria-label='children of the node'] button")
    children.first.wait_for()
    reaches(tree, 0)
    titles = tree.page.locator(".node-panel table[aria-label='children of the node'] th").all_inner_texts()
    assert [title for title in ("V", "advantage", "weight") if title in titles] == ["advantage", "weight"]
    children.first.click()
    (child,) = tree.sql("SELECT min(node) FROM nodes WHERE tree_id = ? AND parent = 0", TREE)[0]
    reaches(tree, child)
    tree.page.get_by_role("navigation", name="the way to this node").get_by_role("button").first.click()
    reaches(tree, 0)


def test_the_node_panel_has_the_texts_and_what_critics_said(tree: Any) -> None:
    tree.press("c")
    node = node_of(active(tree))
    reaches(tree, node)
    response, observation = tree.sql(
        "SELECT response, observation FROM steps WHERE tree_id = ? AND node = ?", TREE, node
    )[0]
    panel = tree.text(".node-panel .verdicts") and tree.text(".node-panel")
    assert all(line in panel for line in observation.splitlines() if line)
    assert response.split("Action: ")[1] in panel
    assert "cut here" in panel
    labels = tree.sql("SELECT critic, label FROM verdicts WHERE tree_id = ? AND node = ?", TREE, node)
    assert labels and all(f"{label} {critic}" in panel for critic, label in labels)


def test_another_critic_moves_the_cut_and_two_stand_side_by_side(tree: Any) -> None:
    sets = {each["critic"]: each["id"] for each in tree.api(f"trees/{TREE}")["sets"]}
    cuts = {
        name: {each["node"] for each in tree.api(f"trees/{TREE}/marks?set={number}")["cuts"]}
        for name, number in sets.items()
    }
    assert cuts["oracle"] != cuts["last"]
    tree.page.locator("select[name=set]").select_option(str(sets["last"]))
    tree.page.wait_for_url(f"**set={sets['last']}**")
    tree.shows(".tree-head .verdict:has-text('last')")
    only = next(iter(cuts["last"] - cuts["oracle"]))
    for _ in range(len(cuts["last"])):
        tree.press("c")
        if node_of(active(tree)) == only:
            break
    assert node_of(active(tree)) == only
    tree.page.locator("select[name=beside]").select_option(str(sets["oracle"]))
    tree.shows(".critics-2 .tree-head .verdict:has-text('oracle')")
    tree.shows(".tree-row .verdict:nth-of-type(6) .cut")
    tree.shows(".tree-row .verdict:nth-of-type(5) .cut")


def test_the_slider_shows_the_tree_as_far_as_it_had_grown(tree: Any) -> None:
    for _ in range(3):
        tree.press("[")
    (last,) = tree.sql("SELECT max(simulation) FROM nodes WHERE tree_id = ?", TREE)[0]
    query = "SELECT count(*) FROM nodes WHERE tree_id = ? AND simulation <= ?"
    (made,) = tree.sql(query, TREE, last - 3)[0]
    told = tree.text(".scrubber span")
    assert f"after simulation {last - 3} of {last}: {made} nodes" in told
    tree.page.wait_for_url(f"**sim={last - 3}**")
    tree.press("]", "]", "]")
    assert "after" not in tree.text(".scrubber span")
    tree.page.locator(".scrubber input").fill("1")
    (made,) = tree.sql(query, TREE, 1)[0]
    assert f"after simulation 1 of {last}: {made} nodes" in tree.text(".scrubber span")
    tree.press("Escape")


def test_a_link_opens_the_same_node(tree: Any, key: str) -> None:
    (deep,) = tree.sql("SELECT node FROM nodes WHERE tree_id = ? AND visits = 0 ORDER BY node DESC LIMIT 1", TREE)[0]
    tree.open("#/runs")
    tree.open(f"#/run/{key}/tree/{TREE}/node/{deep}")
    reaches(tree, deep)
    assert node_of(active(tree)) == deep > 0


def test_keys_can_be_turned_off_and_letters_then_find_rows(tree: Any) -> None:
    tree.press("?")
    box = tree.page.get_by_role("checkbox", name="single keys do something")
    box.uncheck()
    tree.press("Escape")
    tree.page.wait_for_selector("dialog[open]", state="hidden")
    tree.page.locator(".tree-row.active").click()
    tree.press("g", "r")
    assert "/tree/" in tree.page.url
    found = int(active(tree).get_attribute("data-key")[1:])  # the last letter that a row begins with
    (action,) = tree.sql("SELECT action FROM nodes WHERE tree_id = ? AND node = ?", TREE, found)[0]
    assert found and action.startswith(("g", "r"))
    tree.page.get_by_role("button", name="keys and help").click()
    box.check()
    tree.press("Escape")
    tree.press("g", "r")
    tree.shows("h1:has-text('Runs')")


def test_arrows_reach_the_rows_from_wherever_nothing_has_the_focus(tree: Any) -> None:
    tree.press("ArrowDown")
    tree.page.wait_for_selector('.tree-row:focus:not([data-key="n0"])')
    tree.press("1")  # the row with the focus goes
    tree.press("End")
    assert node_of(tree.shows('.tree-row:focus:not([data-key="n0"])')) > 0


def test_a_link_to_a_node_has_its_row_in_sight_once_the_marks_have_come(screen: Any, key: str) -> None:
    for node in (20, 60, 150, 300):
        screen.open("#/runs")
        screen.open(f"#/run/{key}/tree/{TREE}/node/{node}")
        screen.shows(".tree-row .cut, .tree-row .label-bad, .tree-row .label-good")
        screen.page.wait_for_function(
            """() => {
              const row = document.querySelector(".tree-row.active")?.getBoundingClientRect();
              const box = document.querySelector(".tree-scroll").getBoundingClientRect();
              return row && row.top >= box.top - 1 && row.bottom <= box.bottom + 1;
            }"""
        )
