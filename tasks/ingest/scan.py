"""One walk of a source's folder, compared with the last one in the database.

The walk is copied into a temporary table and joined with `documents` once; only files whose size,
times or inode moved are read and hashed. What the walk then means (new, changed, renamed, deleted,
rejected) is decided by set-based statements in one transaction.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from psycopg import Connection, Cursor

from tasks.database import query
from tasks.errors import Fatal
from tasks.ingest import sidecars
from tasks.ingest.sidecars import Sidecar
from tasks.records import decode_path, encode_path

_READ_BYTES = 1 << 20
_HASH_BATCH = 1000


class Entry(NamedTuple):
    """What the walk saw at one path; `problem` says why it cannot be read, if it cannot.

    `readers` are those of the nearest sidecar that speaks of the path; None where none does.
    """

    path: str
    size_bytes: int | None = None
    mtime_ns: int | None = None
    ctime_ns: int | None = None
    inode: int | None = None
    problem: str | None = None
    remedy: str | None = None
    is_folder: bool = False
    readers: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """Counts of files: `seen` by the walk, `pending` ones to be read, `renamed`, `deleted`."""

    seen: int
    pending: int
    renamed: int
    deleted: int


def walk(root: Path, max_bytes: int) -> Iterator[Entry]:
    """Every file below `root`, each once, with paths relative to it; hidden ones are left out.

    Symbolic links are not followed and special files are not opened: each is an entry with a
    problem, as is a file of more than `max_bytes` and a folder that cannot be listed. Raises Fatal
    for a sidecar that cannot be used.
    """
    folders: list[tuple[bytes, tuple[Sidecar, ...]]] = [(b"", ())]
    base = os.fsencode(root)
    while folders:
        folder, rules = folders.pop()
        try:
            with os.scandir(os.path.join(base, folder)) as listing:
                entries = list(listing)
            if any(entry.name == sidecars.NAME for entry in entries):
                rules = (*rules, sidecars.read_sidecar(base, folder))
            above = folder + b"/" if folder else b""
            for entry in entries:
                if entry.name.startswith(b"."):
                    continue
                path = above + entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append((path, rules))
                else:
                    yield _look_at(path, entry, max_bytes, rules)
        except OSError as error:
            if not folder:
                raise
            yield Entry(
                encode_path(folder),
                problem=f"the folder cannot be listed ({error.strerror})",
                remedy="Make it readable; until then its documents stay as they are.",
                is_folder=True,
            )


def _look_at(
    path: bytes, entry: os.DirEntry[bytes], max_bytes: int, rules: tuple[Sidecar, ...]
) -> Entry:
    name = encode_path(path)
    readers = sidecars.readers_of(name, rules) if rules else None
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        unreadable = f"cannot be read ({error.strerror})"
        return Entry(name, problem=unreadable, remedy="Make it readable.", readers=readers)
    problem = remedy = None
    if stat.S_ISLNK(status.st_mode):
        problem, remedy = "is a symbolic link", "Put the file itself into the folder."
    elif not stat.S_ISREG(status.st_mode):
        problem, remedy = "is not a regular file", "Keep pipes, sockets and devices elsewhere."
    elif status.st_size > max_bytes:
        problem = f"has {status.st_size:,} bytes, over the limit of {max_bytes:,}"
        remedy = "Split it, or raise OPENBOOK_FILE_MEGABYTES."
    return Entry(
        name,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        problem,
        remedy,
        readers=readers,
    )


def scan(
    connection: Connection,
    source_id: int,
    root: Path,
    *,
    recipe: str,
    max_bytes: int,
    max_delete_share: float | None,
    workers: int = 4,
) -> Scan:
    """Bring `documents` in step with the folder, within the connection's transaction.

    Files to be read are left `pending`; gone ones lose their current version. `recipe` names the
    way in which documents are made: those made in another way are pending again.

    Raises Fatal for a sidecar that cannot be used, and when the folder cannot be listed or lost
    more than `max_delete_share` of the source's documents or all of them (an unmounted disk lists
    as empty); None allows that.
    """
    parameters = {"source": source_id, "recipe": recipe}
    renamed = deleted = 0
    with connection.cursor() as cursor:
        cursor.execute(query("scan_prepare"))
        seen = _copy_walk(cursor, root, max_bytes)
        cursor.execute(query("scan_compare"), parameters)
        moved, gone, differ = cursor.fetchone() or ([], False, False)
        if moved:
            _copy_hashes(cursor, root, moved, workers)
            cursor.execute(query("scan_renamed"), parameters)
            renamed = cursor.rowcount
        if differ:
            for step in ("unchanged", "changed", "new", "rejected", "readers"):
                cursor.execute(query(f"scan_{step}"), parameters)
        if gone:
            if max_delete_share is not None:
                _refuse_mass_delete(cursor, root, source_id, max_delete_share)
            cursor.execute(query("scan_deleted"), parameters)
            deleted = cursor.rowcount
        (pending,) = cursor.execute(query("scan_pending"), parameters).fetchone() or (0,)
    return Scan(seen=seen, pending=pending, renamed=renamed, deleted=deleted)


def _copy_walk(cursor: Cursor, root: Path, max_bytes: int) -> int:
    """Copy the walk into its temporary table; the number of files."""
    seen = 0
    try:
        with cursor.copy(f"copy walk ({', '.join(Entry._fields)}) from stdin") as copy:
            for entry in walk(root, max_bytes):
                seen += not entry.is_folder
                copy.write_row(entry)
    except OSError as error:
        raise Fatal(
            f"The folder {root} cannot be listed ({error.strerror})",
            "Mount it or give its right path; nothing was changed.",
        ) from error
    cursor.execute("analyze walk")
    return seen


def _copy_hashes(cursor: Cursor, root: Path, paths: Iterable[str], workers: int) -> None:
    """Hash the files that moved and copy what was seen of each into its temporary table."""
    columns = "path, sha256, size_bytes, mtime_ns, ctime_ns, inode, problem, remedy"
    base = os.fsencode(root)
    paths = iter(paths)
    with (
        ThreadPoolExecutor(workers) as threads,
        cursor.copy(f"copy hashed ({columns}) from stdin") as copy,
    ):
        while batch := list(islice(paths, _HASH_BATCH)):
            for row in threads.map(lambda path: _hash(base, path), batch):
                copy.write_row(row)
    cursor.execute("analyze hashed")


def _hash(base: bytes, path: str) -> tuple[object, ...]:
    try:
        # A pipe put in the file's place since the walk must not block the run.
        descriptor = os.open(
            os.path.join(base, decode_path(path)), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        )
        with open(descriptor, "rb", buffering=0) as file:
            digest = hashlib.sha256()
            status = os.fstat(descriptor)
            while block := file.read(_READ_BYTES):
                digest.update(block)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        return (path, None, None, None, None, None, problem, "Make it readable.")
    return (
        path,
        digest.digest(),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        None,
        None,
    )


def _refuse_mass_delete(cursor: Cursor, root: Path, source_id: int, share: float) -> None:
    row = cursor.execute(query("scan_gone"), {"source": source_id}).fetchone()
    gone, known = row or (0, 0)
    if gone and (gone == known or (known >= 10 and gone > share * known)):
        raise Fatal(
            f"{gone} of {known} documents are gone from {root}; nothing was removed",
            "If they were deleted on purpose, run again with --allow-mass-delete.",
        )
