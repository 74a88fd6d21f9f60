-- A run that the code of schema 2 wrote and that was killed in the middle of its search: one tree done, one half grown.
PRAGMA application_id=1634169970;
PRAGMA user_version=2;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'agentr','initial','2026-11-28 06:10:00.718157+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'agentr','provenance','2026-11-28 06:10:00.737628+00:00');
CREATE TABLE "checkpoints" (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  dataset_id INTEGER NOT NULL REFERENCES datasets (id), trainer TEXT NOT NULL, base_model TEXT NOT NULL,
  start_model TEXT NOT NULL, path TEXT NOT NULL, step INTEGER NOT NULL, complete INTEGER NOT NULL, metrics_json TEXT,
  created_at TEXT NOT NULL, config_hash TEXT NOT NULL, config_json TEXT NOT NULL,
  UNIQUE (run_id, iteration, trainer, dataset_id, config_hash)
) STRICT;
CREATE TABLE dataset_items (
  dataset_id INTEGER NOT NULL REFERENCES datasets (id), position INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('good', 'revision', 'direct', 'general')),
  conversation BLOB NOT NULL REFERENCES messages (hash), origin_json TEXT,
  PRIMARY KEY (dataset_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE "datasets" (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  name TEXT NOT NULL, recipe TEXT NOT NULL, set_id INTEGER REFERENCES revision_sets (id), config_json TEXT NOT NULL,
  content_hash TEXT NOT NULL, n_examples INTEGER NOT NULL,
  UNIQUE (run_id, iteration, name, content_hash)
) STRICT;
CREATE TABLE eval_results (
  eval_id INTEGER NOT NULL REFERENCES evals (id), task_id INTEGER NOT NULL REFERENCES tasks (id),
  repeat INTEGER NOT NULL, reward REAL NOT NULL, score REAL, success INTEGER NOT NULL, steps INTEGER NOT NULL,
  invalid INTEGER NOT NULL, loops INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
  elapsed_seconds REAL, conversation BLOB REFERENCES messages (hash), error TEXT,
  PRIMARY KEY (eval_id, task_id, repeat)
) STRICT, WITHOUT ROWID
;
INSERT INTO "eval_results" VALUES(1,1,0,1.0,1.0,1,4,0,0,0,0,3.14752499980386346578e-03,X'C33F503584AC3CE6909D6542AAB30A7D',NULL);
INSERT INTO "eval_results" VALUES(1,2,0,1.0,1.0,1,6,0,0,0,0,3.28966000006403191946e-03,X'4ADFF7D3BAF6A49AC3E5786ACF7F0572',NULL);
CREATE TABLE evals (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('plain', 'revision_test')), model TEXT NOT NULL, split TEXT NOT NULL,
  config_hash TEXT NOT NULL, config_json TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed')), metrics_json TEXT,
  UNIQUE (run_id, iteration, kind, config_hash)
) STRICT;
INSERT INTO "evals" VALUES(1,1,0,'plain','flawed-0.2-0.9','test','e28178f63c58ed86fbc9df35f1715adf','{"env":{"name":"textcraft","options":{"depth":2,"distractors":10,"max_steps":40,"rules":"agentgym","seed":0,"world":"synthetic"}},"max_tokens":48,"max_turns":20,"model":"flawed-0.2-0.9","revision_action":"revise","revision_tasks":40,"revision_test":true,"revision_turns":12,"seed":0,"split":"test","tasks":2,"temperature":0.0}','done','{"completion_tokens":0.0,"failed":0.0,"invalid":0.0,"loops":0.0,"prompt_tokens":0.0,"repeats_1":1.0,"repeats_2":1.0,"repeats_3":1.0,"repeats_4":1.0,"reward":1.0,"reward_error":0.0,"steps":5.0,"success":1.0,"success_high":1.0,"success_low":0.3423802275066531,"tasks":2.0}');
CREATE TABLE messages (
  hash BLOB NOT NULL PRIMARY KEY, parent BLOB REFERENCES messages (hash), role TEXT NOT NULL, train INTEGER NOT NULL,
  text ANY NOT NULL
) STRICT;
INSERT INTO "messages" VALUES(X'D5BA4FF8182787E6CE3CF08BF714EC71',NULL,'system',0,X'9393BF80DDCAE7648FBF0C145027CB1F');
INSERT INTO "messages" VALUES(X'1CD3B9671375FEEA1EBEC88FE06B6D49',X'D5BA4FF8182787E6CE3CF08BF714EC71','user',0,X'CCA5E82CBDBA3E1043CB590F89E8B6CB');
INSERT INTO "messages" VALUES(X'3704A2B8C930AA7A8B3331B7432D99C6',X'1CD3B9671375FEEA1EBEC88FE06B6D49','assistant',0,'Thought: Step 1 of 4, I think.
Action: get 2 rala sand');
INSERT INTO "messages" VALUES(X'92E766C39126520A8589AEC5E05BC577',X'3704A2B8C930AA7A8B3331B7432D99C6','user',0,'Got 2 rala sand');
INSERT INTO "messages" VALUES(X'97FCED4F4DDAC757D927F62D0CFCC277',X'92E766C39126520A8589AEC5E05BC577','assistant',0,'Thought: Step 2 of 4, I think.
Action: get 2 quilil ore');
INSERT INTO "messages" VALUES(X'F0153D97977AF3DDC2BF619A381C00A7',X'97FCED4F4DDAC757D927F62D0CFCC277','user',0,'Got 2 quilil ore');
INSERT INTO "messages" VALUES(X'FA5731A007C145E241BB0594EA19E05F',X'F0153D97977AF3DDC2BF619A381C00A7','assistant',0,'Thought: Step 3 of 4, I think.
Action: get 3 jorune fibre');
INSERT INTO "messages" VALUES(X'6CBA6AF46A51E551561BB1E76CAFE0B6',X'FA5731A007C145E241BB0594EA19E05F','user',0,'Got 3 jorune fibre');
INSERT INTO "messages" VALUES(X'9DCB9E3638FBF6FD82ED025DB0787B33',X'6CBA6AF46A51E551561BB1E76CAFE0B6','assistant',0,'Thought: Step 4 of 4, I think.
Action: craft 2 baleth clock using 2 rala sand, 2 quilil ore, 3 jorune fibre');
INSERT INTO "messages" VALUES(X'C33F503584AC3CE6909D6542AAB30A7D',X'9DCB9E3638FBF6FD82ED025DB0787B33','user',0,'Crafted 2 synthetic:baleth_clock');
INSERT INTO "messages" VALUES(X'C354E3C27975746B8875B0E9C34B892D',X'D5BA4FF8182787E6CE3CF08BF714EC71','user',0,X'60FC6DB91FF9AF0CBF1E39AFD5A00FD7');
INSERT INTO "messages" VALUES(X'7EBA36E20387702A088189DF898E1146',X'C354E3C27975746B8875B0E9C34B892D','assistant',0,'Thought: Step 1 of 6, I think.
Action: get 2 rala sand');
INSERT INTO "messages" VALUES(X'B6A7D004EFBEED8B79B73CB1D8E43066',X'7EBA36E20387702A088189DF898E1146','user',0,'Got 2 rala sand');
INSERT INTO "messages" VALUES(X'F26637B5E5F1D71E5CC884D64FC68F3E',X'B6A7D004EFBEED8B79B73CB1D8E43066','assistant',0,'Thought: Step 2 of 6, I think.
Action: get 2 quilil ore');
INSERT INTO "messages" VALUES(X'5692536E6565D05E6FF4937DA79EA93B',X'F26637B5E5F1D71E5CC884D64FC68F3E','user',0,'Got 2 quilil ore');
INSERT INTO "messages" VALUES(X'E89EBAC3B74571953FBAC28876F32A83',X'5692536E6565D05E6FF4937DA79EA93B','assistant',0,'Thought: Step 3 of 6, I think.
Action: get 3 jorune fibre');
INSERT INTO "messages" VALUES(X'BA6F4BE00349F1653EBE7206D79EDA00',X'E89EBAC3B74571953FBAC28876F32A83','user',0,'Got 3 jorune fibre');
INSERT INTO "messages" VALUES(X'7D4B3F9665B57AECD3C4077F9ACD1A0A',X'BA6F4BE00349F1653EBE7206D79EDA00','assistant',0,'Thought: Step 4 of 6, I think.
Action: craft 2 baleth clock using 2 rala sand, 2 quilil ore, 3 jorune fibre');
INSERT INTO "messages" VALUES(X'CD8D1B00AF0EFF5E2E4D5A43A07359B2',X'7D4B3F9665B57AECD3C4077F9ACD1A0A','user',0,'Crafted 2 synthetic:baleth_clock');
INSERT INTO "messages" VALUES(X'163BEE83EE847AB12461CCDE967AC1AB',X'CD8D1B00AF0EFF5E2E4D5A43A07359B2','assistant',0,'Thought: Step 5 of 6, I think.
Action: get 3 kelil fibre');
INSERT INTO "messages" VALUES(X'BC184231E7428F13B83A0853005234EF',X'163BEE83EE847AB12461CCDE967AC1AB','user',0,'Got 3 kelil fibre');
INSERT INTO "messages" VALUES(X'F83330BA8FF6CE9C8D70BD324A4C7C6C',X'BC184231E7428F13B83A0853005234EF','assistant',0,'Thought: Step 6 of 6, I think.
Action: craft 1 raleth lamp using 1 baleth clock, 3 kelil fibre');
INSERT INTO "messages" VALUES(X'4ADFF7D3BAF6A49AC3E5786ACF7F0572',X'F83330BA8FF6CE9C8D70BD324A4C7C6C','user',0,'Crafted 1 synthetic:raleth_lamp');
INSERT INTO "messages" VALUES(X'00E578DA982628F0D9977E2EC8F6E333',X'D5BA4FF8182787E6CE3CF08BF714EC71','user',0,'Crafting commands:
craft 1 hulic coil using 1 quilic lens, 1 wenor fibre, 3 veketh sand
craft 1 silune blade using 1 veketh sand
craft 2 vekic bowl using 1 silune blade, 3 veketh sand, 2 iveleth sand

Goal: craft silune blade.');
INSERT INTO "messages" VALUES(X'1722980D255AD03CD44DA9E15A98F951',X'00E578DA982628F0D9977E2EC8F6E333','assistant',1,'Thought: Step 1 of 2, I think.
Action: get 1 veketh sand');
INSERT INTO "messages" VALUES(X'54F13006151A10DD4C77E7101E2DB0C3',X'1722980D255AD03CD44DA9E15A98F951','user',0,'Got 1 veketh sand');
INSERT INTO "messages" VALUES(X'C8C5F5CE860C66100588D9C765FF91A0',X'54F13006151A10DD4C77E7101E2DB0C3','assistant',1,'Thought: Step 2 of 2, I think.
Action: craft 1 silune blade using 1 veketh sand');
INSERT INTO "messages" VALUES(X'C4DAAFDF6E80630AB0FA4640D410BF84',X'C8C5F5CE860C66100588D9C765FF91A0','user',0,'Crafted 1 synthetic:silune_blade');
INSERT INTO "messages" VALUES(X'32358875D28AD320D0458E36522D9AC8',X'54F13006151A10DD4C77E7101E2DB0C3','assistant',1,'Thought: Step 2 of 2, I think.
Action: get 1 veketh sand');
INSERT INTO "messages" VALUES(X'E21FF3C5BF72AC66BEA14F6C64D58A19',X'32358875D28AD320D0458E36522D9AC8','user',0,'Got 1 veketh sand');
INSERT INTO "messages" VALUES(X'1C14AEC4BAAD39722FE828E179CF8615',X'E21FF3C5BF72AC66BEA14F6C64D58A19','assistant',1,'Thought: Step 2 of 2, I think.
Action: craft 1 silune blade using 1 veketh sand');
INSERT INTO "messages" VALUES(X'27120274F0FE55C861A1C49A2D26A554',X'1C14AEC4BAAD39722FE828E179CF8615','user',0,'Crafted 1 synthetic:silune_blade');
INSERT INTO "messages" VALUES(X'A40B4870B93D9C175CEDA8B15164FBCA',X'D5BA4FF8182787E6CE3CF08BF714EC71','user',0,X'F8CD36B54631B9FC076AD9E3BC83306E');
CREATE TABLE metrics (
  run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL, stage TEXT NOT NULL, name TEXT NOT NULL,
  step INTEGER NOT NULL, value REAL,
  PRIMARY KEY (run_id, iteration, stage, name, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE nodes (
  tree_id INTEGER NOT NULL REFERENCES trees (id), node INTEGER NOT NULL, parent INTEGER, response ANY NOT NULL,
  action ANY, observation ANY NOT NULL, reward REAL NOT NULL, score REAL, flags INTEGER NOT NULL,
  copies INTEGER NOT NULL, visits INTEGER NOT NULL, value_sum REAL NOT NULL, state ANY NOT NULL,
  simulation INTEGER NOT NULL, info_json TEXT, completion ANY, tokens BLOB, finish TEXT, prompt_tokens INTEGER,
  cached_tokens INTEGER,
  PRIMARY KEY (tree_id, node)
) STRICT;
INSERT INTO "nodes" VALUES(1,0,NULL,'',NULL,'Crafting commands:
craft 1 hulic coil using 1 quilic lens, 1 wenor fibre, 3 veketh sand
craft 1 silune blade using 1 veketh sand
craft 2 vekic bowl using 1 silune blade, 3 veketh sand, 2 iveleth sand

Goal: craft silune blade.',0.0,0.0,48,1,2,2.0,'synthetic:silune_blade|0|',1,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "nodes" VALUES(1,1,0,'Thought: Step 1 of 2, I think.
Action: get 1 veketh sand','get 1 veketh sand','Got 1 veketh sand',0.0,0.0,48,2,2,2.0,'synthetic:silune_blade|0|synthetic:veketh_sand=1',1,NULL,NULL,NULL,'stop',0,0);
INSERT INTO "nodes" VALUES(1,2,1,'Thought: Step 2 of 2, I think.
Action: get 1 veketh sand','get 1 veketh sand','Got 1 veketh sand',0.0,0.0,48,1,1,1.0,'synthetic:silune_blade|0|synthetic:veketh_sand=2',1,NULL,NULL,NULL,'stop',0,0);
INSERT INTO "nodes" VALUES(1,3,1,'Thought: Step 2 of 2, I think.
Action: craft 1 silune blade using 1 veketh sand','craft 1 silune blade using 1 veketh sand','Crafted 1 synthetic:silune_blade',1.0,1.0,9,1,1,1.0,'synthetic:silune_blade|1|synthetic:silune_blade=1',1,NULL,NULL,NULL,'stop',0,0);
INSERT INTO "nodes" VALUES(1,4,2,'Thought: Step 2 of 2, I think.
Action: craft 1 silune blade using 1 veketh sand','craft 1 silune blade using 1 veketh sand','Crafted 1 synthetic:silune_blade',1.0,1.0,9,2,1,1.0,'synthetic:silune_blade|1|synthetic:veketh_sand=1,synthetic:silune_blade=1',1,NULL,NULL,NULL,'stop',0,0);
INSERT INTO "nodes" VALUES(2,0,NULL,'',NULL,X'F8CD36B54631B9FC076AD9E3BC83306E',0.0,0.0,32,1,2,2.0,'synthetic:jorium_loom|0|',1,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "nodes" VALUES(2,1,0,'Thought: Step 1 of 4, I think.
Action: please make it somehow','please make it somehow','Could not execute please make it somehow',0.0,0.0,4,1,0,0.0,'synthetic:jorium_loom|0|',1,'{"invalid":true}',NULL,NULL,'stop',0,0);
INSERT INTO "nodes" VALUES(2,2,0,'Thought: Step 1 of 4, I think.
Action: get 1 bala shell','get 1 bala shell','Got 1 bala shell',0.0,0.0,48,1,2,2.0,'synthetic:jorium_loom|0|synthetic:bala_shell=1',1,NULL,NULL,NULL,'stop',0,0);
INSERT INTO "nodes" VALUES(2,3,2,'Thought: Step 2 of 4, I think.
Action: get 3 wenor root','get 3 wenor root','Got 3 wenor root',0.0,0.0,48,2,2,2.0,'synthetic:jorium_loom|0|synthetic:bala_shell=1,synthetic:wenor_root=3',1,NULL,NULL,NULL,'stop',0,0);
INSERT INTO "nodes" VALUES(2,4,3,'Thought: Step 3 of 4, I think.
Action: get 3 pelor resin','get 3 pelor resin','Got 3 pelor resin',0.0,0.0,48,2,2,2.0,'synthetic:jorium_loom|0|synthetic:bala_shell=1,synthetic:wenor_root=3,synthetic:pelor_resin=3',1,NULL,NULL,NULL,'stop',0,0);
INSERT INTO "nodes" VALUES(2,5,4,'Thought: Step 4 of 4, I think.
Action: craft 1 jorium loom using 1 bala shell, 3 wenor root, 3 pelor resin','craft 1 jorium loom using 1 bala shell, 3 wenor root, 3 pelor resin','Crafted 1 synthetic:jorium_loom',1.0,1.0,9,1,1,1.0,'synthetic:jorium_loom|1|synthetic:jorium_loom=1',1,NULL,NULL,NULL,'stop',0,0);
INSERT INTO "nodes" VALUES(2,6,4,'Thought: Step 4 of 4, I think.
Action: craft 3 jorium loom using 1 bala shell, 3 wenor root, 3 pelor resin','craft 3 jorium loom using 1 bala shell, 3 wenor root, 3 pelor resin','Crafted 1 synthetic:jorium_loom',1.0,1.0,9,1,1,1.0,'synthetic:jorium_loom|1|synthetic:jorium_loom=1',1,NULL,NULL,NULL,'stop',0,0);
CREATE TABLE preferences (
  set_id INTEGER NOT NULL, tree_id INTEGER NOT NULL, node INTEGER NOT NULL, chosen_leaf INTEGER NOT NULL,
  rejected_leaf INTEGER NOT NULL, chosen_reward REAL NOT NULL, rejected_reward REAL NOT NULL,
  chosen BLOB NOT NULL REFERENCES messages (hash), rejected BLOB NOT NULL REFERENCES messages (hash), origin_json TEXT,
  PRIMARY KEY (set_id, tree_id, node, chosen_leaf, rejected_leaf),
  FOREIGN KEY (set_id, tree_id) REFERENCES revised_trees (set_id, tree_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE revised_trees (
  set_id INTEGER NOT NULL REFERENCES revision_sets (id), tree_id INTEGER NOT NULL REFERENCES trees (id),
  metrics_json TEXT,
  PRIMARY KEY (set_id, tree_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "revised_trees" VALUES(1,1,'{"cut_sum":0,"good":2,"judge_tokens":0,"judged":0,"mismatches":0,"pairs":0,"revisions":0,"tried":0,"verdicts":0,"verified":0}');
CREATE TABLE revision_sets (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  critic TEXT NOT NULL, config_hash TEXT NOT NULL, config_json TEXT NOT NULL, model TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed')), metrics_json TEXT,
  UNIQUE (run_id, iteration, critic, config_hash)
) STRICT;
INSERT INTO "revision_sets" VALUES(1,1,1,'actor','d5dedbe86e8cd9d21712b9266d3a4e98','{"actor":"flawed-0.2-0.9","critic":{"name":"actor","options":{"max_tokens":48,"temperature":0.0,"votes":1}},"revise":{"alpha":[0.5,0.7,1.0],"beta":0.2,"beta_mode":"gap","max_pairs_per_leaf":4,"max_pairs_per_tree":32,"repairs":1,"revision_action":"revise","splice":"verified","train_refused":false},"seed":0}','flawed-0.2-0.9','running',NULL);
CREATE TABLE run_plugins (
  run_id INTEGER NOT NULL REFERENCES runs (id), kind TEXT NOT NULL, name TEXT NOT NULL, distribution TEXT NOT NULL,
  version TEXT NOT NULL, target TEXT NOT NULL, config_json TEXT NOT NULL,
  PRIMARY KEY (run_id, kind, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_plugins" VALUES(1,'critic','actor','agentr-core','0.1.0','agentr_critics.judged:ActorCritic','{"max_tokens":48,"temperature":0.0,"votes":1}');
INSERT INTO "run_plugins" VALUES(1,'env','textcraft','agentr-core','0.1.0','agentr_textcraft.env:TextCraft','{"depth":2,"distractors":10,"max_steps":40,"rules":"agentgym","seed":0,"world":"synthetic"}');
INSERT INTO "run_plugins" VALUES(1,'policy','flawed','agentr-core','0.1.0','agentr_scripted.flawed:FlawedPolicy','{"judge_accuracy":0.9,"rate":0.2}');
INSERT INTO "run_plugins" VALUES(1,'searcher','mcts','agentr-core','0.1.0','agentr_mcts.search:MCTS','{"c_uct":0.25,"depth":4,"leaves_in_flight":1,"max_tokens":48,"merge":"action","samples":2,"simulations":2,"stop":[],"temperature":1.0,"top_p":1.0,"transpositions":false}');
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT, command TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
  config_json TEXT NOT NULL, config_hash TEXT NOT NULL, seed INTEGER NOT NULL, agentr_version TEXT NOT NULL,
  host TEXT NOT NULL, pid INTEGER NOT NULL, heartbeat_at TEXT NOT NULL, created_at TEXT NOT NULL, finished_at TEXT,
  error TEXT
) STRICT;
INSERT INTO "runs" VALUES(1,'01M8GCCQDCZNX061FE0D97W6YT',NULL,'run','running','{"concurrency":64,"critic":{"name":"actor","options":{"max_tokens":48,"temperature":0.0,"votes":1}},"data":{"eta":1.0,"general":null,"max_good_per_tree":8,"max_revisions_per_tree":16,"prefer":"short","recipe":"agent-r"},"env":{"name":"textcraft","options":{"depth":2,"distractors":10,"max_steps":40,"rules":"agentgym","seed":0,"world":"synthetic"}},"evaluate":{"max_tokens":48,"max_turns":20,"revision_tasks":40,"revision_test":true,"revision_turns":12,"split":"test","tasks":2,"temperature":0.0},"iterations":1,"out":null,"plugins":[],"policy":{"name":"flawed","options":{"judge_accuracy":0.9,"rate":0.2}},"revise":{"alpha":[0.5,0.7,1.0],"beta":0.2,"beta_mode":"gap","max_pairs_per_leaf":4,"max_pairs_per_tree":32,"repairs":1,"revision_action":"revise","splice":"verified","train_refused":false},"search":{"rotate":true,"split":"train","tasks":2},"searcher":{"name":"mcts","options":{"c_uct":0.25,"depth":4,"leaves_in_flight":1,"max_tokens":48,"merge":"action","samples":2,"simulations":2,"stop":[],"temperature":1.0,"top_p":1.0,"transpositions":false}},"seed":0,"stages":["search","revise","train","evaluate"],"start_from":"previous","trainer":{"name":"none","options":{}}}','e2bd5906e148e8448e535806c5015e60',0,'0.1.0','elsewhere.example',1,'2026-11-28T06:10:00.748+00:00','2026-11-28T06:10:00.748+00:00',NULL,NULL);
CREATE TABLE samples (
  set_id INTEGER NOT NULL, tree_id INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('good', 'revision', 'direct')), bad_leaf INTEGER NOT NULL,
  good_leaf INTEGER NOT NULL, divergence INTEGER NOT NULL, cut INTEGER NOT NULL, judged INTEGER NOT NULL,
  verified INTEGER, reward REAL NOT NULL, bad_reward REAL, good_reward REAL, mismatches INTEGER NOT NULL,
  kept INTEGER NOT NULL, conversation BLOB NOT NULL REFERENCES messages (hash), origin_json TEXT,
  PRIMARY KEY (set_id, tree_id, kind, bad_leaf, good_leaf),
  FOREIGN KEY (set_id, tree_id) REFERENCES revised_trees (set_id, tree_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "samples" VALUES(1,1,'good',-1,3,0,0,1,NULL,1.0,NULL,1.0,0,1,X'C4DAAFDF6E80630AB0FA4640D410BF84',NULL);
INSERT INTO "samples" VALUES(1,1,'good',-1,4,0,0,1,NULL,1.0,NULL,1.0,0,1,X'27120274F0FE55C861A1C49A2D26A554',NULL);
CREATE TABLE stages (
  run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL, stage TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('todo', 'running', 'done', 'failed')), metrics_json TEXT,
  started_at TEXT, finished_at TEXT, result_id INTEGER,
  PRIMARY KEY (run_id, iteration, stage)
) STRICT, WITHOUT ROWID;
INSERT INTO "stages" VALUES(1,0,'evaluate','done','{"completion_tokens":0.0,"failed":0.0,"invalid":0.0,"loops":0.0,"prompt_tokens":0.0,"repeats_1":1.0,"repeats_2":1.0,"repeats_3":1.0,"repeats_4":1.0,"reward":1.0,"reward_error":0.0,"steps":5.0,"success":1.0,"success_high":1.0,"success_low":0.3423802275066531,"tasks":2.0}','2026-11-28T06:10:00.862+00:00','2026-11-28T06:10:00.978+00:00',1);
INSERT INTO "stages" VALUES(1,1,'search','running',NULL,'2026-11-28T06:10:00.978+00:00',NULL,NULL);
CREATE TABLE tasks (
  id INTEGER PRIMARY KEY, env TEXT NOT NULL, env_version TEXT NOT NULL, key TEXT NOT NULL, split TEXT NOT NULL,
  instruction TEXT NOT NULL, metadata_json TEXT,
  UNIQUE (env, env_version, key)
) STRICT;
INSERT INTO "tasks" VALUES(1,'textcraft','textcraft-1/agentgym/db41eed787a97389/seed=0/distractors=10/max_steps=40','synthetic_11','test','craft baleth clock','{"depth":1,"goal":"baleth clock"}');
INSERT INTO "tasks" VALUES(2,'textcraft','textcraft-1/agentgym/db41eed787a97389/seed=0/distractors=10/max_steps=40','synthetic_27','test','craft raleth lamp','{"depth":2,"goal":"raleth lamp"}');
INSERT INTO "tasks" VALUES(3,'textcraft','textcraft-1/agentgym/db41eed787a97389/seed=0/distractors=10/max_steps=40','synthetic_7','train','craft silune blade','{"depth":1,"goal":"silune blade"}');
INSERT INTO "tasks" VALUES(4,'textcraft','textcraft-1/agentgym/db41eed787a97389/seed=0/distractors=10/max_steps=40','synthetic_10','train','craft jorium loom','{"depth":1,"goal":"jorium loom"}');
CREATE TABLE texts (hash BLOB NOT NULL PRIMARY KEY, body ANY NOT NULL) STRICT;
INSERT INTO "texts" VALUES(X'9393BF80DDCAE7648FBF0C145027CB1F','You are playing a crafting game. You are shown a list of crafting commands and a goal, and you start with nothing. Make the goal item, one action at a time. There are three actions:
- get N ITEM: fetch N of an item. Only items that no command makes can be fetched.
- craft N ITEM using N ITEM, N ITEM: carry out one of the listed commands. You must carry all of its ingredients.
- inventory: see what you carry.
Some commands name a kind of item, such as planks, where any item of that kind will do: name the one you carry, such as oak planks. Some commands are of no use for your goal. Names are written exactly as the commands write them, in small letters and with the very same numbers.
Answer each time with your reasoning and then exactly one action, in this form:
Thought: ...
Action: ...');
INSERT INTO "texts" VALUES(X'CCA5E82CBDBA3E1043CB590F89E8B6CB','Crafting commands:
craft 1 raleth disc using 1 quilil ore, 2 wenor root
craft 2 baleth clock using 2 rala sand, 2 quilil ore, 3 jorune fibre
craft 2 peleth tube using 1 narium frame, 1 quilil ore
craft 2 hulune disc using 1 any level 1 part, 2 toril resin, 2 jorune fibre
craft 1 pelil valve using 1 jorune fibre, 1 morium resin, 3 toreth root
craft 2 joric tube using 1 quilil ore, 2 morium resin

Goal: craft baleth clock.');
INSERT INTO "texts" VALUES(X'60FC6DB91FF9AF0CBF1E39AFD5A00FD7','Crafting commands:
craft 1 raleth lamp using 1 baleth clock, 3 kelil fibre
craft 2 hulune disc using 1 any level 1 part, 2 toril resin, 2 jorune fibre
craft 2 joric tube using 1 quilil ore, 2 morium resin
craft 1 quileth lens using 2 kelil fibre
craft 2 baleth clock using 2 rala sand, 2 quilil ore, 3 jorune fibre
craft 1 raleth disc using 1 quilil ore, 2 wenor root
craft 1 pelil valve using 1 jorune fibre, 1 morium resin, 3 toreth root
craft 2 peleth tube using 1 narium frame, 1 quilil ore
craft 1 morane disc using 2 any level 1 part, 2 yareth clay, 2 baleth clock
craft 1 corane coil using 1 kelil fibre, 3 quilic ore

Goal: craft raleth lamp.');
INSERT INTO "texts" VALUES(X'F8CD36B54631B9FC076AD9E3BC83306E','Crafting commands:
craft 1 quilane wire using 2 iveleth root, 2 pelor resin
craft 1 kelil bowl using 1 quilic ore, 1 pelor resin
craft 1 jorune rod using 1 corane coil, 2 bala shell, 1 raleth disc
craft 1 jorium loom using 1 bala shell, 3 wenor root, 3 pelor resin
craft 4 goreth gear using 2 bala shell
craft 1 raleth disc using 1 quilil ore, 2 wenor root
craft 1 narium frame using 1 bala shell
craft 4 dreneth frame using 2 narium frame, 3 bala shell, 1 wenor fibre

Goal: craft jorium loom.');
CREATE TABLE trees (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), iteration INTEGER NOT NULL,
  task_id INTEGER NOT NULL REFERENCES tasks (id), repeat INTEGER NOT NULL, seed INTEGER NOT NULL,
  searcher TEXT NOT NULL, searcher_hash TEXT NOT NULL, model TEXT NOT NULL, head BLOB REFERENCES messages (hash),
  root_state ANY, status TEXT NOT NULL DEFAULT 'todo' CHECK (status IN ('todo', 'running', 'done', 'failed')),
  simulations INTEGER NOT NULL DEFAULT 0, n_nodes INTEGER NOT NULL DEFAULT 0, best_reward REAL, stats_json TEXT,
  error TEXT, elapsed_seconds REAL,
  UNIQUE (run_id, iteration, task_id, repeat)
) STRICT;
INSERT INTO "trees" VALUES(1,1,1,3,0,27218847791212064,'mcts','fe2937e7d6273e31a88bc48bbed7f96f','flawed-0.2-0.9',X'00E578DA982628F0D9977E2EC8F6E333','synthetic:silune_blade|0|','done',1,5,1.0,'{"cached_tokens":0,"completion_tokens":0,"environment_memo_hits":0,"environment_mismatches":0,"environment_resets":1,"environment_restores":3,"environment_seconds":0.0006861759998173511,"environment_steps":4,"policy_seconds":0.0006261660005293379,"prompt_tokens":0,"requests":3,"samples":6,"store_seconds":0.0013206079997871711}',NULL,6.93492899972625309601e-03);
INSERT INTO "trees" VALUES(2,1,1,4,0,8884147428514772534,'mcts','fe2937e7d6273e31a88bc48bbed7f96f','flawed-0.2-0.9',X'A40B4870B93D9C175CEDA8B15164FBCA','synthetic:jorium_loom|0|','running',1,7,NULL,NULL,NULL,NULL);
CREATE TABLE verdicts (
  tree_id INTEGER NOT NULL REFERENCES trees (id), node INTEGER NOT NULL, critic TEXT NOT NULL, judge_hash TEXT NOT NULL,
  step INTEGER NOT NULL, label TEXT NOT NULL CHECK (label IN ('good', 'bad', 'uncertain')), rationale ANY NOT NULL,
  PRIMARY KEY (tree_id, node, critic, judge_hash)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE VIEW steps AS
SELECT n.tree_id, n.node, n.parent, coalesce(r.body, n.response) AS response, n.action,
  coalesce(o.body, n.observation) AS observation, n.reward, n.score, n.visits,
  CASE WHEN n.visits > 0 THEN n.value_sum / n.visits END AS value, n.flags & 8 > 0 AS terminal, n.info_json
FROM nodes n LEFT JOIN texts r ON r.hash = n.response LEFT JOIN texts o ON o.hash = n.observation;
COMMIT;
