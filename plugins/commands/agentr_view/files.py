"""The files of the front end: those that are there, and nothing that an address may spell."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from agentr_view.answers import as_json
from agentr_view.guard import POLICY

STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json",
    ".svg": "image/svg+xml", ".woff2": "font/woff2",
}  # fmt: skip
_INLINE = re.compile(rb"<script\b[^>]*\btype=[\"']?importmap[\"']?[^>]*>(.*?)</script>", re.DOTALL)


async def static_file(request: Request) -> Response:
    """The file of this path, looked up by its name among those of the folder; ``/`` is ``index.html``."""
    name = request.path_params.get("path") or "index.html"
    path = {file.relative_to(STATIC).as_posix(): file for file in STATIC.rglob("*") if file.is_file()}.get(name)
    if path is None:
        return as_json({"error": "there is no such page"}, 404)
    body = path.read_bytes()
    mark = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # Also of a page that has not changed: a browser takes the policy of the newest answer.
    headers = {"ETag": mark, "Content-Security-Policy": POLICY.format(scripts=_hashes(body))}
    if request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=_TYPES.get(path.suffix, "text/plain"), headers=headers)


def _hashes(page: bytes) -> str:
    """The hashes of a page's import maps, as its policy lists them."""
    found = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE.findall(page))
    return "".join(f" 'sha256-{digest}'" for digest in found)
