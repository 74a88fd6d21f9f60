"""Conversations as text and tokens: how they begin, how they are fitted to a context, and the model's chat template.

Imports ``interfaces`` and what stands below it.
"""
