"""Seeds by name: the same run seed and names give the same numbers in any process, order and hash seed.

Nothing in agentr keeps a running random state. A simulation, a sample or a shuffle derives its seed from the run's
seed and the names of what it is for, so a resumed run draws what the uninterrupted one would have drawn, and the
number of trees in flight changes nothing.
"""

from __future__ import annotations

import random
from hashlib import blake2b

#: The last name of a tree's seeds, once its number among the trees of a task: without it stored runs could not go on.
TREE_NUMBER = 0


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed derived from ``seed`` and a path of names (blake2b; independent of ``PYTHONHASHSEED``)."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def derive_rng(seed: int, *names: str | int) -> random.Random:
    """A fresh generator for one purpose; see :func:`derive_seed`."""
    return random.Random(derive_seed(seed, *names))
