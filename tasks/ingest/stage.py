"""One read of a settled file: a private copy whose bytes are the ones that were hashed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tasks.errors import Fatal, Rejected, Retryable
from tasks.records import decode_path

_READ_BYTES = 1 << 20


def stage(root: Path, path: str, sha256: bytes, target: Path) -> Path:
    """Copy the file at `path` below `root` to `target`, with the file's own suffix.

    Raises Retryable when its bytes are not (or, read to the end, no longer) the hashed ones: the
    next run sees the settled file. Raises Rejected when it cannot be read, Fatal when there is no
    room for the copy.
    """
    original = os.path.join(os.fsencode(root), decode_path(path))
    copy = target.with_name(target.name + _suffix(path))
    digest = hashlib.sha256()
    try:
        with _open(original, path) as source, copy.open("wb") as file:
            while block := _next_block(source, path):
                digest.update(block)
                file.write(block)
    except OSError as error:
        raise Fatal(
            f"Files cannot be staged in {target.parent.parent} ({error.strerror})",
            "Make room there, or set OPENBOOK_HOME to a larger disk.",
        ) from error
    if digest.digest() != sha256:
        copy.unlink()
        raise Retryable(f"{path} was written to while the run went on")
    return copy


def _open(original: bytes, path: str) -> IO[bytes]:
    with _blaming(path):
        return open(os.open(original, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", 0)


def _next_block(source: IO[bytes], path: str) -> bytes:
    with _blaming(path):
        return source.read(_READ_BYTES)


@contextmanager
def _blaming(path: str) -> Iterator[None]:
    """Whatever goes wrong in the block is the file's fault."""
    try:
        yield
    except FileNotFoundError:
        raise Retryable(f"{path} was removed while the run went on") from None
    except OSError as error:
        raise Rejected(f"cannot be read ({error.strerror})", "Make it readable.") from error


def _suffix(path: str) -> str:
    suffix = Path(path).suffix
    return suffix if suffix.isascii() and len(suffix) < 20 else ""
