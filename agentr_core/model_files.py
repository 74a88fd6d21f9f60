"""A model by what its files are, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

#: Files of a model folder that a training reads.
_READ = {".json", ".jinja", ".safetensors", ".bin", ".pt", ".model", ".txt", ".py"}
#: Files that a training leaves behind and none reads.
_LEFT = {"agentr.json", "training_args.bin", "generation_config.json"}
#: A file up to this size is read whole, of a larger one so many pieces of that size, spread evenly.
_WHOLE_BYTES = 64 * 2**20
_PIECES, _PIECE_BYTES = 256, 2**18


def model_fingerprint(folder: str | Path) -> str | None:
    """A hash over the files of a model (configuration, tokenizer, template, weights); None where there is no folder.

    Of files above 64 MiB, 256 pieces count, spread over the file: a second or two for a model of any size.
    """
    if not Path(folder).is_dir():
        return None
    digest = blake2b(digest_size=16)
    for path in sorted(Path(folder).iterdir()):
        if path.suffix in _READ and path.name not in _LEFT and path.is_file():
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
            for piece in _pieces(path):
                digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            yield file.read()
            return
        for number in range(_PIECES):
            file.seek(number * (size - _PIECE_BYTES) // (_PIECES - 1))
            yield file.read(_PIECE_BYTES)
