"""Environments at work: pooled, branched to any state of a tree, or played for a whole episode; many at once.

Imports ``prompts``, ``interfaces`` and what stands below them.
"""
