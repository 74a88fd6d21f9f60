from __future__ import annotations

from in_process import inside as inside
from project_stages import empty as empty
from project_stages import project as project
from project_stages import searched as searched
from project_stages import settings as settings
