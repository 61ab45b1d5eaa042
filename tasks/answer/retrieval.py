"""What answering asks of the stage that searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasks.records import Hit


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The functions of these names in `tasks.retrieve.search`."""

    search: Callable[..., list[Hit]]
    ask: Callable[..., list[Any]]
