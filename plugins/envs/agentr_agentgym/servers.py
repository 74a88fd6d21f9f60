"""The one table of what AgentGym's servers do differently: paths, fields, where things stand in answers, scales.

All of them are asked ``POST /create``, ``POST /reset`` and ``POST /step``, and answer JSON; that is where the likeness
ends. Read from the servers and clients of the repository WooooDyy/AgentGym as of its state of September 2025.

- An error mostly comes with HTTP 200, as ``{"error": text}``; :mod:`agentr_agentgym.connection` looks there first.
- ScienceWorld's and BabyAI's ``reward`` is what a step added; the total is in ``score``, which is what is read here.
- Only some have ``/close``. It is tried at all; an id that cannot be closed is used again
  (:mod:`agentr_agentgym.lease`).
- A turn is parsed by AgentGym's *clients*, whose rules changed in September 2025; here it is ``dialect``, and stays
  (:mod:`agentr_agentgym.dialects`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Dialect = Literal["react", "webshop", "whole", "sql"]


@dataclass(frozen=True, slots=True)
class Server:
    """One row of the table.

    ``tasks``: how many ids there are, from 0. ``under``: before each path. ``create``: what ``/create`` is sent;
    ``created``: where the session's id stands in its answer (empty: the answer is the id). ``id_field`` and
    ``index_field``: what the session and the task are called; ``reset_also``: what else ``/reset`` is sent.
    ``begins``: the fields of its answer that make the first observation, a line each (empty: the answer is it; ``0``:
    its first item). ``shown``, ``earned``, ``ended``: observation, total reward and end in the answer of ``/step``.
    ``none`` and ``full``: the rewards that count as 0 and 1. ``hints``: where possible actions are listed, under
    ``hinted``, each written as ``hint`` says; ``lists``: they are shown with the first observation.
    """

    domain: str
    rules: str
    tasks: int
    dialect: Dialect = "react"
    under: str = ""
    create: Mapping[str, Any] = field(default_factory=dict)
    created: str = "id"
    id_field: str = "id"
    index_field: str = "data_idx"
    reset_also: Mapping[str, Any] = field(default_factory=dict)
    begins: tuple[str, ...] = ("observation",)
    shown: str = "observation"
    earned: str = "reward"
    ended: str = "done"
    none: float = 0.0
    full: float = 1.0
    hints: str = ""
    hinted: str = ""
    hint: str = "{}"
    lists: str = ""


_REACT = """
Answer each time with your reasoning and then exactly one action, in this form:
Thought: ...
Action: ..."""

_TOOL = """\
You solve a request with the functions of {tool}, one call at a time; each call is answered with what it returned. \
The function check_valid_actions (without input) says which functions there are and what they take. When you know the \
answer, or have done what was asked, call finish.
Answer each time with your reasoning and then exactly one call, in this form, the input being JSON:
Thought: ...
Action: NAME with Action Input: {{"PARAMETER": VALUE}}"""


def _tool(tool: str, tasks: int) -> Server:
    """The servers of agentenv-tool differ in nothing but their tool."""
    return Server(
        domain=f"a tool: {tool}",
        rules=_TOOL.format(tool=tool),
        tasks=tasks,
        dialect="whole",
        create={"id": 0},
        created="",
        id_field="env_idx",
        index_field="id",
        begins=(),
    )


SERVERS: Mapping[str, Server] = {
    "textcraft": Server(
        domain="a crafting game",
        rules="""\
You are playing a crafting game. You are shown a list of crafting commands and a goal, and you start with nothing. \
Make the goal item. There are three actions: get N ITEM fetches an item that no command makes; craft N ITEM using N \
ITEM, N ITEM carries out one of the listed commands; inventory shows what you carry. Where a command names a kind of \
item, such as planks, name the item of that kind that you carry."""
        + _REACT,
        tasks=544,
    ),
    "webshop": Server(
        domain="an online shop",
        rules="""\
You are shopping in an online shop. An instruction says what to buy. There are two actions: search[words], and \
click[text], where the text is a button, a product's code or an option that is on the page. Click on every option \
that is asked for, then click[buy now], which ends the task. An action that is not possible changes nothing."""
        + _REACT,
        tasks=6910,
        dialect="webshop",
        created="",
        id_field="env_idx",
        index_field="session_id",
        begins=("0",),
        shown="state",
        hints="available_actions",
        hinted="clickables",
        hint="click[{}]",
    ),
    "sciworld": Server(
        domain="a science laboratory",
        rules="""\
You are in a building with several rooms, where you do elementary science experiments. These are the actions, where \
OBJ is something that you see or carry: look around; look at OBJ; look in OBJ; examine OBJ; read OBJ; inventory; \
task; open OBJ; close OBJ; go to PLACE; pick up OBJ; put down OBJ; move OBJ to OBJ; activate OBJ; deactivate OBJ; use \
OBJ [on OBJ]; connect OBJ to OBJ; disconnect OBJ; pour OBJ into OBJ; dunk OBJ into OBJ; mix OBJ; eat OBJ; flush OBJ; \
wait; wait1; and focus on OBJ, which says that OBJ is what the task asks for: a wrong focus ends the task."""
        + _REACT,
        tasks=4639,
        begins=("task_description", "observation"),
        earned="score",
        full=100.0,
    ),
    "alfworld": Server(
        domain="a household",
        rules="""\
You are in a household and are given a task. You are shown the actions that are possible at first; others become \
possible as you go, such as go to PLACE, open PLACE, take OBJ from PLACE, put OBJ in/on PLACE, clean, heat or cool \
OBJ with PLACE, use OBJ, examine OBJ, look, inventory. "Nothing happens" means that an action was not possible."""
        + _REACT,
        tasks=2620,
        index_field="game",
        reset_also={"world_type": "Text"},
        hints="available_actions",
        lists="AVAILABLE ACTIONS: ",
    ),
    "babyai": Server(
        domain="a grid world",
        rules="""\
You are in a grid of rooms and are given a goal. These are the actions: turn left; turn right; move forward; go to \
OBJ ID; pick up OBJ ID; go through DOOR ID (an open one); toggle and go through DOOR ID (a closed one, or a locked \
one whose key you carry); toggle (the door right in front of you)."""
        + _REACT,
        tasks=900,
        earned="score",
    ),
    "maze": Server(
        domain="a maze",
        rules="""\
You are in a maze and are told where you are, where the goal is and which walls are beside you. Reach the goal in as \
few steps as you can. The actions are move up, move down, move left and move right; down and right make the first and \
the second coordinate larger."""
        + _REACT,
        tasks=26,
        under="maze/",
        index_field="game",
        none=-1.0,
        full=0.0,
        hints="available_actions",
    ),
    "wordle": Server(
        domain="a word game",
        rules="""\
Guess a hidden English word of five letters in six attempts. A guess is five letters with spaces between them, such \
as s h i r e. You are shown a letter for each: g, right and in its place; y, in the word but elsewhere; b, not in the \
word."""
        + _REACT,
        tasks=980,
        under="wordle/",
        index_field="seed",
    ),
    "sqlgym": Server(
        domain="a database",
        rules="""\
You are told what a SQLite database holds and are asked a question. Answer it with one SQL statement on one line.
Answer with your reasoning and then the statement, in this form:
Thought: ...
Action: ```sql
SELECT ...
```""",
        tasks=10960,
        dialect="sql",
        created="",
        id_field="env_idx",
        index_field="item_id",
        begins=("0",),
        shown="state",
    ),
    "webarena": Server(
        domain="a web browser",
        rules="""\
You do a task in a web browser, of which you are shown the page as an accessibility tree. These are the actions: \
click [id]; type [id] [text] [press_enter_after=0|1]; hover [id]; press [keys]; scroll [down|up]; new_tab; tab_focus \
[number]; close_tab; goto [url]; go_back; go_forward; stop [answer], which ends the task.
Answer with your reasoning, and at the end: In summary, the next action I will perform is ```ACTION```""",
        tasks=812,
        dialect="whole",
        created="env_idx",
        id_field="env_idx",
        index_field="idx",
        reset_also={"seed": 0},
        ended="terminated",
    ),
    "weather": _tool("a weather service", 343),
    "movie": _tool("a film database", 238),
    "academia": _tool("a graph of scientific papers", 20),
    "sheet": _tool("a spreadsheet", 20),
    "todo": _tool("a list of things to do", 155),
}
