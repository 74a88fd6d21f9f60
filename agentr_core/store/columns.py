"""How values become small columns, and back: texts, state keys, token ids, whole nodes. No SQL."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from agentr_core.hashing import canonical_json
from agentr_core.turns import Message

if TYPE_CHECKING:
    from agentr_core.interfaces.tree import Node
    from agentr_core.records import Completion

HASH_BYTES = 16

#: The bits of ``nodes.flags``, lowest first: fields of :class:`~agentr_core.interfaces.tree.Node`.
FLAGS = ("terminated", "truncated", "invalid", "terminal", "exhausted", "expanded")

_WIDE_IDS, _LOGPROBS = 1, 2
_DIGEST, _RAW = b"\x00", b"\x01"


def now() -> str:
    """The present as the store writes it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def text_hash(body: str) -> bytes:
    """The 16-byte blake2b hash that names a text (independent of ``PYTHONHASHSEED``)."""
    return blake2b(body.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


def message_hash(parent: bytes | None, message: Message) -> bytes:
    """The hash of a conversation that ends in ``message``, after the conversation ``parent``."""
    turn = f"{message.role}\x00{int(message.train)}\x00{message.content}".encode("utf-8", "surrogatepass")
    return blake2b((parent or b"") + turn, digest_size=HASH_BYTES, person=b"message").digest()


def pack_text(text: str) -> str | bytes:
    """Text as SQLite takes it: as it is, or its bytes where a model wrote lone surrogates."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def unpack_text(value: str | bytes) -> str:
    """The inverse of :func:`pack_text`."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def pack_state(key: str) -> str | bytes:
    """A state key as text, but a digest in lower-case hexadecimal (half the room) and bad Unicode as tagged bytes."""
    try:
        packed = bytes.fromhex(key)
    except ValueError:
        packed = b""
    if packed and packed.hex() == key:
        return _DIGEST + packed
    text = pack_text(key)
    return text if isinstance(text, str) else _RAW + key.encode("utf-8", "surrogatepass")


def unpack_state(value: str | bytes) -> str:
    """The inverse of :func:`pack_state`."""
    if isinstance(value, str):
        return value
    return value[1:].hex() if value[:1] == _DIGEST else unpack_text(value[1:])


def pack_tokens(ids: Sequence[int], logprobs: Sequence[float]) -> bytes | None:
    """Token ids in 2 bytes each (4 where one is above 65,535) and logprobs as 32-bit floats, little-endian."""
    if not ids and not logprobs:
        return None
    wide = bool(ids) and max(ids) > 0xFFFF
    flags = (_WIDE_IDS if wide else 0) | (_LOGPROBS if logprobs else 0)
    count = len(ids)
    return struct.pack(f"<BI{count}{'I' if wide else 'H'}{len(logprobs)}f", flags, count, *ids, *logprobs)


def unpack_tokens(blob: bytes | None) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The inverse of :func:`pack_tokens`: token ids and logprobs."""
    if blob is None:
        return (), ()
    flags, count = struct.unpack_from("<BI", blob)
    ids = struct.unpack_from(f"<{count}{'I' if flags & _WIDE_IDS else 'H'}", blob, 5)
    start = 5 + count * (4 if flags & _WIDE_IDS else 2)
    logprobs = struct.unpack_from(f"<{(len(blob) - start) // 4}f", blob, start)
    return ids, logprobs


def pack_flags(node: Node) -> int:
    """The booleans of a node as bits in the order of :data:`FLAGS`."""
    return (
        node.terminated
        | node.truncated << 1
        | node.invalid << 2
        | node.terminal << 3
        | node.exhausted << 4
        | node.expanded << 5
    )


def unpack_flags(bits: int) -> dict[str, bool]:
    """The inverse of :func:`pack_flags`."""
    return {name: bool(bits >> shift & 1) for shift, name in enumerate(FLAGS)}


def pack_json(value: Any) -> str | None:
    """Canonical JSON, or None for what is empty."""
    if not value:
        return None
    text = canonical_json(value)
    return text if isinstance(pack_text(text), str) else json.dumps(json.loads(text), sort_keys=True)


def readable(text: str | None) -> str | None:
    """Text for people (an error message): what is not valid Unicode is escaped."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def pack_completion(said: Completion | None) -> tuple[bytes | None, str | None, int | None, int | None]:
    """The columns ``tokens``, ``finish``, ``prompt_tokens`` and ``cached_tokens``; all None without a completion."""
    if said is None:
        return None, None, None, None
    return pack_tokens(said.token_ids, said.logprobs), said.finish_reason, said.prompt_tokens, said.cached_tokens


def unpack_completion(text: str, tokens: bytes | None, finish: Any, prompt: int, cached: int) -> Completion | None:
    """The inverse of :func:`pack_completion`."""
    if finish is None:
        return None
    from agentr_core.records import Completion

    ids, logprobs = unpack_tokens(tokens)
    return Completion(
        text=text,
        token_ids=ids,
        logprobs=logprobs,
        finish_reason=finish,
        prompt_tokens=prompt,
        cached_tokens=cached,
    )
