"""Servers of a test's own, for tests that kill, stop or spoil them; small schemas to change."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.database import connect, dsn, stop
from tasks.settings import Settings
from tests.conftest import make_short_folder

ROOT = Path(__file__).parents[2]
GREETING = "create or replace function openbook.greeting() returns text language sql return %s;"


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = make_short_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def seed() -> Iterator[Path]:
    """The home of a server that has run, and is down."""
    home = make_short_folder()
    connect(Settings(home=home)).close()
    stop(Settings(home=home))
    yield home
    shutil.rmtree(home)


@pytest.fixture
def new_home(short_folder: Path) -> Iterator[Settings]:
    """Settings of an embedded server that has never run; it is stopped after the test."""
    settings = Settings(home=short_folder / "home", embedder="hashing")
    yield settings
    stop(settings)


@pytest.fixture
def embedded(new_home: Settings, seed: Path) -> Settings:
    """Settings of an embedded server that has run before; it is stopped after the test."""
    return copy_of(seed, new_home.home)


def copy_of(seed: Path, home: Path) -> Settings:
    """Settings of an embedded server at `home` that goes on where the seed's stopped."""
    subprocess.run(["cp", "--archive", seed, home], check=True)
    return Settings(home=home, embedder="hashing")


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    """A small `sql` folder that a test may change: one table, one function, the real roles."""
    folder = tmp_path / "sql"
    for name in ("migrations", "functions", "views"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "sql" / "schema.sql", folder)
    (folder / "migrations" / "0001_fruits.sql").write_text("create table fruits (name text);")
    (folder / "functions" / "greeting.sql").write_text(GREETING % "'hello'")
    return folder


def ask(settings: Settings, statement: str) -> Any:
    with psycopg.connect(settings.database_url or dsn(settings), autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None
