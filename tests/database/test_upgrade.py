"""Databases that earlier states of Openbook left, with data: migrated, they go on."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flows.curate import curate
from flows.differences import differences
from tasks import settings as settings_module
from tasks.database import bin_path, check, connect, migrate
from tasks.settings import Settings
from tests.book import Book
from tests.database.conftest import ask
from tests.releases import make

RELEASES = sorted(path.name[:7] for path in Path(make.__file__).parent.glob("*.sql.gz"))
BUILT = """
    select p.oid::regprocedure::text || pg_get_function_result(p.oid) from pg_proc p
    where p.pronamespace = 'openbook'::regnamespace
    union all
    select concat_ws(' ', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod))
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'v', 'i', 'I')
    where c.relnamespace in ('openbook'::regnamespace, 'analytics'::regnamespace)
      and a.attnum > 0 and not a.attisdropped and c.relname !~ '^embeddings_\\d'
    union all
    select pg_get_triggerdef(t.oid) from pg_trigger t where not t.tgisinternal
    union all
    select concat_ws(' ', p.polrelid::regclass, p.polname) from pg_policy p
"""


def restore(settings: Settings, release: str) -> None:
    dump = gzip.decompress((Path(make.__file__).parent / f"{release}.sql.gz").read_bytes())
    psql = [bin_path("psql"), "-qX", "-v", "ON_ERROR_STOP=1", str(settings.database_url)]
    done = subprocess.run(psql, input=dump, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(params=RELEASES)
def old(
    request: pytest.FixtureRequest, empty_database: Settings, book: Book,
    monkeypatch: pytest.MonkeyPatch,
) -> Book:  # fmt: skip
    """The book as that release left it, whose folder is here now; not migrated."""
    restore(empty_database, request.param)
    make.write(book.drop, make.FILES)
    with psycopg.connect(str(empty_database.database_url), autocommit=True) as connection:
        connection.execute("update openbook.sources set root = %s", [str(book.drop)])
    monkeypatch.setenv("OPENBOOK_DATABASE_URL", str(empty_database.database_url))
    monkeypatch.setenv("OPENBOOK_PSEUDONYM_KEY", make.KEY)
    settings_module.current.cache_clear()
    return Book(settings_module.current(), book.drop)


def built(settings: Settings) -> list[Any]:
    with connect(settings) as connection:
        return sorted(connection.execute(BUILT.encode()).fetchall())


def test_an_earlier_database_goes_on_after_migrating(old: Book, database: Settings) -> None:
    assert check(old.settings) != []
    vectors = "select count(*) from openbook.embeddings"
    bought = ask(old.settings, vectors)

    migrate(old.settings)

    assert check(old.settings) == []
    assert built(old.settings) == built(database)
    with old.connect() as connection:
        assert differences(connection, old.settings) == []
    hit = old.search("how long is the warranty?", k=1)[0]
    assert (hit.text.startswith("The warranty lasts 24 months"), hit.keyword_rank) == (True, 1)
    (shaft,) = old.search("shaft of a stored pump", k=1, mode="dense")
    assert shaft.path.startswith("pumps/")

    report = old.ingest()
    assert (report["embedded"], report["new"]) == (0, 0)
    assert report["rejected"][0]["path"] == "nothing.txt"
    old.write("prices.csv", make.FILES["prices.csv"] + "gasket,3.10\n")
    assert old.ingest()["embedded"] == 1
    assert old.search("gasket", k=1, mode="keyword")[0].path == "prices.csv"
    assert ask(old.settings, vectors) == bought + 1
    with old.connect() as connection:
        assert differences(connection, old.settings) == []
        views = connection.execute(
            "select oid::regclass::text from pg_class"
            " where relkind = 'v' and relnamespace = 'analytics'::regnamespace"
        ).fetchall()
        for (view,) in views:
            connection.execute(f"select * from {view}".encode())


def test_an_earlier_dataset_is_the_newest_version_still(old: Book, tmp_path: Path) -> None:
    if ask(old.settings, "select to_regclass('openbook.datasets')") is None:
        pytest.skip("that state had no datasets")
    migrate(old.settings)
    spec = tmp_path / "support.yaml"
    spec.write_text(make.SPEC)

    again = curate(spec=str(spec))
    with old.connect() as connection:
        connection.execute("update messages set content = content || ' Soon.' where ordinal = 1")
    later = curate(spec=str(spec))

    assert (again["version"], again["created"]) == (1, False)
    assert (later["version"], later["created"]) == (2, True)
    assert sum(later["splits"].values()) > 0
