"""Whether anything in a folder may have changed, without the database."""

from __future__ import annotations

from pathlib import Path

from tasks.ingest.scan import walk


def fingerprint(root: Path, max_bytes: int) -> int:
    """A number that stays the same, within this process, while no file of the folder changes.

    Files are looked at and not read: it costs one walk. Raises OSError for a folder that cannot be
    listed, and Fatal for a sidecar that cannot be used.
    """
    return hash(
        frozenset(
            one._replace(readers=tuple(one.readers or ()))  # type: ignore[arg-type]
            for one in walk(root, max_bytes)
        )
    )
