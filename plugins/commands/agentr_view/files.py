"""The files of the front end: those that are there, and nothing that an address may spell."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from agentr_view.answers import as_json
from agentr_view.guard import POLICY

STATIC, PAGE = Path(__file__).parent / "static", "index.html"
_FOR_EVER = "private, max-age=31536000, immutable"
_TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json",
    ".svg": "image/svg+xml", ".woff2": "font/woff2",
}  # fmt: skip
_INLINE = re.compile(rb"<script\b[^>]*\btype=[\"']?importmap[\"']?[^>]*>(.*?)</script>", re.DOTALL)


async def static_file(request: Request) -> Response:
    """The file of this path, looked up by its name among those of the folder; ``/`` is ``index.html``.

    The page names all others below their version, where a browser asks for each once and never again.
    """
    name = request.path_params.get("path") or PAGE
    files = {file.relative_to(STATIC).as_posix(): file for file in STATIC.rglob("*") if file.is_file()}
    first, _, rest = name.partition("/")
    version = _version(files.values()) if name == PAGE or rest in files else ""
    name, kept = (rest, {"Cache-Control": _FOR_EVER}) if first == version else (name, {})
    if name not in files:
        return as_json({"error": "there is no such page"}, 404)
    body = _versioned(files[PAGE], version, files) if name == PAGE else files[name].read_bytes()
    mark = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # Also of a page that has not changed: a browser takes the policy of the newest answer.
    headers = {"ETag": mark, "Content-Security-Policy": POLICY.format(scripts=_hashes(body)), **kept}
    if request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=_TYPES.get(files[name].suffix, "text/plain"), headers=headers)


def _version(files: Iterable[Path]) -> str:
    """What the files of the front end are, all of them: another one once any of them has changed."""
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in sorted(files))).hexdigest()[
        :16
    ]


def _versioned(page: Path, version: str, names: Iterable[str]) -> bytes:
    """The page, with each file that it names below its version."""
    text = page.read_text(encoding="utf-8")
    for name in names:
        text = text.replace(f'"{name}"', f'"{version}/{name}"').replace(f'"./{name}"', f'"./{version}/{name}"')
    return text.encode("utf-8")


def _hashes(page: bytes) -> str:
    """The hashes of a page's import maps, as its policy lists them."""
    found = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE.findall(page))
    return "".join(f" 'sha256-{digest}'" for digest in found)
