"""One file over HTTP: resumed where an earlier attempt broke off, and one clear sentence for every way it can fail."""

from __future__ import annotations

import errno
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from agentr_core import AgentrError, UsageError

#: Attempts in a row that brought nothing new before the file is given up.
ATTEMPTS = 3
#: Seconds before the next attempt, times the number of those that failed.
PAUSE = 1.0
TIMEOUT_SECONDS = 30.0
_CHUNK = 1 << 18
_TOTAL = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")

#: Told how many bytes are there, and of how many (None: the server does not say).
Report = Callable[[int, int | None], None]


class _BrokenOff(Exception):
    """The connection ended before the file did; what came is kept."""


def fetch(url: str, part: Path, size: int | None, report: Report) -> None:
    """Bring ``part`` to the whole content of ``url``, going on from what it already holds.

    ``size``: how many bytes there must be, None where that is not known. Raises :class:`~agentr_core.AgentrError`
    where the server cannot be reached or refuses, answers with a web page or with another size, breaks off
    :data:`ATTEMPTS` times in a row, or where the disk is full. What was received stays in ``part``.
    """
    failed = 0
    while True:
        before = _length(part)
        try:
            return _receive(url, part, size, report)
        except _BrokenOff as error:
            failed = 0 if _length(part) > before else failed + 1
            if failed >= ATTEMPTS:
                raise AgentrError(
                    f"the connection to {_host(url)} broke off {failed} times at byte {_length(part):,} of "
                    f"'{part.stem}' ({error}); run the command again to go on from there"
                ) from None
            time.sleep(PAUSE * failed)
        except OSError as error:
            raise _disk(part, error) from None


def _receive(url: str, part: Path, size: int | None, report: Report) -> None:
    """One request for the rest of the file."""
    start = _length(part)
    with _open(url, start) as response:
        start, total = _extent(response, start)
        if response.status == 416:
            _settle(part, total)
            return
        if response.headers.get_content_type() == "text/html":
            raise _page(part, url)
        if size is not None and total is not None and total != size:
            raise AgentrError(f"'{part.stem}' has {total:,} bytes on {_host(url)}, expected {size:,}: "
                              "it is another file; give another server with --from")  # fmt: skip
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            while data := _read(response):
                if start == 0 and data.lstrip()[:1] == b"<":
                    raise _page(part, url)
                file.write(data)
                start += len(data)
                report(start, total)
            file.truncate()
    if start < (total or size or start):
        raise _BrokenOff("it sent less than it had announced")


def _open(url: str, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "agentr", **({"Range": f"bytes={start}-"} if start else {})}
    try:
        request = urllib.request.Request(url, headers=headers)
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        return response
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error  # type: ignore[return-value]
        if error.code >= 500:
            raise _BrokenOff(f"HTTP {error.code}") from None
        raise _refused(url, error.code) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError | ConnectionResetError):
            raise _BrokenOff(str(error.reason) or "no answer") from None
        raise AgentrError(
            f"{_host(url)} cannot be reached ({error.reason}); check the network, or give another server with --from"
        ) from None
    except (ValueError, http.client.InvalidURL) as error:
        raise UsageError(f"--from: {error}") from None
    except (http.client.HTTPException, OSError) as error:
        raise _BrokenOff(str(error) or type(error).__name__) from None


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (http.client.HTTPException, OSError) as error:
        raise _BrokenOff(str(error) or type(error).__name__) from None


def _page(part: Path, url: str) -> AgentrError:
    return AgentrError(
        f"{_host(url)} answered with a web page instead of '{part.stem}': it asks for a login, or the file's download "
        "limit is reached; try again later, or give another server with --from"
    )


def _extent(response: http.client.HTTPResponse, asked: int) -> tuple[int, int | None]:
    """Where the answer starts and how long the whole file is; a server may ignore that only the rest was asked for."""
    found = _TOTAL.match(response.headers.get("Content-Range", ""))
    if response.status in (206, 416) and found:
        if response.status == 206 and int(found[1] or -1) != asked:
            raise _BrokenOff("it sent another part than was asked for")
        return asked, int(found[2])
    length = response.headers.get("Content-Length")
    return (asked if response.status == 416 else 0), (int(length) if length and response.status == 200 else None)


def _settle(part: Path, total: int | None) -> None:
    """There is nothing after what we have: it is the whole file, or it is none of it."""
    if _length(part) != total:
        part.unlink()
        raise _BrokenOff("what was there is no start of this file")


def _refused(url: str, code: int) -> AgentrError:
    what = {401: "wants a login", 403: "refuses", 404: "does not have", 410: "no longer has", 429: "limits"}
    return AgentrError(
        f"{_host(url)} {what.get(code, 'does not give')} {url} (HTTP {code}); "
        "try again later, or give another server with --from"
    )


def _disk(part: Path, error: OSError) -> AgentrError:
    if error.errno == errno.ENOSPC:
        return AgentrError(f"the disk is full: '{part.parent}' has no room for '{part.stem}'; make room, or choose "
                           "another folder with --to")  # fmt: skip
    return AgentrError(f"'{part}' cannot be written: {error.strerror or error}; choose another folder with --to")


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _host(url: str) -> str:
    return urlsplit(url).netloc
