"""The drop folder: what is new is loaded, once, however often and however a run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.cli import main
from tasks.database import hold
from tests.book import Book
from tests.conversations.conftest import chat, lines

ROOT = Path(__file__).parents[2]
STORED = (
    "select c.identity_hash, c.content_hash, m.ordinal, m.role, m.content"
    " from conversations c join messages m on m.conversation_id = c.id order by 1, 3"
)


def openbook(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def ingest(book: Book) -> dict[str, Any]:
    result = openbook("conversations", "ingest", str(book.drop), "--json")
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def stored(book: Book) -> list[tuple[Any, ...]]:
    with book.connect() as connection:
        return connection.execute(STORED.encode()).fetchall()


def test_only_files_that_are_new_or_changed_are_read(book: Book) -> None:
    book.write("a.jsonl", lines(chat("Hello", "Hi", id="a")))
    book.write("more/b.jsonl", lines(chat("Hello", "Hi", id="b")))
    book.write(".hidden", "nonsense")
    first = ingest(book)
    assert (first["added"], len(first["files"])) == (2, 2)
    assert ingest(book)["files"] == []
    book.write("a.jsonl", lines(chat("Hello", "Hi", id="a"), chat("Bye", "Bye", id="c")))
    third = ingest(book)
    assert (third["added"], third["unchanged"], len(third["files"])) == (1, 1, 1)


def test_a_rejected_line_is_named_in_the_report_the_artifact_and_by_the_exit_code(
    book: Book,
) -> None:
    book.write("a.jsonl", lines(chat("Hello", "Hi", id="a")) + "nonsense\n")
    result = openbook("conversations", "ingest", str(book.drop), "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["added"], report["rejected"]) == (1, 1)
    assert report["files"][0]["rejections"][0]["line"] == 2
    with get_client(sync_client=True) as client:
        key = ArtifactFilterKey(any_=["conversations-drop-rejected"])
        artifacts = client.read_artifacts(artifact_filter=ArtifactFilter(key=key))
    assert any("a.jsonl | 2 |" in str(artifact.data) for artifact in artifacts)


def test_one_run_a_folder_works_at_a_time(book: Book) -> None:
    with book.connect() as connection, hold(connection, "conversations folder", str(book.drop)):
        result = openbook("conversations", "ingest", str(book.drop), "--json")
    assert result.exit_code == 1
    assert "another run" in json.loads(result.stdout)["error"]


def test_a_load_that_is_killed_is_made_good_by_the_next_one(book: Book) -> None:
    said = [[f"Question {n} {i}" for i in range(6)] for n in range(30_000)]
    path = book.write("big.jsonl", lines(*(chat(*one, id=str(n)) for n, one in enumerate(said))))
    command = [sys.executable, "-m", "flows.cli", "conversations", "load", str(path), "--json"]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.DEVNULL)
    with book.connect() as connection:
        connection.autocommit = True
        while not connection.execute("select from conversations limit 1").fetchall():
            assert process.poll() is None
            time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _wait_until_alone(book)
    with book.connect() as connection:
        (partly,) = connection.execute("select count(*) from conversations").fetchone() or (0,)
        assert 0 < partly < len(said)
        assert connection.execute("select status from load_files").fetchall() == [("loading",)]

    report = ingest(book)
    assert (report["read"], report["added"]) == (len(said), len(said) - partly)
    after = stored(book)
    assert len(after) == len({(identity, ordinal) for identity, _, ordinal, *_ in after}) == 180_000
    assert ingest(book)["files"] == []


def _wait_until_alone(book: Book) -> None:
    """Until the killed process's helpers have ended with it, and with them their connections."""
    with psycopg.connect(str(book.settings.database_url), autocommit=True) as connection:
        others = "select from pg_stat_activity where datname = current_database() and pid <> %s"
        end = time.monotonic() + 30
        while connection.execute(others, [connection.info.backend_pid]).fetchall():
            assert time.monotonic() < end
            time.sleep(0.05)


def test_load_names_rejected_lines_and_takes_folders_and_formats(book: Book) -> None:
    book.write("a.jsonl", lines(chat("Hello", "Hi", id="a")))
    book.write("b.jsonl", "nonsense\n")
    result = openbook("conversations", "load", str(book.drop))
    assert result.exit_code == 1
    assert "a.jsonl: 1 added, 2 messages" in result.output
    assert "line 1: The line is no JSON" in result.output
    named = openbook("conversations", "load", str(book.drop / "a.jsonl"), "--format", "otel")
    assert named.exit_code == 1
    assert openbook("conversations", "load", "x", "--format", "other").exit_code == 2


def test_forget_takes_users_and_conversations(book: Book) -> None:
    book.write(
        "a.jsonl", lines(*(chat("Hello", "Hi", id=i, user=u) for i, u in ("ax", "by", "cx")))
    )
    ingest(book)
    result = openbook("forget", "--user", "x", "--conversation", "b", "--json")
    assert result.exit_code == 0
    removed = json.loads(result.stdout)["removed"]
    assert removed["user x"]["conversations"] == 2
    assert removed["conversation b"] == {"conversations": 1, "messages": 2, "feedback": 0}
    assert stored(book) == []
    again = openbook("forget", "--user", "x")
    assert again.exit_code == 0
    assert "nothing was there" in again.output
    assert openbook("forget").exit_code == 2


def test_a_pseudonym_is_the_one_in_the_tables(book: Book) -> None:
    book.write("a.jsonl", lines(chat("Hello", "Hi", user="anna")))
    ingest(book)
    printed = openbook("conversations", "pseudonym", "--user", "anna").output.strip()
    with book.connect() as connection:
        assert connection.execute("select user_pseudonym from conversations").fetchone() == (
            printed,
        )
    assert openbook("conversations", "pseudonym").exit_code == 2


def test_maintenance_forgets_conversations_past_their_time(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import settings

    old = chat("Hello", "Hi", id="a", started_at="2020-01-01T00:00:00Z")
    book.write("a.jsonl", lines(old, chat("Hello", "Hi", id="b")))
    ingest(book)
    monkeypatch.setenv("OPENBOOK_CONVERSATION_DAYS", "30")
    settings.current.cache_clear()
    assert openbook("maintain", "--json").exit_code == 0
    assert len(stored(book)) == 2


def test_what_is_loaded_is_made_ready_for_the_datasets_there_are(book: Book) -> None:
    spec = book.drop.parent / "spec.yaml"
    spec.write_text("name: support\nkind: sft\nquality: {min_tokens: 1}\n")
    book.write("a.jsonl", lines(chat("Hello", "Hi", id="a")))
    assert ingest(book)["prepared"] == {}
    assert openbook("curate", str(spec)).exit_code == 0
    file = book.write("b.jsonl", lines(chat("Hello", "Hi", id="b"), chat("Bye", "Bye", id="c")))
    assert ingest(book)["prepared"] == {"support": 2}
    told = openbook("conversations", "load", str(file), "--json")
    assert json.loads(told.stdout)["prepared"] == {"support": 0}
