"""What is recorded as done is compared with what is stored, and mended where it differs."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import Connection

from tasks.database import query

_EXAMPLES = 5

_CHECKS = {
    "chunks": "documents lost chunks",
    "versions": "documents point at a version that is not theirs or has ended",
    "uses": "passages are counted wrongly",
    "vectors": "texts that readers see have no vector",
}
"""In the order of mending: what is lost is read again, then counted, then bought."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: how many rows it concerns, and some of them as a person knows them."""

    check: str
    what: str
    count: int
    examples: tuple[str, ...]
    ids: tuple[int, ...]


def verify(connection: Connection) -> list[Finding]:
    """Compare versions, chunks, counts and vectors; what differs, in the order of mending."""
    findings = []
    for check, what in _CHECKS.items():
        rows = connection.execute(query(f"verify_{check}")).fetchall()
        if rows:
            ids, names = zip(*rows, strict=True)
            findings.append(Finding(check, what, len(ids), names[:_EXAMPLES], ids))
    return findings


def mark_unread(connection: Connection, findings: list[Finding]) -> None:
    """Leave documents that lost something pending: the next run of their source reads them again.

    That run embeds nothing whose vector is there.
    """
    for finding in findings:
        if finding.check in ("chunks", "versions"):
            connection.execute(query(f"repair_{finding.check}"), {"ids": list(finding.ids)})
    connection.commit()


def recount_uses(connection: Connection) -> None:
    """Count again the uses of passages that are counted wrongly."""
    connection.execute(query("repair_uses"))
    connection.commit()
