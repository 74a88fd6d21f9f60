"""The revise stage: pairs of leaves, the cut, the splice (Agent-R section 3.1, phase I).

Imports ``run_context`` and what stands below it, and no other stage.
"""
