"""Word and PowerPoint's formats of before 2007, converted by LibreOffice where it is installed."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tasks.errors import MissingTool, Rejected
from tasks.ingest.parse.external import find_program, run
from tasks.ingest.parse.readers.docx import read_docx
from tasks.ingest.parse.readers.pptx import read_pptx
from tasks.records import Document


def read_doc(path: Path) -> Document:
    """A Word 97-2003 document, read as the docx that LibreOffice makes of it."""
    with TemporaryDirectory() as folder:
        return read_docx(_converted(path, "docx", Path(folder)))


def read_ppt(path: Path) -> Document:
    """A PowerPoint 97-2003 presentation, read as the pptx that LibreOffice makes of it."""
    with TemporaryDirectory() as folder:
        return read_pptx(_converted(path, "pptx", Path(folder)))


def _converted(path: Path, format: str, folder: Path) -> Path:
    program = find_program("soffice", "libreoffice")
    if program is None:
        raise MissingTool(
            f"It is in the format that {format} replaced, which needs LibreOffice",
            f"Install LibreOffice (Debian: apt-get install libreoffice), or save it as {format}.",
        )
    source = folder / "source"
    source.symlink_to(path.resolve())
    run(
        [
            program,
            f"-env:UserInstallation=file://{folder}/profile",
            "--headless",
            "--norestore",
            "--convert-to",
            format,
            "--outdir",
            folder,
            source,
        ]
    )
    converted = folder / f"source.{format}"
    if not converted.exists():
        raise Rejected("LibreOffice could not convert it", f"Save it as {format}.")
    return converted
