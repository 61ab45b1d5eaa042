"""A book kept by processes that may die, whose vectors are bought from a loopback endpoint."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prefect.settings import PREFECT_API_URL
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from tasks.database import connect
from tasks.settings import Settings
from tests.endpoint import KEY, EmbeddingEndpoint, Misbehaviour, embedding_endpoint, encoded
from tests.faults import folder, invariants
from tests.faults.process import Job, Outcome, Running, run

_FADE_SECONDS = 20.0
_TRANSACTION_ENDS = ("commit_gen", "exit_gen")


class Lab:
    """A folder, the database kept in step with it, and the endpoint that sells the vectors."""

    def __init__(
        self, database: Settings, drop: Path, api: str, endpoint: EmbeddingEndpoint
    ) -> None:
        self.database = database
        self.drop = drop
        self.endpoint = endpoint
        self.api = api
        self.allow_mass_delete = False
        assert database.database_url is not None
        self.environment = {
            "TMPDIR": str(drop.parent),
            "OPENBOOK_HOME": str(database.home),
            "OPENBOOK_DATABASE_URL": database.database_url,
            "OPENBOOK_EMBEDDER": "openai",
            "OPENBOOK_EMBEDDING_URL": endpoint.url,
            "OPENBOOK_EMBEDDING_KEY": KEY,
            "OPENBOOK_BATCH_FILES": "4",
            "OPENBOOK_CHUNK_TOKENS": "64",
            "OPENBOOK_PARSE_WORKERS": "1",
        }

    def job(self, **changes: Any) -> Job:
        """What a process is to do; an `environment` is laid over the lab's own."""
        environment = {**self.environment, **changes.pop("environment", {})}
        log = self.drop.parent / "boundaries.log"
        return Job(
            drop=self.drop,
            environment=environment,
            log=log,
            api=self.api,
            allow_mass_delete=self.allow_mass_delete,
            **changes,
        )

    def ingest(self, **changes: Any) -> Outcome:
        """Run a flow, ingest unless told, in a process of its own, and wait for its end."""
        return run(self.job(**changes))

    def start(self, **changes: Any) -> Running:
        """Run the flow in a process of its own, and go on."""
        return Running(self.job(**changes))

    def fall_behind(self) -> dict[str, set[str]]:
        """Leave the book one step behind its folder; what is to be found when it has caught up."""
        folder.begin(self.drop)
        assert self.ingest().error is None, self.output()
        return folder.change(self.drop)

    def output(self) -> str:
        """What the processes printed, for the message of a test that fails."""
        return self.job().log.with_suffix(".out").read_text(errors="replace")[-3000:]

    def connect(self) -> closing[psycopg.Connection]:
        """A connection to the lab's database, closed with the block."""
        return closing(connect(self.database, application_name="lab"))

    def cut_connections(self) -> None:
        """Let the server end the connections of the book's processes."""
        with self.connect() as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and application_name = 'openbook'"
            )

    def settle(self) -> None:
        """Wait until the server has noticed that the book's processes are gone."""
        deadline = time.monotonic() + _FADE_SECONDS
        with self.connect() as connection:
            while connection.execute(
                "select from pg_stat_activity"
                " where datname = current_database() and application_name = 'openbook'"
            ).fetchall():
                assert time.monotonic() < deadline, "a dead process keeps its connection"
                connection.rollback()
                time.sleep(0.01)

    def assert_sound(self, moment: invariants.Moment = "always") -> None:
        """Every invariant of that moment holds."""
        with self.connect() as connection:
            assert invariants.broken(connection, moment) == []

    def assert_equals(self, expected: Mapping[str, set[str]]) -> None:
        """The book is at rest, and what readers find is what the folder holds, no more, no less."""
        self.assert_sound("at rest")
        with self.connect() as connection:
            found = invariants.searchable(connection)
        assert {path: folder.marks(text) for path, text in found.items()} == dict(expected)

    def assert_recovers(self, expected: Mapping[str, set[str]]) -> None:
        """The next run brings the book in step, and the one after that is silent."""
        outcome = self.ingest()
        assert outcome.error is None, self.output()
        self.assert_equals(expected)
        before = self.rows()
        silent = self.ingest()
        assert silent.error is None, self.output()
        assert silent.reports[0]["embedded"] == 0
        assert self.rows() == before, "the silent run wrote rows"
        for report in outcome.reports + silent.reports:
            answered = ("new", "changed", "unchanged", "renamed", "pending")
            answers = sum(report[name] for name in answered) + len(report["rejected"])
            assert answers == report["seen"], "a file has no answer"

    def rows(self) -> dict[str, list[Any]]:
        """Where each row of the book lies; every write to one moves it."""
        tables = ("sources", "models", "documents", "versions", "contents", "chunks", "passages")
        tables += ("embeddings", "bm25_blocks", "bm25_slots", "bm25_postings", "bm25_pending")
        with self.connect() as connection:
            return {
                table: connection.execute(
                    SQL("select tableoid, ctid::text, xmin::text from {} order by 1, 2").format(
                        Identifier(table)
                    )
                ).fetchall()
                for table in tables
            }

    def stored(self) -> set[str]:
        """The texts whose vectors are stored."""
        with self.connect() as connection:
            rows = connection.execute(
                "select concat_ws(E'\\n', title, section, body) from passages p"
                " where exists (select from embeddings e where e.sha256 = p.sha256)"
            ).fetchall()
        return {text for (text,) in rows}

    def on(self, database: Settings) -> Lab:
        """The same folder and endpoint, with another database."""
        return Lab(database, self.drop, self.api, self.endpoint)

    def beside(self, name: str) -> Lab:
        """Another folder, kept in the same database with vectors of the same endpoint."""
        drop = self.drop.parent / name / f"{self.drop.name}-{name}"
        drop.mkdir(parents=True)
        return Lab(self.database, drop, self.api, self.endpoint)


def meanwhile(act: Callable[[], object]) -> Misbehaviour:
    """Let something happen while a run waits for its vectors, then answer well."""

    def misbehave(handler: Any, answer: dict[str, Any]) -> None:
        act()
        handler.answer(200, encoded(answer))

    return misbehave


@pytest.fixture
def endpoint() -> Iterator[EmbeddingEndpoint]:
    """A well-behaved embedding endpoint."""
    with embedding_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def lab(
    database: Settings, prefect_server: None, tmp_path: Path, endpoint: EmbeddingEndpoint
) -> Lab:
    """An empty book over an empty folder."""
    drop = tmp_path / f"drop-{tmp_path.name}"
    drop.mkdir()
    database.home.mkdir()
    api = PREFECT_API_URL.value()
    assert api is not None
    return Lab(database, drop, api, endpoint)


class Copies:
    """Copies of a database, one at a time."""

    def __init__(self, original: Settings, administration: psycopg.Connection) -> None:
        assert original.database_url is not None
        self._original = original
        self._url = original.database_url
        self._name = str(conninfo_to_dict(self._url)["dbname"])
        self._copy = f"{self._name}_copy"
        self._administration = administration

    def fresh(self) -> Settings:
        """A new copy; the one before is gone."""
        self.drop()
        self._administration.execute(
            SQL("create database {} template {}").format(
                Identifier(self._copy), Identifier(self._name)
            )
        )
        url = self._url.replace(f"dbname={self._name}", f"dbname={self._copy}")
        assert url != self._url
        return replace(self._original, database_url=url)

    def drop(self) -> None:
        """Remove the copy."""
        self._administration.execute(
            SQL("drop database if exists {} with (force)").format(Identifier(self._copy))
        )


@pytest.fixture
def copies(database: Settings, administration: psycopg.Connection) -> Iterator[Copies]:
    """Copies of the test's database."""
    copies = Copies(database, administration)
    yield copies
    copies.drop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where the crash sweep cut runs off, all of which recovered, and how often."""
    killed: Counter[tuple[str, str]] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "boundaries":
                killed.update((history, _kind(one)) for history, one in value)
    if killed:
        terminalreporter.section("crash sweep: killed here, sound, in step after the next run")
        for (history, kind), times in sorted(killed.items()):
            terminalreporter.line(f"{times:5}  {history:12} {kind}")


def _kind(boundary: str) -> str:
    """What sort of boundary one is, such as `before commit`."""
    moment, thing, what = boundary.replace(":", "").split(" ", 2)
    if thing == "database":
        return f"{moment} {'commit' if what in _TRANSACTION_ENDS else 'another database call'}"
    return f"{moment} {thing} {what}"
