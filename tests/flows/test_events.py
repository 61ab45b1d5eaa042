"""What flows tell Prefect of the book arrives at a real server."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from flows.conversations import ingest_conversations
from flows.curate import curate
from tasks.evaluate.exam import Question
from tasks.evaluate.golden.store import store_golden
from tests.book import Book

_PATIENCE_SECONDS = 120


@pytest.fixture
def since() -> str:
    """When the test began: the server is that of other tests too."""
    return datetime.now(UTC).isoformat()


def events(name: str, since: str, *, at_least: int) -> list[dict[str, Any]]:
    """The events of that name since then, newest first, when the server has so many."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with get_client(sync_client=True) as client:
            reply = client._client.post(
                "/events/filter",
                json={"filter": {"event": {"name": [name]}, "occurred": {"since": since}}},
            )
        found: list[dict[str, Any]] = reply.json()["events"]
        if len(found) >= at_least or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def test_what_was_published_is_told_once_with_counts_and_without_texts(
    book: Book, since: str
) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide follows the new moon.\n")
    report = book.ingest()
    book.ingest()  # nothing moved
    book.write("tides.md", "# Tides\n\nThe neap tide follows the half moon.\n")
    book.ingest()
    told = [
        one["payload"]
        for one in events("openbook.document.published", since, at_least=2)
        if one["resource"]["prefect.resource.id"] == "openbook.document.drop"
    ]
    assert [(one["new"], one["changed"]) for one in told] == [(0, 1), (1, 0)]
    assert told[1]["run"] == report["run_id"]
    assert "tide" not in str(told)


def test_conversations_and_the_dataset_made_of_them_are_told(
    book: Book, tmp_path: Path, since: str
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    asked, said = ({"role": role, "content": role} for role in ("user", "assistant"))
    (logs / "june.jsonl").write_text(json.dumps({"messages": [asked, said]}))
    ingest_conversations(str(logs))
    (loaded,) = events("openbook.conversations.loaded", since, at_least=1)
    assert loaded["payload"]["added"] == 1
    spec = tmp_path / "told.yaml"
    spec.write_text("name: told\nkind: sft\n")
    curate(str(spec))
    curate(str(spec))  # the same version
    made = events("openbook.dataset.made", since, at_least=1)
    mine = [one for one in made if one["resource"]["prefect.resource.name"] == "told"]
    assert [one["payload"]["version"] for one in mine] == [1]
    assert any(one["prefect.resource.role"] == "flow-run" for one in mine[0]["related"])


def test_golden_questions_that_lose_their_document_are_told(book: Book, since: str) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide follows the new moon.\n")
    book.write("wind.md", "# Wind\n\nThe trade wind blows steady.\n")
    book.ingest()
    asked = [
        Question("When is spring tide?", {"tides.md": 1}),
        Question("What blows steady?", {"wind.md": 1}),
    ]
    with book.connect() as connection:
        store_golden(connection, "coast", asked, collection="default")
    (book.drop / "tides.md").unlink()
    book.ingest()
    told = events("openbook.golden.failed", since, at_least=1)
    assert [(one["resource"]["prefect.resource.name"], one["payload"]) for one in told] == [
        ("coast", {"questions": 1, "source": "drop"})
    ]
