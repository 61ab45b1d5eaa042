"""Text in pictures, by tesseract where it is installed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tasks.errors import MissingTool
from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.external import find_program, run
from tasks.ingest.parse.readers.plain import add_plain
from tasks.records import Document

INSTALL = "Install tesseract-ocr (Debian: apt-get install tesseract-ocr), then ingest again."

_LANGUAGES_LIMIT = 5
_NO_LANGUAGES = ("osd", "equ")


def tesseract() -> str | None:
    """The path of the tesseract program; None where it is not installed."""
    return find_program("tesseract")


def read_image(path: Path) -> Document:
    """The paragraphs in a picture (png, jpeg, tiff, bmp, gif, webp)."""
    elements = Elements()
    add_image_text(elements, path)
    return elements.document("image")


def add_image_text(elements: Elements, picture: Path) -> None:
    """Append the text that tesseract sees; Rejected, saying what to install, without it."""
    program = tesseract()
    if program is None:
        raise MissingTool("It is a picture, and no program to read pictures is installed", INSTALL)
    languages = _languages(program)
    layout = "1" if "osd" in languages else "3"  # with or without finding the orientation
    spoken = [language for language in languages if language not in _NO_LANGUAGES]
    chosen = "+".join(spoken[:_LANGUAGES_LIMIT])
    text = run([program, picture, "stdout", "--psm", layout, "-l", chosen]).decode(errors="replace")
    add_plain(elements, text.replace("-\n", ""))


@cache
def _languages(program: str) -> tuple[str, ...]:
    """The languages that tesseract has data for, English first."""
    listed = run([program, "--list-langs"]).decode(errors="replace").split("\n")[1:]
    return tuple(sorted(filter(None, map(str.strip, listed)), key=lambda name: name != "eng"))
