"""What trainers of models on disk share: settings, a model by its files, memory, order, one training from start to end;
and how a value model is asked, by its trainer, its critic and a search.

A library beside the trainers, not a plugin: it registers nothing. A trainer is :class:`agentr_training.model_trainer.
ModelTrainer` with rows and a loss of its own. Importing this imports nothing.
"""
