"""The process that agentr runs in: its clock, signals, garbage, terminal, cache folder, waiting for many at
once; the machine it runs on, and a Java process beside it.

Imports ``errors`` and nothing else of agentr.
"""
