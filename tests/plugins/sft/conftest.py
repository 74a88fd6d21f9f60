from __future__ import annotations

from training_fixtures import model_folder as model_folder
from training_fixtures import revision as revision
from training_fixtures import tokenizer_with as tokenizer_with
