"""Fetch the viewer's JavaScript libraries anew: ``python -m tools.vendor_static`` (needs npm; nothing is built).

Each file is kept byte for byte as its author published it, under ``static/vendor/NAME-VERSION.EXT`` with its licence
beside it, and ``vendor.json`` says what it is, where it is from and its SHA-256. To update one, change its version
below, run this, and change the import map of ``index.html``; the tests compare the three.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parents[1] / "plugins" / "commands" / "agentr_view" / "static"
VENDOR = STATIC / "vendor"


@dataclass(frozen=True, slots=True)
class Library:
    """A file of a package; ``name`` is what the import map calls it, or the stylesheet's path."""

    package: str
    version: str
    file: str
    name: str
    licence: str

    @property
    def stem(self) -> str:
        """The name under which it is kept, without its suffix."""
        return f"{self.name.replace('@', '').replace('/', '-')}-{self.version}"

    @property
    def suffix(self) -> str:
        """``.css`` for stylesheets; ``.js`` for modules, since servers know no other suffix for sure."""
        return ".css" if self.file.endswith(".css") else ".js"


LIBRARIES = (
    Library("preact", "11.2.0", "dist/preact.mjs", "preact", "MIT"),
    Library("preact", "11.2.0", "hooks/dist/hooks.mjs", "preact/hooks", "MIT"),
    Library("@preact/signals-core", "1.14.5", "dist/signals-core.mjs", "@preact/signals-core", "MIT"),
    Library("@preact/signals", "2.11.4", "dist/signals.mjs", "@preact/signals", "MIT"),
    Library("htm", "3.1.1", "dist/htm.module.js", "htm", "Apache-2.0"),
    Library("uplot", "1.6.32", "dist/uPlot.esm.js", "uplot", "MIT"),
    Library("uplot", "1.6.32", "dist/uPlot.min.css", "uplot", "MIT"),
    Library("d3-hierarchy", "3.1.3", "dist/d3-hierarchy.min.mjs", "d3-hierarchy", "ISC"),
)


def fetch(library: Library, folder: Path) -> tuple[bytes, bytes]:
    """The file and the licence of a package as npm has them."""
    wanted = f"{library.package}@{library.version}"
    packed = subprocess.run(
        ["npm", "pack", "--silent", wanted], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    with tarfile.open(folder / packed) as archive:
        return _member(archive, library.file), _member(archive, "LICENSE")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(f"package/{name}")
    assert found is not None, f"{name} is no file of the package"
    return found.read()


def update(libraries: Sequence[Library] = LIBRARIES, vendor: Path = VENDOR) -> None:
    """Write every library, its licence and ``vendor.json``; what is there of older versions goes."""
    vendor.mkdir(parents=True, exist_ok=True)
    for old in vendor.iterdir():
        old.unlink()
    entries = []
    with tempfile.TemporaryDirectory() as folder:
        for library in libraries:
            body, licence = fetch(library, Path(folder))
            (vendor / f"{library.stem}{library.suffix}").write_bytes(body)
            (vendor / f"{library.stem}.LICENSE").write_bytes(licence)
            entries.append(_entry(library, body))
    (vendor / "vendor.json").write_text(json.dumps(entries, indent=2) + "\n")


def _entry(library: Library, body: bytes) -> dict[str, str]:
    return {
        "name": library.name,
        "file": f"{library.stem}{library.suffix}",
        "package": f"{library.package}@{library.version}",
        "path": library.file,
        "licence": library.licence,
        "sha256": hashlib.sha256(body).hexdigest(),
    }


if __name__ == "__main__":
    update()
