"""The train stage: which conversations, which of their tokens, and the next checkpoint (Agent-R equation 6).

Imports ``run_context`` and what stands below it, and no other stage.
"""
