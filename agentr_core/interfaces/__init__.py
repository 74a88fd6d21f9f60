"""The six interfaces that plugins implement, and what passes through them: trees, turns, configuration, batches.

Imports ``errors``, ``records``, ``hashing``, ``seeds`` and ``process``.
"""
