"""A small folder whose every paragraph can be told apart, and what happens to it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

_WORDS = "the heron waits where slow water turns and reeds hide small silver fish from it"


def paragraph(mark: str) -> str:
    """Some thirty words that hold the mark twice."""
    return f"{mark} {_WORDS}, and {_WORDS} until {mark}."


def page(title: str, marks: Iterable[str]) -> str:
    """A markdown page: a title, and a section for each mark."""
    sections = [f"## On {mark}\n\n{paragraph(mark)}\n" for mark in marks]
    return f"# {title}\n\n" + "\n".join(sections)


def marks(text: str) -> set[str]:
    """The marks that a text holds."""
    return set(re.findall(r"\bmark\d+\b", text))


def write(drop: Path, name: str, text: str) -> Path:
    """Write a file of the folder."""
    path = drop / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def begin(drop: Path) -> dict[str, set[str]]:
    """Lay the folder; by path, the marks that are to be found. `broken.docx` is to be rejected."""
    write(drop, "tides.md", page("Tides", ["mark1", "mark2", "mark3"]))
    write(drop, "wind.md", page("Wind", ["mark4", "mark5"]))
    write(drop, "peat.md", page("Peat", ["mark6", "mark7"]))
    write(drop, "moss.md", page("Moss", ["mark8"]))
    write(drop, "fern/fern.md", page("Fern", ["mark9", "mark10"]))
    write(drop, "fern/twin.md", page("Fern", ["mark9", "mark11"]))
    write(drop, "broken.docx", "PK\x03\x04 this is no archive")
    return readable(drop)


def change(drop: Path) -> dict[str, set[str]]:
    """Edit, rename, copy, delete, break, mend and add files; by path, the marks to be found."""
    write(drop, "tides.md", page("Tides", ["mark1", "mark20", "mark3", "mark21"]))
    (drop / "wind.md").rename(drop / "breeze.md")
    shutil.copy(drop / "peat.md", drop / "peat-copy.md")
    write(drop, "moss.md", "")
    (drop / "fern/fern.md").unlink()
    write(drop, "reed.md", page("Reed", ["mark22", "mark23"]))
    write(drop, "rush.md", page("Rush", ["mark22", "mark24"]))
    write(drop, "sedge.md", page("Sedge", ["mark25"]))
    write(drop, "hollow.md", "")
    return readable(drop) | {"moss.md": {"mark8"}}


def readable(drop: Path) -> dict[str, set[str]]:
    """The marks of the folder's files, by path; those without any are left out."""
    found = {
        str(path.relative_to(drop)): marks(path.read_text(encoding="utf-8"))
        for path in drop.rglob("*.md")
    }
    return {path: held for path, held in found.items() if held}
