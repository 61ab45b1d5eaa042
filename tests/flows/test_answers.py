"""Every file has an answer, which status and the failures view tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tasks.ingest.status import status
from tests.book import Book
from tests.flows.test_cli import TIDES, openbook


def test_a_rejected_file_says_how_often_it_was_tried_and_when_it_is_tried_again(
    book: Book,
) -> None:
    book.write("empty.md", "")
    report = book.ingest()
    (rejected,) = report["rejected"]
    assert (rejected["attempts"], rejected["next_try_at"]) == (1, None)
    assert "(tried once; again when it changes)" in openbook("status").output
    later = datetime.now(UTC) + timedelta(hours=1)
    with book.connect() as connection:
        connection.execute("update documents set attempts = 3, next_try_at = %s", [later])
    assert f"(tried 3 times; again from {later:%Y-%m-%d %H:%M} UTC)" in openbook("status").output
    with book.connect() as connection:
        connection.execute("update documents set next_try_at = now()")
    assert "(tried 3 times; again in the next run)" in openbook("status").output


def test_a_pending_file_is_named_with_what_readers_see_of_it(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    with book.connect() as connection:
        connection.execute("update documents set status = 'pending'")
        (pending,) = status(connection)["pending"]
        assert (pending["path"], pending["searchable"]) == ("tides.md", True)
        failures = connection.execute(
            "select status, path, still_searchable, reason, remedy, next_try_at <= now()"
            " from analytics.ingest_failures"
        ).fetchall()
    assert failures == [
        (
            "pending",
            "tides.md",
            True,
            "waits to be read: it changed while the last run read it, or that run has not come to "
            "its end",
            "Run ingest again.",
            True,
        )
    ]
    assert "pending tides.md: the next run reads it" in openbook("status").output
    book.ingest()
    with book.connect() as connection:
        assert status(connection)["pending"] == []
        assert connection.execute("select from analytics.ingest_failures").rowcount == 0


def test_status_names_an_index_that_is_broken(book: Book) -> None:
    assert "keyword index: 0 passages in 0 blocks" in openbook("status").output
    with book.connect() as connection:
        connection.execute(
            "update pg_index set indisvalid = false where indexrelid = 'chunks_passage'::regclass"
        )
    assert "invalid: chunks_passage; mend with: openbook maintain" in openbook("status").output
    openbook("maintain")
    assert "invalid" not in openbook("status").output
