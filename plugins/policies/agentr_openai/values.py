"""Settings as people write them: several URLs in one text, JSON in place of a TOML table, keys by their variables."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from agentr_core import UsageError

#: What the official client libraries read as well.
BASE_URL_VARIABLE = "OPENAI_BASE_URL"
#: Names of headers and query parameters whose values nobody else may read. Settings are stored with a run.
_SECRET = re.compile(r"key|token|secret|auth|cookie|password|credential|signature", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(\w+)\}")
#: Ends of addresses that people copy out of examples with curl.
_ENDPOINTS = re.compile(r"/(?:chat/completions|completions|models|responses)/?$")


def table(value: Any) -> Any:
    """A table that the command line gave as JSON; anything but a text passes."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError('must be a table: {top_k = 20} as TOML writes it, or {"top_k": 20} as JSON does')
    return found


def names(value: Any) -> Any:
    """Several names in one text, parted by commas or blanks; anything but a text passes."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def with_base_url(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which the base URLs hold no query: what they had is in ``query``. The variable fills in for none."""
    given = dict(values)
    if "base_url" not in given and (set_outside := os.environ.get(BASE_URL_VARIABLE, "").strip()):
        given["base_url"] = set_outside
    urls = names(given.get("base_url"))
    if not isinstance(urls, list | tuple) or not any("?" in str(url) for url in urls):
        return given
    given["query"] = _queries([str(url) for url in urls]) | dict(table(given.get("query", {})))
    given["base_url"] = tuple(urlunsplit(urlsplit(str(url))._replace(query="")) for url in urls)
    return given


def _queries(urls: list[str]) -> dict[str, str]:
    found = [dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) for url in urls]
    if any(query != found[0] for query in found):
        raise ValueError("base_url: all URLs must have the same query; set it once with openai.query")
    if secret := [name for name in found[0] if _SECRET.search(name)]:
        raise ValueError(
            f"base_url must hold no user, password or key ({secret[0]}): settings are stored with the run; the key "
            "goes into an environment variable"
        )
    return found[0]


def plain_url(url: str) -> str:
    """``url`` without a slash at its end; ValueError where it is none, or holds what it must not."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise ValueError("must hold no user, password or query; the key goes into an environment variable")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be URLs such as http://127.0.0.1:8000/v1")
    if found := _ENDPOINTS.search(parts.path):
        right = urlunsplit(parts._replace(path=parts.path[: found.start()]))
        raise ValueError(f"must end where '{found[0]}' begins: {right}")
    return url.rstrip("/")


def without_secrets(values: Mapping[str, str]) -> dict[str, str]:
    """``values``; ValueError where one that its name gives away as a key is written out."""
    for name, value in values.items():
        if _SECRET.search(name) and not _VARIABLE.search(value):
            raise ValueError(
                f"'{name}' would be stored with the run; put its value into an environment variable, and write "
                f"{name} = '${{VARIABLE}}'"
            )
    return dict(values)


def filled_in(values: Mapping[str, str], setting: str) -> dict[str, str]:
    """``values`` with ``${NAME}`` replaced by that environment variable; UsageError where it is not set."""

    def variable(found: re.Match[str]) -> str:
        value = os.environ.get(found[1], "").strip()
        if not value:
            raise UsageError(f"the environment variable {found[1]} is not set, which openai.{setting} names; set it")
        return value

    return {name: _VARIABLE.sub(variable, value) for name, value in values.items()}


def from_variables(values: Mapping[str, str]) -> list[str]:
    """What environment variables put into ``values``: none of it may be shown."""
    found = [name for value in values.values() for name in _VARIABLE.findall(value)]
    return [value for name in found if (value := os.environ.get(name, "").strip())]
