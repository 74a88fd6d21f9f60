"""Keys and values: buffers that grow in place, and a cache of prompt prefixes.

transformers' own dynamic cache copies all keys and values of all rows at every token; a :class:`Slab` writes the new
ones beside the old. The :class:`PrefixCache` keeps the prompts' keys and values in blocks of 16 tokens, so that a
child node's prompt computes only what its parent's did not have, and all trees share the instructions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentr_transformers.runtime import torch, transformers


@dataclass(frozen=True, slots=True)
class Layout:
    """What one layer keeps for a token: ``heads`` vectors of ``key_dim`` and of ``value_dim`` numbers."""

    heads: int
    key_dim: int
    value_dim: int

    def buffers(self, rows: int, columns: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Room for keys and values [rows, heads, columns, dim]."""
        return (
            like.new_empty(rows, self.heads, columns, self.key_dim),
            like.new_empty(rows, self.heads, columns, self.value_dim),
        )


class _SlabLayer(transformers.cache_utils.DynamicLayer):  # type: ignore[misc]
    """One layer of a :class:`Slab`; ``length`` columns of its buffers are in use.

    ``places``: the columns that new keys and values go to, where they are not the next ones (:meth:`Slab.writing_at`).
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()
        self.keys, self.values, self.length = keys, values, length
        self.places: torch.Tensor | None = None
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def update(self, keys: torch.Tensor, values: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        if self.places is not None:
            self.keys.index_copy_(2, self.places, keys)
            self.values.index_copy_(2, self.places, values)
            return self.keys, self.values
        end = self.length + keys.shape[-2]
        if end > self.keys.shape[-2]:
            self.widen(end + max(64, self.length // 4))
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def widen(self, columns: int) -> None:
        self.keys, self.values = (_grown(each, self.length, columns) for each in (self.keys, self.values))

    def get_seq_length(self) -> int:
        return self.length


def _grown(buffer: torch.Tensor, length: int, columns: int) -> torch.Tensor:
    rows, heads, _, dim = buffer.shape
    larger = buffer.new_empty(rows, heads, columns, dim)
    larger[:, :, :length] = buffer[:, :, :length]
    return larger


class Slab:
    """Keys and values of R rows, of which the first ``length`` columns are in use; grows as tokens are generated."""

    def __init__(self, layouts: Sequence[Layout], rows: int, columns: int, length: int, like: torch.Tensor) -> None:
        self.layers = [_SlabLayer(*layout.buffers(rows, columns, like), length) for layout in layouts]
        self.cache = transformers.Cache(layers=self.layers)

    @property
    def device(self) -> torch.device:
        """Where the buffers are."""
        device: torch.device = self.layers[0].device
        return device

    @property
    def length(self) -> int:
        """Columns in use."""
        return int(self.layers[0].length)

    @length.setter
    def length(self, length: int) -> None:
        for layer in self.layers:
            layer.length = length

    @property
    def columns(self) -> int:
        """Columns there is room for."""
        return int(self.layers[0].keys.shape[2])

    def widen(self, columns: int) -> None:
        """Make room for ``columns``."""
        for layer in self.layers:
            layer.widen(columns)

    def blank(self) -> None:
        """Set to zero what is not in use: it is masked, but a masked NaN would still be a NaN."""
        for layer in self.layers:
            layer.keys[:, :, layer.length :] = 0
            layer.values[:, :, layer.length :] = 0

    @contextmanager
    def writing_at(self, places: torch.Tensor) -> Iterator[None]:
        """Inside, keys and values go to the columns ``places``, all columns are read, and the length stays."""
        for layer in self.layers:
            layer.places = places
        try:
            yield
        finally:
            for layer in self.layers:
                layer.places = None

    def take(self, source: Slab, rows: slice, repeats: torch.Tensor) -> None:
        """Fill ``rows`` with each row of ``source``, repeated; the last columns in use are aligned."""
        first = self.length - source.length
        for mine, other in zip(self.layers, source.layers, strict=True):
            for to, of in ((mine.keys, other.keys), (mine.values, other.values)):
                to[rows, :, :first] = 0  # as in blank()
                to[rows, :, first : self.length] = of[:, :, : source.length].repeat_interleave(repeats, 0)

    def select(self, rows: torch.Tensor) -> None:
        """Keep only these rows."""
        for layer in self.layers:
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]


#: A block's key: the number of the block before it, and its own token ids.
_Key = tuple[int, bytes]


class PrefixCache:
    """Keys and values of prompts, in blocks found by the tokens from the prompt's start; the oldest are dropped.

    A block is known by its whole prefix, so its positions are always the same. One that is found again has equal
    values up to the rounding of the batch that first computed it.
    """

    BLOCK = 16

    def __init__(self, layouts: Sequence[Layout], blocks: int, like: torch.Tensor) -> None:
        self._free = list(range(blocks))
        self._pool = [layout.buffers(blocks, self.BLOCK, like) for layout in layouts] if blocks else []
        self._known: OrderedDict[_Key, tuple[int, int]] = OrderedDict()  # key -> (slot, number)
        self._numbered = 0
        #: How many tokens it has room for.
        self.tokens = blocks * self.BLOCK

    @property
    def tokens_used(self) -> int:
        """How many tokens it holds."""
        return len(self._known) * self.BLOCK

    def match(self, ids: Sequence[int]) -> tuple[list[int], _Key | None]:
        """The slots that hold the longest known prefix of ``ids``, and the key of the first block that is not there.

        At least one token is left to compute. The key is None where too few tokens are left to make a block.
        """
        slots: list[int] = []
        touched: list[_Key] = []
        number, missing = 0, None
        for key_tokens in self._blocks(ids):
            key = (number, key_tokens)
            found = self._known.get(key)
            if found is None:
                missing = key
                break
            slots.append(found[0])
            touched.append(key)
            number = found[1]
        self._touch(touched)
        return slots, missing

    def load(self, slots: Sequence[Sequence[int]], slab: Slab) -> None:
        """Copy the blocks of each row into the slab's first columns, the last of them aligned; sets its length."""
        widest = max(map(len, slots))
        if widest == 0:
            return
        filler = next(row[0] for row in slots if row)  # any block will do: it is masked
        index = torch.tensor([[filler] * (widest - len(row)) + list(row) for row in slots], device=slab.device)
        for layer, (keys, values) in zip(slab.layers, self._pool, strict=True):
            layer.length = widest * self.BLOCK
            for to, of in ((layer.keys, keys), (layer.values, values)):
                to[:, :, : layer.length] = of[index].transpose(1, 2).flatten(2, 3)

    def store(self, prompts: Sequence[Sequence[int]], matched: Sequence[int], slab: Slab) -> None:
        """Keep what the slab has newly computed: each prompt but its first ``matched`` blocks ends at its last column.

        A larger store than there is room for keeps the later prompts.
        """
        places: dict[int, tuple[int, int]] = {}
        for row, (ids, computed_from) in enumerate(zip(prompts, matched, strict=True)):
            start, number, chain = slab.length - len(ids), 0, []
            for block, tokens in enumerate(self._blocks(ids)):
                key = (number, tokens)
                if key not in self._known:
                    if block < computed_from:
                        break  # dropped since it was matched; it was not computed here
                    places[self._add(key)] = (row, start + block * self.BLOCK)
                chain.append(key)
                number = self._known[key][1]
            self._touch(chain)
        if places:
            self._copy(places, slab)

    def _add(self, key: _Key) -> int:
        slot = self._free.pop() if self._free else self._known.popitem(last=False)[1][0]
        self._numbered += 1
        self._known[key] = (slot, self._numbered)
        return slot

    def _copy(self, places: dict[int, tuple[int, int]], slab: Slab) -> None:
        device = slab.device
        slots = torch.tensor(list(places), device=device)
        rows = torch.tensor([row for row, _ in places.values()], device=device)[:, None]
        columns = torch.tensor([column for _, column in places.values()], device=device)[:, None]
        columns = columns + torch.arange(self.BLOCK, device=device)
        for layer, (keys, values) in zip(slab.layers, self._pool, strict=True):
            keys[slots] = layer.keys[rows, :, columns].transpose(1, 2)
            values[slots] = layer.values[rows, :, columns].transpose(1, 2)

    def _blocks(self, ids: Sequence[int]) -> list[bytes]:
        if not self._pool:
            return []
        whole = (len(ids) - 1) // self.BLOCK
        tokens = np.array(ids[: whole * self.BLOCK], dtype=np.int32).tobytes()
        size = self.BLOCK * 4
        return [tokens[at : at + size] for at in range(0, len(tokens), size)]

    def _touch(self, chain: Sequence[_Key]) -> None:
        # Last block first: a prefix is then always younger than what hangs on it, and is dropped after it.
        for key in reversed(chain):
            if key in self._known:
                self._known.move_to_end(key)
