"""Between an agent's text and an action that a server's JSON schema describes.

An action with one field, a text, is that text. Any other is written as JSON, and the instructions show its fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Fields that every action of OpenEnv has, and that nobody has to fill in.
_BESIDE = frozenset({"metadata"})


@dataclass(frozen=True, slots=True)
class Actions:
    """How actions are written. ``field``: the one text field, None where an action is JSON; ``fields``: what it has."""

    field: str | None
    fields: Mapping[str, str]
    required: tuple[str, ...]

    def encode(self, text: str) -> dict[str, Any] | str:
        """The action that ``text`` is; a text for the agent where it is none."""
        if self.field is not None:
            return {self.field: text}
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            return f"Error: The action must be a JSON object with {self._listed()}."
        if missing := [name for name in self.required if name not in found]:
            return f"Error: The action has no '{missing[0]}'; it must be a JSON object with {self._listed()}."
        if unknown := [name for name in found if name not in {*self.fields, *_BESIDE}]:
            return f"Error: The action has no field '{unknown[0]}'; it must be a JSON object with {self._listed()}."
        return found

    def explained(self) -> str:
        """What the instructions say of how an action is written."""
        if self.field is not None:
            return f"An action is the text of its field '{self.field}' ({self.fields[self.field]})."
        return f"An action is a JSON object on one line, with {self._listed()}."

    def _listed(self) -> str:
        return ", ".join(f'"{name}" ({kind})' for name, kind in self.fields.items()) or "no fields"


def read_schema(schema: Mapping[str, Any]) -> Actions:
    """The way of writing actions that a JSON schema asks for."""
    properties = {name: field for name, field in schema.get("properties", {}).items() if name not in _BESIDE}
    required = tuple(name for name in schema.get("required", ()) if name in properties)
    texts = [name for name in required or properties if properties[name].get("type") == "string"]
    fields = {name: _kind(field) for name, field in properties.items()}
    only = len(texts) == 1 and set(required) <= set(texts) and (len(properties) == 1 or required == tuple(texts))
    constant = only and any(key in properties[texts[0]] for key in ("const",))
    return Actions(texts[0] if only and not constant else None, fields, required)


def _kind(field: Mapping[str, Any]) -> str:
    """A field's type in a word or two."""
    kind = str(field.get("type") or ("one of " + json.dumps(field["enum"]) if "enum" in field else "any JSON"))
    described = str(field.get("description", "")).strip()
    return f"{kind}: {described}" if described else kind
