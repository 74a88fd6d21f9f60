"""The process that agentr runs in: its clock, signals, garbage, terminal, cache folder, and waiting for many at once.

Imports ``errors`` and nothing else of agentr.
"""
