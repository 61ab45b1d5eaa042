"""Search through a real PgBouncer that lends its connections for a transaction only."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import QueryCanceled

from tasks.database import Pool, cluster, connect, hold, migrate
from tasks.errors import Fatal
from tasks.retrieve.search import search
from tasks.settings import Settings
from tests.conftest import make_short_folder
from tests.retrieve.conftest import Shelf

pytestmark = pytest.mark.skipif(
    shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin") is None,
    reason="needs PgBouncer (Debian: apt-get install pgbouncer)",
)
LOGIN = "pooler_server"


def start(settings: Settings, folder: Path, connect_query: str) -> subprocess.Popen[bytes]:
    """PgBouncer over the test's database, with one server connection a login; as who owns that."""
    direct = conninfo_to_dict(str(settings.database_url))
    owner = cluster.owner_of(cluster.locate(Path(os.environ["OPENBOOK_TEST_HOME"])))
    (folder / "users.txt").write_text(f'"postgres" ""\n"{LOGIN}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\nbook = host={direct['host']} port=5432 dbname={direct['dbname']}"
        f" {connect_query}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n"
        f"unix_socket_dir = {folder}\nauth_type = trust\nauth_file = {folder}/users.txt\n"
        "pool_mode = transaction\ndefault_pool_size = 1\n"
    )
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, owner.pw_uid, owner.pw_gid)
    program = shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin")
    assert program is not None
    process = subprocess.Popen(
        [program, "-q", folder / "pgbouncer.ini"],
        stderr=subprocess.DEVNULL,
        user=owner.pw_uid if os.geteuid() == 0 else None,
        group=owner.pw_gid if os.geteuid() == 0 else None,
    )
    while not (folder / ".s.PGSQL.6432").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


@pytest.fixture
def pooler(database: Settings, shelf: Shelf, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings whose searches go through the pooler, over a book with two documents."""
    shelf.put("pumps.md", "turn the shaft of a stored pump", readers=["ann"])
    shelf.put("seals.md", "dry running ruins the seals", readers=["public"])
    shelf.embed()
    path = getattr(request, "param", "connect_query='set search_path = openbook, public'")
    folder = make_short_folder()
    process = start(database, folder, path)
    address = make_conninfo(host=str(folder), port=6432, dbname="book", user="postgres")
    yield replace(database, search_url=address)
    process.terminate()
    process.wait()
    shutil.rmtree(folder)


def test_searches_go_through_the_pooler(pooler: Settings, shelf: Shelf) -> None:
    for _ in range(12):  # psycopg prepares a statement that it has seen five times
        hits = search("stored pump", settings=pooler)
    assert hits == search("stored pump", settings=replace(pooler, search_url=None), log=False)
    assert hits[0].dense_rank == 1

    logged = shelf.connection.execute("select count(*) from search_log").fetchone()
    assert logged == (12,)


def test_clients_that_share_a_connection_see_what_is_theirs(pooler: Settings) -> None:
    with psycopg.connect(str(pooler.database_url), autocommit=True) as connection:
        connection.execute(f"create role {LOGIN} login in role openbook_search".encode())
    try:
        served = make_conninfo(str(pooler.search_url), user=LOGIN)
        pool = Pool(replace(pooler, database_url=served), 4, seconds=5)

        def ask(number: int) -> tuple[bool, set[str]]:
            known = number % 2 == 0
            hits = pool.run(
                lambda connection: search(
                    "pump seals", mode="keyword", settings=pooler, connection=connection,
                    principals=["ann"] if known else [],
                )
            )  # fmt: skip
            return known, {hit.path for hit in hits}

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(ask, range(40)))
        pool.close()
    finally:
        with psycopg.connect(str(pooler.database_url), autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [LOGIN]
            )
            connection.execute(f"drop owned by {LOGIN}".encode())
            connection.execute(f"drop role {LOGIN}".encode())

    assert all(paths == ({"pumps.md", "seals.md"} if known else {"seals.md"})
               for known, paths in answers)  # fmt: skip


def test_a_time_limit_is_the_requests_alone(pooler: Settings) -> None:
    pool = Pool(pooler.reading(), 1, seconds=0.3)
    with pytest.raises(QueryCanceled):
        pool.run(lambda connection: connection.execute("select pg_sleep(5)"))
    pool.close()

    with closing(connect(pooler.reading(), autocommit=True)) as connection:
        assert connection.execute("show statement_timeout").fetchone() == ("0",)


def test_what_keeps_the_book_asks_for_the_server_itself(pooler: Settings) -> None:
    through = pooler.reading()

    with pytest.raises(Fatal, match="a pooler stands before the database"):
        migrate(through)
    with (
        closing(connect(through)) as connection,
        pytest.raises(Fatal, match="OPENBOOK_SEARCH_URL"),
        hold(connection, "ingest", 1),
    ):
        pass


@pytest.mark.parametrize("pooler", [""], indirect=True)
def test_a_pooler_that_says_nothing_of_the_search_path_is_refused(pooler: Settings) -> None:
    with pytest.raises(Fatal, match="connect_query"):
        search("stored pump", settings=pooler)
