"""The evaluate stage: held-out tasks, the revision test, and what is reported of them (Agent-R section 4.4).

Imports ``run_context`` and what stands below it, and no other stage.
"""
