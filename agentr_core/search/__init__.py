"""The search stage: one tree of attempts for each task (Agent-R section 3.1, phase I).

Imports ``run_context`` and what stands below it, and no other stage.
"""
