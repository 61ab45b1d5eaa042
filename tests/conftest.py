"""A real PostgreSQL for every test: one embedded server a test run, one fresh database a test."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from tasks.database import connect, dsn, migrate, server
from tasks.settings import Settings

pytest_plugins = ("tests.book",)

_HOME = "OPENBOOK_TEST_HOME"
_TEMPLATE = "openbook_template"
_numbers = count()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the home of the server that all workers of this run share."""
    if not hasattr(config, "workerinput"):
        os.environ[_HOME] = str(make_short_folder())


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of every later search for garbage."""
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop that server when all workers are done."""
    if not hasattr(config, "workerinput"):
        home = Path(os.environ.pop(_HOME))
        server.stop(Settings(home=home))
        shutil.rmtree(home)


def make_short_folder() -> Path:
    """A new folder that root's unprivileged server can enter, unlike pytest's own.

    It is in memory where there is room, since a new server waits for the disk many times.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30
    folder = Path(tempfile.mkdtemp(prefix="openbook-test-", dir=memory if roomy else None))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def cluster() -> Settings:
    """The run's embedded server; tests that need a database ask for `database` instead."""
    settings = Settings(home=Path(os.environ[_HOME]))
    server.start(settings)
    return settings


@pytest.fixture(scope="session")
def administration(cluster: Settings) -> Iterator[psycopg.Connection]:
    """A superuser's connection to the run's server, with the template of the tests' databases."""
    with (
        closing(psycopg.connect(dsn(cluster), autocommit=True)) as connection,
        (cluster.home / "template.lock").open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = connection.execute(
            "select from pg_database where datname = %s", [_TEMPLATE]
        ).fetchone()
        if known is None:
            connection.execute("alter system set fsync = off")
            connection.execute("alter system set max_wal_size = '256MB'")
            connection.execute("select pg_reload_conf()")
            fresh = f"{_TEMPLATE}_new"
            connection.execute(SQL("create database {}").format(Identifier(fresh)))
            migrate(Settings(home=cluster.home, database_url=_address(cluster, fresh)))
            connection.execute(
                SQL("alter database {} rename to {}").format(
                    Identifier(fresh), Identifier(_TEMPLATE)
                )
            )
        fcntl.flock(lock, fcntl.LOCK_UN)
        yield connection


@pytest.fixture
def empty_database(
    cluster: Settings, administration: psycopg.Connection, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a new database without Openbook's schema, on a configured server."""
    yield from _fresh(cluster, administration, "template1", tmp_path)


@pytest.fixture
def database(
    cluster: Settings, administration: psycopg.Connection, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a new, migrated, empty database, with the hashing embedder and their own home."""
    yield from _fresh(cluster, administration, _TEMPLATE, tmp_path)


@pytest.fixture
def connection(database: Settings) -> Iterator[psycopg.Connection]:
    """A connection to the test's `database`, as the product opens it; not in autocommit mode."""
    with closing(connect(database)) as connection:
        yield connection


def _fresh(
    cluster: Settings, administration: psycopg.Connection, template: str, folder: Path
) -> Iterator[Settings]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    administration.execute(
        SQL("create database {} template {} strategy file_copy").format(
            Identifier(name), Identifier(template)
        )
    )
    yield Settings(home=folder / "home", database_url=_address(cluster, name), embedder="hashing")
    administration.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def _address(cluster: Settings, name: str) -> str:
    return make_conninfo(dsn(cluster), dbname=name)
