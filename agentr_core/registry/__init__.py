"""Which plugins there are: what they register, how they are found, and how a name becomes an object.

Imports ``interfaces`` and what stands below it.
"""
