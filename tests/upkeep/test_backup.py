"""The whole book in a file, and back: searched, verified and curated as before."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from flows.curate import curate
from flows.differences import differences
from tasks import settings as settings_module
from tasks.conversations.pseudonyms import pseudonyms
from tasks.database import connect, migrate, query
from tasks.errors import Fatal, Rejected, Retryable
from tasks.settings import Settings
from tasks.upkeep.backup import back_up, read_manifest, restore
from tests.book import Book
from tests.datasets.conftest import Log

SPEC = "name: support\nkind: sft\n"
TABLES = """
    select c.relname
    from pg_class c
    where c.relnamespace = 'openbook'::regnamespace and c.relkind = 'r'
      and c.relname not in ('schema_definitions', 'schema_migrations')
"""


@pytest.fixture
def full(book: Book, tmp_path: Path) -> Book:
    """A book with documents, history, conversations, a dataset, a login and a token."""
    book.write("a.md", "# Pumps\n\nTurn the shaft of a stored pump every four weeks.\n")
    book.write("b.md", "# Seals\n\nDry running ruins them.\n")
    book.ingest()
    book.write("b.md", "# Seals\n\nDry running ruins the faces of the seals.\n")
    book.ingest()
    book.search("stored pump")
    with book.connect() as connection:
        Log(connection, book.settings).grow(20, user_pseudonym="u" * 32)
    (tmp_path / "support.yaml").write_text(SPEC)
    book.settings.home.mkdir(exist_ok=True)
    curate(spec=str(tmp_path / "support.yaml"))
    (book.settings.home / "tokens.json").write_text("[]")
    pseudonyms(book.settings)
    return book


@pytest.fixture
def small(database: Settings) -> Settings:
    """A book that holds a source and a conversation, and a home with a token."""
    with closing(connect(database)) as connection, connection.transaction():
        connection.execute("insert into sources (collection_id, root, name) values (1, '/a', 'a')")
        Log(connection, database).grow(1)
    database.home.mkdir()
    (database.home / "tokens.json").write_text("[]")
    return database


@pytest.fixture
def other(empty_database: Settings, tmp_path: Path) -> Settings:
    """A database without anything, and a home of its own."""
    return Settings(
        home=tmp_path / "other", database_url=empty_database.database_url, embedder="hashing"
    )


def contents(settings: Settings) -> dict[str, Any]:
    """Every row of every table."""
    with closing(connect(settings)) as connection:
        return {
            name: connection.execute(
                f"select t::text from openbook.{name} t order by 1".encode()
            ).fetchall()
            for (name,) in connection.execute(TABLES.encode()).fetchall()
        }


def test_a_backup_restored_elsewhere_is_the_same_book(
    full: Book, other: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = full.search("stored pump")
    before = contents(full.settings)
    file = tmp_path / "book.zip"

    manifest = back_up(full.settings, file)
    restored = restore(other, file)

    assert restored.manifest == manifest == read_manifest(file)
    assert (manifest.documents, manifest.conversations, manifest.datasets) == (2, 20, 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert contents(other) == before
    for name in ("pseudonym.key", "tokens.json"):
        copy = other.home / name
        assert copy.read_bytes() == (full.settings.home / name).read_bytes()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    monkeypatch.setenv("OPENBOOK_HOME", str(other.home))
    monkeypatch.setenv("OPENBOOK_DATABASE_URL", str(other.database_url))
    settings_module.current.cache_clear()
    again = Book(settings_module.current(), full.drop)
    found = again.search("stored pump")
    assert [(h.rank, h.path, h.text, h.score) for h in found] == [
        (h.rank, h.path, h.text, h.score) for h in hits
    ]
    with again.connect() as connection:
        assert differences(connection, again.settings) == []
    assert again.ingest()["embedded"] == 0
    version = curate(spec=str(tmp_path / "support.yaml"))
    assert (version["version"], version["created"]) == (1, False)


def test_a_login_that_is_there_keeps_its_rights(
    small: Settings, other: Settings, tmp_path: Path
) -> None:
    name = str(conninfo_to_dict(str(small.database_url))["dbname"]) + "_ben"
    with psycopg.connect(str(small.database_url), autocommit=True) as connection:
        connection.execute(f"create role {name} login; grant openbook_analyst to {name}")
        try:
            back_up(small, tmp_path / "book.zip")
            assert restore(other, tmp_path / "book.zip").logins_missing == ()
            with psycopg.connect(make_conninfo(str(other.database_url), user=name)) as analyst:
                assert analyst.execute("table analytics.documents").fetchall() == []
        finally:
            connection.execute(f"drop role {name}")


def test_rights_come_back_with_the_book(small: Settings, other: Settings, tmp_path: Path) -> None:
    with psycopg.connect(str(small.database_url), autocommit=True) as connection:
        connection.execute("create role backup_ana login; grant openbook_analyst to backup_ana")
        try:
            back_up(small, tmp_path / "book.zip")
            connection.execute("drop role backup_ana")

            assert restore(other, tmp_path / "book.zip").logins_missing == ()

            ana = make_conninfo(str(other.database_url), user="backup_ana")
            with psycopg.connect(ana) as analyst:
                assert analyst.execute("table analytics.documents").fetchall() == []
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    analyst.execute("select from openbook.embeddings")
        finally:
            with psycopg.connect(str(other.database_url), autocommit=True) as there:
                there.execute("drop owned by backup_ana")
            connection.execute("drop owned by backup_ana; drop role backup_ana")


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size * 2 // 3)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def rewrite(file: Path, **changes: Any) -> None:
    """The same backup with another manifest."""
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    manifest = {**json.loads(members.pop("manifest.json")), **changes}
    with zipfile.ZipFile(file, "w") as new:
        for name, content in members.items():
            new.writestr(name, content)
        new.writestr("manifest.json", json.dumps(manifest))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, "not a whole backup"),
        (flip, "not a whole backup"),
        (empty, "not a whole backup"),
        (lambda file: rewrite(file, version=9999), "newer Openbook"),
        (lambda file: rewrite(file, files=None), "not a whole backup"),
    ],
    ids=["cut", "flipped", "empty", "newer", "nonsense"],
)
def test_a_spoilt_backup_is_refused_and_loses_nothing(
    small: Settings, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    back_up(small, tmp_path / "book.zip")
    spoil(tmp_path / "book.zip")
    before = contents(small)

    with pytest.raises(Rejected, match=message):
        restore(small, tmp_path / "book.zip", force=True)

    assert contents(small) == before


def test_a_restore_that_fails_half_way_loses_nothing(small: Settings, tmp_path: Path) -> None:
    back_up(small, tmp_path / "book.zip")
    with zipfile.ZipFile(tmp_path / "book.zip") as old:
        text = old.read("database.sql").replace(b"\nCREATE VIEW", b"\nCREATE WIEW", 1)
        manifest = old.read("manifest.json")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as new:
        new.writestr("database.sql", text)
        new.writestr("manifest.json", manifest)
    before = contents(small)

    with pytest.raises(Fatal, match="WIEW"):
        restore(small, tmp_path / "bad.zip", force=True)

    assert contents(small) == before


def test_a_book_that_holds_something_is_replaced_by_force_alone(
    small: Settings, tmp_path: Path
) -> None:
    back_up(small, tmp_path / "book.zip")
    before = contents(small)
    with closing(connect(small)) as connection, connection.transaction():
        connection.execute("update sources set name = 'later'")
    (small.home / "tokens.json").write_text('["later"]')

    with pytest.raises(Rejected, match="holds a book already"):
        restore(small, tmp_path / "book.zip")
    assert contents(small) != before
    restored = restore(small, tmp_path / "book.zip", force=True)

    assert contents(small) == before
    assert [Path(path).read_text() for path in restored.set_aside] == ['["later"]']


KEPT = """
    select c.relname
    from pg_class c
    where c.relnamespace = 'openbook'::regnamespace and c.relkind in ('r', 'p')
      and c.relname not like 'bm25%' and not c.relispartition
"""
NEEDED = """
    select k.confrelid::regclass::text
    from pg_constraint k
    where k.conrelid = to_regclass(%(name)s) and k.contype = 'f' and k.confrelid <> k.conrelid
      and not exists (
          select from pg_attribute a
          where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and not a.attnotnull)
"""


def test_every_kind_of_row_makes_a_book_that_is_not_empty(connection: Connection) -> None:
    asked = query("backup_occupied").as_string()
    row = connection.execute(query("backup_occupied")).fetchone()
    assert row == (False,), "a new book is empty"
    for name in roots(connection):
        assert f"from openbook.{name})" in asked, f"a restore would take {name} away unasked"


def roots(connection: Connection) -> list[str]:
    """The tables that a migration leaves empty, and whose rows need none of another of them."""
    empty = {
        name
        for (name,) in connection.execute(KEPT.encode()).fetchall()
        if not connection.execute(f"select 1 from openbook.{name} limit 1".encode()).fetchone()
    }
    needed = {
        name: {
            other.removeprefix("openbook.")
            for (other,) in connection.execute(NEEDED, {"name": f"openbook.{name}"})
        }
        for name in empty
    }
    return sorted(name for name in empty if not needed[name] & empty)


OTHERS = {
    "view": "create view public.mine as select * from analytics.vitals",
    "key": "create table public.mine (id bigint references openbook.sources)",
    "column": "create table public.mine (id bigint, one openbook.sources)",
    "function": "create function public.mine(openbook.sources) returns int language sql return 1",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_others_made_is_named_and_not_dropped(
    small: Settings, tmp_path: Path, kind: str
) -> None:
    back_up(small, tmp_path / "book.zip")
    with closing(connect(small, autocommit=True)) as connection:
        connection.execute(OTHERS[kind].encode())
        before = contents(small)

        with pytest.raises(Rejected, match=r"public\.mine.* uses what is to be replaced"):
            restore(small, tmp_path / "book.zip", force=True)

        assert contents(small) == before
        what = "function" if kind == "function" else "view" if kind == "view" else "table"
        signature = "(openbook.sources)" if kind == "function" else ""
        connection.execute(f"drop {what} public.mine{signature}".encode())
        connection.execute("create table public.kept ()")
        restore(small, tmp_path / "book.zip", force=True)
        assert connection.execute("table public.kept").fetchall() == []


def test_a_book_in_use_is_not_waited_for_for_ever(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.database.transfer._LOCK_WAIT", "100ms")
    back_up(small, tmp_path / "book.zip")
    with closing(connect(small)) as connection:
        connection.execute("lock table openbook.documents in access share mode")

        with pytest.raises(Retryable, match="lock timeout"):
            restore(small, tmp_path / "book.zip", force=True)


def test_nothing_is_left_of_a_backup_that_fails(
    small: Settings, administration: Connection, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "there.zip").write_text("mine")
    with pytest.raises(Rejected, match="exists"):
        back_up(small, folder / "there.zip")
    administration.execute("create role backup_reader login in role openbook_analyst")
    try:
        url = make_conninfo(str(small.database_url), user="backup_reader")
        with pytest.raises(Fatal, match="may be hidden"):
            back_up(Settings(home=small.home, database_url=url), folder / "reader.zip")
    finally:
        administration.execute("drop role backup_reader")

    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("there.zip", "mine")]


def test_the_owner_of_the_schema_backs_all_of_it_up(
    empty_database: Settings, administration: Connection, tmp_path: Path
) -> None:
    name = make_conninfo(str(empty_database.database_url))
    with psycopg.connect(name, autocommit=True) as connection:
        connection.execute("create extension if not exists vector")
        connection.execute("create role backup_owner login createrole")
        database = connection.info.dbname
        connection.execute(f"alter database {database} owner to backup_owner".encode())
    try:
        url = make_conninfo(name, user="backup_owner")
        owner = Settings(home=tmp_path / "home", database_url=url, embedder="hashing")
        migrate(owner)
        with closing(connect(owner, autocommit=True)) as connection:
            connection.execute(
                "insert into sources (collection_id, root, name) values (1, '/a', 'a')"
            )
            connection.execute("insert into documents (source_id, path) values (1, 'hidden')")
        before = contents(owner)
        back_up(owner, tmp_path / "book.zip")
        restore(owner, tmp_path / "book.zip", force=True)
        assert contents(owner) == before
    finally:
        with psycopg.connect(name, autocommit=True) as connection:
            connection.execute(f"alter database {database} owner to postgres".encode())
            connection.execute("reassign owned by backup_owner to postgres")
            connection.execute("drop owned by backup_owner")
        shutil.rmtree(tmp_path / "home", ignore_errors=True)
        administration.execute("drop role backup_owner")
