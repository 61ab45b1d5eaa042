"""Which files of a drop folder are to be loaded: those that are new, changed, or not read whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from psycopg import Connection

from tasks.database import query
from tasks.errors import Fatal


def pending_files(connection: Connection, folder: Path) -> list[Path]:
    """The files to be loaded, by name.

    A file is known by size and time of change. Names that begin with a dot are left out, and links
    are not followed. Raises Fatal where there is no such folder.
    """
    if not folder.is_dir():
        raise Fatal(f"{folder} is not a folder", "Give the path of an existing folder.")
    known = {
        (path, size, mtime)
        for path, size, mtime in connection.execute(
            query("load_known"), {"folder": f"{folder}{os.sep}"}
        )
    }
    return [path for path, *stat in files_of(folder) if (str(path), *stat) not in known]


def files_of(folder: Path) -> Iterator[tuple[Path, int, int]]:
    """The files below the folder by name, each with its bytes and its time of change in ns."""
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(top) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                stat = path.stat()
                yield path, stat.st_size, stat.st_mtime_ns
