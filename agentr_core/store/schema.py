"""The schema, as append-only migrations.

A released migration is never edited: a change is a new function below the last one. ``PRAGMA application_id`` marks a
file as agentr's and ``PRAGMA user_version`` counts the migrations applied, so that opening an up-to-date file reads
two integers and imports nothing. Plugins that own tables bring a ``Migrations`` set of their own.

Naming: columns of JSON end in ``_json``, points in time (UTC, ISO 8601) in ``_at``, durations in ``_seconds``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agentr_core.hashing import canonical_json, content_hash

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

#: ``agtr`` in ASCII, at byte 68 of the file (see ``file(1)``).
APPLICATION_ID = 0x61677472
#: How many migrations :func:`migrations` holds.
SCHEMA_VERSION = 7

_INITIAL = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT, command TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
  config_json TEXT NOT NULL, config_hash TEXT NOT NULL, seed INTEGER NOT NULL, agentr_version TEXT NOT NULL,
  host TEXT NOT NULL, pid INTEGER NOT NULL, heartbeat_at TEXT NOT NULL, created_at TEXT NOT NULL, finished_at TEXT,
  error TEXT
) STRICT;

CREATE TABLE run_plugins (
  run_id INTEGER NOT NULL REFERENCES runs (id), kind TEXT NOT NULL, name TEXT NOT NULL, distribution TEXT NOT NULL,
  version TEXT NOT NULL, target TEXT NOT NULL, config_json TEXT NOT NULL,
  PRIMARY KEY (run_id, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE stages (
  run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL, stage TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('todo', 'running', 'done', 'failed')), metrics_json TEXT,
  started_at TEXT, finished_at TEXT,
  PRIMARY KEY (run_id, iteration, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE metrics (
  run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL, stage TEXT NOT NULL, name TEXT NOT NULL,
  step INTEGER NOT NULL, value REAL,
  PRIMARY KEY (run_id, iteration, stage, name, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
  id INTEGER PRIMARY KEY, env TEXT NOT NULL, env_version TEXT NOT NULL, key TEXT NOT NULL, split TEXT NOT NULL,
  instruction TEXT NOT NULL, metadata_json TEXT,
  UNIQUE (env, env_version, key)
) STRICT;

-- Text longer than a few hundred characters, once. A column of type ANY below holds a text, or its hash where it is
-- long: short text repeats too little to pay for a random page of a hashed table at every insert.
CREATE TABLE texts (hash BLOB NOT NULL PRIMARY KEY, body ANY NOT NULL) STRICT;

-- A conversation is the hash of its last message.
CREATE TABLE messages (
  hash BLOB NOT NULL PRIMARY KEY, parent BLOB REFERENCES messages (hash), role TEXT NOT NULL, train INTEGER NOT NULL,
  text ANY NOT NULL
) STRICT;

CREATE TABLE trees (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  task_id INTEGER NOT NULL REFERENCES tasks (id), repeat INTEGER NOT NULL, seed INTEGER NOT NULL,
  searcher TEXT NOT NULL, searcher_hash TEXT NOT NULL, model TEXT NOT NULL, head BLOB REFERENCES messages (hash),
  root_state ANY, status TEXT NOT NULL DEFAULT 'todo' CHECK (status IN ('todo', 'running', 'done', 'failed')),
  simulations INTEGER NOT NULL DEFAULT 0, n_nodes INTEGER NOT NULL DEFAULT 0, best_reward REAL, stats_json TEXT,
  error TEXT, elapsed_seconds REAL,
  UNIQUE (run_id, iteration, task_id, repeat)
) STRICT;

-- Rows are appended in the order they are made, whatever number of trees is growing: no WITHOUT ROWID here.
-- packing.py says how flags, state and tokens are written.
CREATE TABLE nodes (
  tree_id INTEGER NOT NULL REFERENCES trees (id), node INTEGER NOT NULL, parent INTEGER, response ANY NOT NULL,
  action ANY, observation ANY NOT NULL, reward REAL NOT NULL, score REAL, flags INTEGER NOT NULL,
  copies INTEGER NOT NULL, visits INTEGER NOT NULL, value_sum REAL NOT NULL, state ANY NOT NULL,
  simulation INTEGER NOT NULL, info_json TEXT, completion ANY, tokens BLOB, finish TEXT, prompt_tokens INTEGER,
  cached_tokens INTEGER,
  PRIMARY KEY (tree_id, node)
) STRICT;

CREATE VIEW steps AS
SELECT n.tree_id, n.node, n.parent, coalesce(r.body, n.response) AS response, n.action,
  coalesce(o.body, n.observation) AS observation, n.reward, n.score, n.visits,
  CASE WHEN n.visits > 0 THEN n.value_sum / n.visits END AS value, n.flags & 8 > 0 AS terminal, n.info_json
FROM nodes n LEFT JOIN texts r ON r.hash = n.response LEFT JOIN texts o ON o.hash = n.observation;

CREATE TABLE verdicts (
  tree_id INTEGER NOT NULL REFERENCES trees (id), node INTEGER NOT NULL, critic TEXT NOT NULL, judge_hash TEXT NOT NULL,
  step INTEGER NOT NULL, label TEXT NOT NULL CHECK (label IN ('good', 'bad', 'uncertain')), rationale ANY NOT NULL,
  PRIMARY KEY (tree_id, node, critic, judge_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE revision_sets (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  critic TEXT NOT NULL, config_hash TEXT NOT NULL, config_json TEXT NOT NULL, model TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed')), metrics_json TEXT,
  UNIQUE (run_id, iteration, critic, config_hash)
) STRICT;

CREATE TABLE revised_trees (
  set_id INTEGER NOT NULL REFERENCES revision_sets (id), tree_id INTEGER NOT NULL REFERENCES trees (id),
  metrics_json TEXT,
  PRIMARY KEY (set_id, tree_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE samples (
  set_id INTEGER NOT NULL, tree_id INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('good', 'revision', 'direct')), bad_leaf INTEGER NOT NULL,
  good_leaf INTEGER NOT NULL, divergence INTEGER NOT NULL, cut INTEGER NOT NULL, judged INTEGER NOT NULL,
  verified INTEGER, reward REAL NOT NULL, bad_reward REAL, good_reward REAL, mismatches INTEGER NOT NULL,
  kept INTEGER NOT NULL, conversation BLOB NOT NULL REFERENCES messages (hash), origin_json TEXT,
  PRIMARY KEY (set_id, tree_id, kind, bad_leaf, good_leaf),
  FOREIGN KEY (set_id, tree_id) REFERENCES revised_trees (set_id, tree_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE preferences (
  set_id INTEGER NOT NULL, tree_id INTEGER NOT NULL, node INTEGER NOT NULL, chosen_leaf INTEGER NOT NULL,
  rejected_leaf INTEGER NOT NULL, chosen_reward REAL NOT NULL, rejected_reward REAL NOT NULL,
  chosen BLOB NOT NULL REFERENCES messages (hash), rejected BLOB NOT NULL REFERENCES messages (hash), origin_json TEXT,
  PRIMARY KEY (set_id, tree_id, node, chosen_leaf, rejected_leaf),
  FOREIGN KEY (set_id, tree_id) REFERENCES revised_trees (set_id, tree_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE datasets (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  name TEXT NOT NULL, recipe TEXT NOT NULL, set_id INTEGER REFERENCES revision_sets (id), config_json TEXT NOT NULL,
  content_hash TEXT NOT NULL, n_examples INTEGER NOT NULL,
  UNIQUE (run_id, iteration, name)
) STRICT;

CREATE TABLE dataset_items (
  dataset_id INTEGER NOT NULL REFERENCES datasets (id), position INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('good', 'revision', 'direct', 'general')),
  conversation BLOB NOT NULL REFERENCES messages (hash), origin_json TEXT,
  PRIMARY KEY (dataset_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  dataset_id INTEGER NOT NULL REFERENCES datasets (id), trainer TEXT NOT NULL, base_model TEXT NOT NULL,
  start_model TEXT NOT NULL, path TEXT NOT NULL, step INTEGER NOT NULL, complete INTEGER NOT NULL, metrics_json TEXT,
  created_at TEXT NOT NULL,
  UNIQUE (run_id, iteration, trainer, dataset_id)
) STRICT;

CREATE TABLE evals (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('plain', 'revision_test')), model TEXT NOT NULL, split TEXT NOT NULL,
  config_hash TEXT NOT NULL, config_json TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed')), metrics_json TEXT,
  UNIQUE (run_id, iteration, kind, config_hash)
) STRICT;

CREATE TABLE eval_results (
  eval_id INTEGER NOT NULL REFERENCES evals (id), task_id INTEGER NOT NULL REFERENCES tasks (id),
  repeat INTEGER NOT NULL, reward REAL NOT NULL, score REAL, success INTEGER NOT NULL, steps INTEGER NOT NULL,
  invalid INTEGER NOT NULL, loops INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
  elapsed_seconds REAL, conversation BLOB REFERENCES messages (hash), error TEXT,
  PRIMARY KEY (eval_id, task_id, repeat)
) STRICT, WITHOUT ROWID
"""


#: A dataset is told apart by its content and a checkpoint by how it was trained; a stage knows the row that it made.
#: SQLite cannot change a constraint: both tables are copied. Foreign keys are off while a file is migrated.
_PROVENANCE = """
ALTER TABLE stages ADD COLUMN result_id INTEGER;

CREATE TABLE new_datasets (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  name TEXT NOT NULL, recipe TEXT NOT NULL, set_id INTEGER REFERENCES revision_sets (id), config_json TEXT NOT NULL,
  content_hash TEXT NOT NULL, n_examples INTEGER NOT NULL,
  UNIQUE (run_id, iteration, name, content_hash)
) STRICT;
INSERT INTO new_datasets SELECT * FROM datasets;
DROP TABLE datasets;
ALTER TABLE new_datasets RENAME TO datasets;

CREATE TABLE new_checkpoints (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  dataset_id INTEGER NOT NULL REFERENCES datasets (id), trainer TEXT NOT NULL, base_model TEXT NOT NULL,
  start_model TEXT NOT NULL, path TEXT NOT NULL, step INTEGER NOT NULL, complete INTEGER NOT NULL, metrics_json TEXT,
  created_at TEXT NOT NULL, config_hash TEXT NOT NULL, config_json TEXT NOT NULL,
  UNIQUE (run_id, iteration, trainer, dataset_id, config_hash)
) STRICT;
INSERT INTO new_checkpoints SELECT *, '', '{}' FROM checkpoints;
DROP TABLE checkpoints;
ALTER TABLE new_checkpoints RENAME TO checkpoints;

-- Until now a run's own checkpoint was the newest of its iteration, and its own evaluation came first.
UPDATE stages SET result_id = (
  SELECT max(c.id) FROM checkpoints c
  WHERE c.run_id = stages.run_id AND c.iteration = stages.iteration AND c.complete = 1
) WHERE stage = 'train' AND status = 'done';

UPDATE stages SET result_id = (
  SELECT min(e.id) FROM evals e
  WHERE e.run_id = stages.run_id AND e.iteration = stages.iteration AND e.kind = 'plain'
) WHERE stage = 'evaluate' AND status = 'done'
"""


#: What no run has made use of: a heartbeat that was set once, and the number of a tree among those of its task.
_UNUSED = """
ALTER TABLE runs DROP COLUMN heartbeat_at;

CREATE TABLE new_trees (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  task_id INTEGER NOT NULL REFERENCES tasks (id), seed INTEGER NOT NULL,
  searcher TEXT NOT NULL, searcher_hash TEXT NOT NULL, model TEXT NOT NULL, head BLOB REFERENCES messages (hash),
  root_state ANY, status TEXT NOT NULL DEFAULT 'todo' CHECK (status IN ('todo', 'running', 'done', 'failed')),
  simulations INTEGER NOT NULL DEFAULT 0, n_nodes INTEGER NOT NULL DEFAULT 0, best_reward REAL, stats_json TEXT,
  error TEXT, elapsed_seconds REAL,
  UNIQUE (run_id, iteration, task_id)
) STRICT;
INSERT INTO new_trees SELECT id, run_id, iteration, task_id, seed, searcher, searcher_hash, model, head, root_state,
  status, simulations, n_nodes, best_reward, stats_json, error, elapsed_seconds FROM trees;
DROP TABLE trees;
ALTER TABLE new_trees RENAME TO trees
"""

#: What a run may differ in from the one that it goes on with.
_FREE_SETTINGS = ("concurrency", "plugins", "stages", "out")


def _without_transpositions(db: Database) -> None:
    """Take the option that MCTS no longer has out of stored runs that did without it, so that they can go on."""
    for run_id, text in db.conn.execute("SELECT id, config_json FROM runs").fetchall():
        config = json.loads(text)
        searcher = config.get("searcher") or {}
        before = content_hash(searcher)
        if _drop_transpositions(searcher.get("name", ""), searcher.get("options")):
            identity = {key: value for key, value in config.items() if key not in _FREE_SETTINGS}
            row = (canonical_json(config), content_hash(identity), run_id)
            db.conn.execute("UPDATE runs SET config_json = ?, config_hash = ? WHERE id = ?", row)
            hashes = (content_hash(searcher), run_id, before)
            db.conn.execute("UPDATE trees SET searcher_hash = ? WHERE run_id = ? AND searcher_hash = ?", hashes)
    plugins = "SELECT run_id, name, config_json FROM run_plugins WHERE kind = 'searcher'"
    for run_id, name, text in db.conn.execute(plugins).fetchall():
        options = json.loads(text)
        if _drop_transpositions(name, options):
            row = (canonical_json(options), run_id, name)
            update = "UPDATE run_plugins SET config_json = ? WHERE run_id = ? AND kind = 'searcher' AND name = ?"
            db.conn.execute(update, row)


def _drop_transpositions(searcher: str, options: dict[str, Any] | None) -> bool:
    """Whether ``options`` are those of an MCTS that did not use transpositions; the option is then taken out."""
    ours = searcher == "mcts" or searcher.startswith("agentr_mcts")
    if not ours or not options or options.get("transpositions") is not False:
        return False
    del options["transpositions"]
    return True


#: What went otherwise than it should, as numbers: by stage, and how often a tree or an episode had to be tried again.
_ACCOUNT = """
ALTER TABLE trees ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;

ALTER TABLE eval_results ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;

ALTER TABLE eval_results ADD COLUMN cut_off INTEGER NOT NULL DEFAULT 0;

ALTER TABLE eval_results ADD COLUMN context_full INTEGER NOT NULL DEFAULT 0;

CREATE TABLE accounts (
  run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL, stage TEXT NOT NULL, name TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (run_id, iteration, stage, name)
) STRICT, WITHOUT ROWID
"""

#: For people with a SQL shell (docs/database.md): all text as text, flags by name, attempts step by step.
_VIEWS = """
ALTER TABLE eval_results ADD COLUMN shown_in_part INTEGER NOT NULL DEFAULT 0;

DROP VIEW steps;

CREATE VIEW steps AS
SELECT trees.run_id, trees.iteration, tasks.key AS task, n.tree_id, n.node, n.parent,
  coalesce(r.body, n.response) AS response, n.action, coalesce(o.body, n.observation) AS observation, n.reward, n.score,
  n.copies, n.visits, CASE WHEN n.visits > 0 THEN n.value_sum / n.visits END AS value, n.simulation,
  n.flags & 1 > 0 AS terminated, n.flags & 2 > 0 AS truncated, n.flags & 4 > 0 AS invalid, n.flags & 8 > 0 AS terminal,
  n.flags & 16 > 0 AS exhausted, n.flags & 32 > 0 AS expanded, coalesce(n.finish = 'length', 0) AS cut_off, n.info_json
FROM nodes n JOIN trees ON trees.id = n.tree_id JOIN tasks ON tasks.id = trees.task_id
LEFT JOIN texts r ON r.hash = n.response LEFT JOIN texts o ON o.hash = n.observation;

CREATE VIEW paths AS
WITH RECURSIVE up (tree_id, leaf, reward, node, back) AS (
  SELECT tree_id, node, reward, node, 0 FROM nodes
  WHERE flags & 8 > 0 AND parent IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM nodes below WHERE below.tree_id = nodes.tree_id AND below.parent = nodes.node)
  UNION ALL
  SELECT up.tree_id, up.leaf, up.reward, n.parent, up.back + 1
  FROM up JOIN nodes n ON n.tree_id = up.tree_id AND n.node = up.node WHERE n.parent > 0
)
SELECT tree_id, leaf, reward, row_number() OVER (PARTITION BY tree_id, leaf ORDER BY back DESC) AS step, node FROM up;

CREATE VIEW turns AS
WITH RECURSIVE ends (conversation) AS (
  SELECT head FROM trees WHERE head IS NOT NULL
  UNION SELECT conversation FROM samples UNION SELECT conversation FROM dataset_items
  UNION SELECT chosen FROM preferences UNION SELECT rejected FROM preferences
  UNION SELECT conversation FROM eval_results WHERE conversation IS NOT NULL
), up (conversation, message, back) AS (
  SELECT conversation, conversation, 0 FROM ends
  UNION ALL
  SELECT up.conversation, m.parent, up.back + 1 FROM up JOIN messages m ON m.hash = up.message
  WHERE m.parent IS NOT NULL
)
SELECT up.conversation, row_number() OVER (PARTITION BY up.conversation ORDER BY up.back DESC) - 1 AS turn, m.role,
  m.train, coalesce(t.body, m.text) AS text
FROM up JOIN messages m ON m.hash = up.message LEFT JOIN texts t ON t.hash = m.text
"""

#: A dataset is conversations, or a view of trees (store/datasets.py).
_READS = "ALTER TABLE datasets ADD COLUMN reads TEXT NOT NULL DEFAULT 'conversations'"

#: What a critic that reckons values expected after the step (records.py: Verdict).
_VALUES = "ALTER TABLE verdicts ADD COLUMN value REAL"


def migrations() -> Migrations:
    """The core's migrations in order; sqlite-utils is imported here and nowhere earlier."""
    from sqlite_utils import Migrations

    ours = Migrations("agentr")

    @ours()
    def initial(db: Database) -> None:
        _execute(db, _INITIAL)

    @ours()
    def provenance(db: Database) -> None:
        _execute(db, _PROVENANCE)

    @ours()
    def without_the_unused(db: Database) -> None:
        _execute(db, _UNUSED)
        _without_transpositions(db)

    @ours()
    def account(db: Database) -> None:
        _execute(db, _ACCOUNT)

    @ours()
    def views(db: Database) -> None:
        _execute(db, _VIEWS)

    @ours()
    def reads(db: Database) -> None:
        _execute(db, _READS)

    @ours()
    def values(db: Database) -> None:
        _execute(db, _VALUES)

    return ours


def _execute(db: Database, script: str) -> None:
    """Run the statements one by one: ``executescript`` would commit the transaction around them."""
    for statement in script.split(";"):
        db.conn.execute(statement)
