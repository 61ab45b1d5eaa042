"""A book of its own for each test, kept by the real flow against a real Prefect server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_LEVEL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)
from psycopg import Connection

from flows import ingest as ingest_flow
from flows.server import ensure_server, stop_server
from tasks import settings as settings_module
from tasks.database import connect, dsn
from tasks.records import Hit
from tasks.retrieve.search import search
from tasks.settings import Settings


class Book:
    """A drop folder, and the database that is kept in step with it."""

    def __init__(self, settings: Settings, drop: Path) -> None:
        self.settings = settings
        self.drop = drop

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file into the drop folder."""
        path = self.drop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, folder: Path | None = None, **parameters: Any) -> dict[str, Any]:
        """Run the flow; its report."""
        return ingest_flow.ingest(folder=str(folder or self.drop), **parameters)

    def search(self, query: str, k: int = 10, mode: str = "hybrid") -> list[Hit]:
        """Search as an application does."""
        return search(query, k=k, mode=mode, settings=self.settings)

    def connect(self) -> Connection:
        """A connection to the book's database."""
        return connect(self.settings)

    def row_versions(self) -> dict[str, list[Any]]:
        """Where each row of the documents' tables lies: moves with every write to it."""
        tables = ("documents", "versions", "contents", "chunks", "passages", "embeddings")
        with self.connect() as connection:
            return {
                table: connection.execute(
                    f"select tableoid, ctid::text, xmin::text from {table} order by 1, 2"
                ).fetchall()
                for table in tables
            }


@pytest.fixture(scope="session")
def prefect_server(cluster: Settings) -> Iterator[None]:
    """A Prefect server for the tests of one worker, with its runs in a file."""
    with tempfile.TemporaryDirectory(prefix="openbook-prefect-") as home:
        settings = Settings(home=Path(home), database_url=dsn(cluster))
        updates = {
            PREFECT_API_URL: ensure_server(settings),
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
            PREFECT_LOGGING_LEVEL: "ERROR",
            PREFECT_LOGGING_TO_API_ENABLED: False,
        }
        with temporary_settings(updates):
            yield
        stop_server(settings)


@pytest.fixture
def book(
    database: Settings, prefect_server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Book]:
    """An empty book over an empty drop folder, with the hashing embedder."""
    assert database.database_url is not None
    for name in [name for name in os.environ if name.startswith("OPENBOOK_")]:
        if name != "OPENBOOK_TEST_HOME":
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPENBOOK_HOME", str(database.home))
    monkeypatch.setenv("OPENBOOK_DATABASE_URL", database.database_url)
    monkeypatch.setenv("OPENBOOK_EMBEDDER", "hashing")
    settings_module.current.cache_clear()
    drop = tmp_path / "drop"
    drop.mkdir()
    yield Book(settings_module.current(), drop)
    settings_module.current.cache_clear()
