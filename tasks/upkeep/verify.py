"""What is recorded as done is compared with what is stored, and mended where it differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from psycopg import Connection

from tasks.database import query

_EXAMPLES = 5

_CHECKS = {
    "chunks": "documents lost chunks",
    "versions": "documents point at a version that is not theirs or has ended",
    "uses": "passages are counted wrongly",
    "vectors": "texts that readers see have no vector",
    "keywords": "passages are in the keyword index and should not be, or the reverse",
    "blocks": "blocks of the keyword index do not hold what their passages say",
    "index": "vector indexes are missing, invalid or do not find what is there",
}
"""In the order of mending: what is lost is read again, then counted, then bought, then indexed."""

_READ_AGAIN = ("files", "chunks", "versions")
"""The findings whose ids are documents, which the next run of their source mends."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: how many rows it concerns, and some of them as a person knows them."""

    check: str
    what: str
    count: int
    examples: tuple[str, ...]
    ids: tuple[int, ...]


def verify(connection: Connection, checks: Iterable[str] = tuple(_CHECKS)) -> list[Finding]:
    """Make these comparisons; what differs, in the order of mending."""
    findings = []
    for check in checks:
        rows = connection.execute(query(f"verify_{check}")).fetchall()
        if rows:
            findings.append(finding(check, _CHECKS[check], rows))
    return findings


def finding(check: str, what: str, rows: Collection[tuple[int, str]]) -> Finding:
    """A finding of those rows: ids, and names that a person knows."""
    ids, names = zip(*rows, strict=True)
    return Finding(check, what, len(ids), names[:_EXAMPLES], ids)


def mark_unread(connection: Connection, findings: Iterable[Finding]) -> list[int]:
    """Leave documents that lost something pending; the ids of their sources.

    The next run of such a source reads them again, and embeds nothing whose vector is there.
    """
    documents: list[int] = []
    for found in findings:
        if found.check in _READ_AGAIN:
            connection.execute(query(f"repair_{found.check}"), {"ids": list(found.ids)})
            documents += found.ids
    rows = connection.execute(query("sources_of"), {"documents": documents}).fetchall()
    connection.commit()
    return [source_id for (source_id,) in rows]


def recount_uses(connection: Connection) -> None:
    """Count again the uses of passages that are counted wrongly."""
    connection.execute(query("repair_uses"))
    connection.commit()


def drop_bad_vectors(connection: Connection) -> None:
    """Delete vectors that no search can compare, so that they are bought like missing ones."""
    _mend(connection, "vectors")


def unseal_untrue(connection: Connection) -> None:
    """Take what is untrue out of the keyword index; search reads it as it is until it is sealed."""
    _mend(connection, "blocks")
    _mend(connection, "keywords")


def _mend(connection: Connection, check: str) -> None:
    for found in verify(connection, [check]):
        connection.execute(query(f"repair_{check}"), {"ids": list(found.ids)})
    connection.commit()
