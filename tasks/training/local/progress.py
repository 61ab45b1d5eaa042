"""How far a training process is: lines of JSON that it adds and `poll` reads."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tasks.training.local.layout import PROGRESS


def add(folder: Path, **values: Any) -> None:
    """Add a line to a run's progress; `time` is in seconds since 1970."""
    with (folder / PROGRESS).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": round(time.time(), 3), **values}) + "\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a run's progress, oldest first; [] where it has not begun."""
    try:
        text = (folder / PROGRESS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:  # torn: its writer was killed, or is at it
            continue
    return lines
