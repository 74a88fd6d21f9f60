"""The program ``agentr``: one file a command group. Nothing here computes.

Imports anything of agentr but ``testing``, and most of it only when a command runs.
"""
