"""`openbook status` names what nobody would notice: what has stopped to happen."""

from __future__ import annotations

import json

from click.testing import CliRunner
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.cli import main
from tasks.database import hold
from tests.book import Book


def problems() -> list[str]:
    """What it names; its exit code says whether there is any."""
    answer = CliRunner().invoke(main, ["status", "--json"])
    found: list[str] = json.loads(answer.stdout)["problems"]
    assert answer.exit_code == (1 if found else 0)
    return found


def test_status_tells_of_what_has_not_run(book: Book) -> None:
    book.write("tides.md", "The spring tide follows the new moon.")
    book.ingest()
    with book.connect() as connection:
        connection.execute("update runs set finished_at = now() - interval '3 weeks'")
        connection.execute(
            "update documents set status = 'pending', checked_at = now() - interval '30 hours'"
        )
    assert problems() == [
        "drop: the last run that succeeded was 21 days ago",
        "drop: a file waits to be read since 30 hours",
    ]


def test_status_tells_of_a_source_that_was_never_read(book: Book) -> None:
    with book.connect() as connection:
        connection.execute(
            "insert into sources (collection_id, root, name) values (1, %s, 'new')",
            [str(book.drop)],
        )
        connection.execute(
            "insert into sources (collection_id, root, name) values (1, 'given:exam', 'exam')"
        )
    assert problems() == ["new: it was never read"], "an exam's documents come from no folder"


def test_status_tells_a_killed_run_from_one_at_work(book: Book) -> None:
    book.ingest()
    with book.connect() as connection, connection.transaction():
        row = connection.execute(
            "insert into runs (source_id) select id from sources returning source_id"
        )
        source = row.fetchall()[0][0]
    assert problems() == ["drop: the last run abandoned: it was killed"]
    with book.connect() as connection, hold(connection, "ingest", source):
        assert problems() == []


def test_status_tells_of_a_folder_that_is_gone(book: Book) -> None:
    book.ingest()
    book.drop.rmdir()
    assert problems() == [f"drop: its folder {book.drop} is not there"]


def test_status_tells_of_a_prefect_server_that_does_not_answer(book: Book) -> None:
    book.ingest()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        (said,) = problems()
        assert said.startswith("Prefect's server at http://127.0.0.1:9/api does not answer")
        assert "http://127.0.0.1:9/api" in CliRunner().invoke(main, ["status"]).output
