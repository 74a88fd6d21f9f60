"""Whole runs: started, resumed, taken through their iterations, and reported; and single stages over a stored run.

Imports the four stages and what stands below them.
"""
