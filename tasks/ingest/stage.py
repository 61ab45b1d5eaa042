"""One read of a settled file: a private copy whose bytes are the ones that were hashed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tasks.errors import Rejected, Retryable
from tasks.records import decode_path

_READ_BYTES = 1 << 20


def stage(root: Path, path: str, sha256: bytes, target: Path) -> Path:
    """Copy the file at `path` below `root` to `target`, with the file's own suffix.

    Raises Retryable when its bytes are not (or, read to the end, no longer) the hashed ones: the
    next run sees the settled file. Raises Rejected when it cannot be read.
    """
    original = os.path.join(os.fsencode(root), decode_path(path))
    copy = target.with_name(target.name + _suffix(path))
    digest = hashlib.sha256()
    try:
        descriptor = os.open(original, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as source, copy.open("wb") as file:
            while block := source.read(_READ_BYTES):
                digest.update(block)
                file.write(block)
    except FileNotFoundError:
        raise Retryable(f"{path} was removed while the run went on") from None
    except OSError as error:
        raise Rejected(f"cannot be read ({error.strerror})", "Make it readable.") from error
    if digest.digest() != sha256:
        copy.unlink()
        raise Retryable(f"{path} was written to while the run went on")
    return copy


def _suffix(path: str) -> str:
    suffix = Path(path).suffix
    return suffix if suffix.isascii() and len(suffix) < 20 else ""
