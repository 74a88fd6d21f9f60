from __future__ import annotations

from tiny_trees import tiny_trees as tiny_trees
from tiny_trees import train_on as train_on
from training_fixtures import model_folder as model_folder
from training_fixtures import tokenizer_with as tokenizer_with
