from __future__ import annotations

from growing import grow as grow
