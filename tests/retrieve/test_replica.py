"""Search on a real hot standby, made by pg_basebackup, that follows its primary by streaming."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tasks.database import Pool, cluster, connect, dsn, stop
from tasks.errors import Retryable
from tasks.retrieve.notes import notes_of
from tasks.retrieve.search import search
from tasks.settings import Settings
from tests.conftest import make_short_folder
from tests.retrieve.conftest import Shelf

# All of them on one pair, which takes seconds to make.
pytestmark = pytest.mark.xdist_group("replica")

REPLICATION = """
alter system set wal_level = 'replica';
alter system set max_wal_senders = 4;
alter system set hba_file = '{hba}';
alter system set shared_buffers = '16MB';
"""


def run_as(owner: Any) -> dict[str, Any]:
    """How subprocess runs a program as the server's account."""
    return {"user": owner.pw_uid, "group": owner.pw_gid} if os.geteuid() == 0 else {}


def until(settings: Settings, statement: str, wanted: object) -> None:
    with closing(connect(settings, autocommit=True)) as connection:
        for _ in range(1000):
            if connection.execute(statement.encode()).fetchone() == (wanted,):
                return
            time.sleep(0.02)
    raise AssertionError(f"{statement} is not {wanted}")


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Settings, Callable[[], None]]]:
    """A primary and its standby, the latter as search_url; and how to stop the primary."""
    home = make_short_folder()
    primary = Settings(home=home / "primary", embedder="hashing")
    with closing(connect(primary, autocommit=True)) as connection:
        shelf = Shelf(connection)
        shelf.put("pumps.md", "turn the shaft of a stored pump", readers=["public"])
        shelf.put("seals.md", "dry running ruins the seals", readers=["ann"])
        shelf.embed()
        shelf.seal()
        folder = cluster.locate(primary.home)
        hba = folder / "replication.conf"
        hba.write_text("local all all trust\nlocal replication all trust\n")
        hba.chmod(0o644)
        for line in REPLICATION.format(hba=hba).strip().splitlines():
            connection.execute(line.encode())
    stop(primary)
    connect(primary).close()
    owner = cluster.owner_of(folder)
    programs = cluster.programs(owner)
    sockets = home / "standby"
    sockets.mkdir()
    if os.geteuid() == 0:
        os.chown(sockets, owner.pw_uid, owner.pw_gid)
    data = sockets / "data"
    subprocess.run(
        [programs / "pg_basebackup", "--pgdata", data, "--write-recovery-conf", "--checkpoint=fast",
         "--host", cluster.socket_folder(folder), "--username=postgres"],
        check=True, cwd=sockets, **run_as(owner),
    )  # fmt: skip
    standby = subprocess.Popen(
        [programs / "postgres", "-D", data, "-c", f"unix_socket_directories={sockets}",
         "-c", "listen_addresses=", "-c", "max_worker_processes=64"],
        stderr=subprocess.DEVNULL, cwd=sockets, **run_as(owner),
    )  # fmt: skip
    address = make_conninfo(host=str(sockets), port=5432, user="postgres", dbname="openbook")
    while True:
        try:
            psycopg.connect(address).close()
            break
        except psycopg.OperationalError:
            assert standby.poll() is None
            time.sleep(0.05)
    yield replace(primary, search_url=address), lambda: (stop(primary), None)[1]
    standby.terminate()
    standby.wait()
    stop(primary)
    shutil.rmtree(home)


def test_a_search_reads_from_the_standby_and_leaves_its_notes_at_the_primary(
    pair: tuple[Settings, Callable[[], None]],
) -> None:
    settings, _ = pair
    with closing(connect(settings.reading())) as standby:
        assert standby.execute("select pg_is_in_recovery()").fetchone() == (True,)

    hits = search("stored pump", settings=settings)
    notes_of(settings).flush()

    best = hits[0]
    assert (best.path, best.keyword_rank, best.dense_rank) == ("pumps.md", 1, 1)
    until(settings, "select count(*) from search_log", 1)
    # What was asked once is known to the standby as well, by way of the primary.
    until(settings.reading(), "select count(*) from query_embeddings", 1)
    with closing(connect(settings.reading(), autocommit=True)) as standby:
        assert search("stored pump", settings=settings, connection=standby, log=False) == hits
        own = standby.execute("select path from openbook.search('stored pump', k => 1)").fetchone()
        assert own == ("pumps.md",)


def test_a_server_names_its_callers_on_the_standby(
    pair: tuple[Settings, Callable[[], None]],
) -> None:
    settings, _ = pair
    pool = Pool(settings.reading(), 2, seconds=5)

    def paths(*principals: str) -> set[str]:
        return {
            hit.path
            for hit in pool.run(
                lambda connection: search(
                    "pump seals", mode="keyword", principals=principals, settings=settings,
                    connection=connection,
                )
            )
        }  # fmt: skip

    assert paths() == {"pumps.md"}
    assert paths("ann") == {"pumps.md", "seals.md"}
    pool.close()
    notes_of(settings).flush()
    until(settings, "select count(*) from search_log where principals = '{public,ann}'", 1)


def test_a_search_address_that_does_not_work_is_named_as_what_it_is(database: Settings) -> None:
    nowhere = replace(database, search_url="postgresql://localhost:1/openbook?connect_timeout=2")

    with pytest.raises(Retryable, match="OPENBOOK_SEARCH_URL cannot be used"):
        search("gaskets", settings=nowhere)


def test_what_is_published_reaches_the_standby(pair: tuple[Settings, Callable[[], None]]) -> None:
    settings, _ = pair
    with closing(connect(settings, autocommit=True)) as connection:
        Shelf(connection).put("gaskets.md", "gaskets are flat", readers=["public"])

    until(settings.reading(), "select count(*) from documents where status = 'current'", 3)
    (hit,) = search("gaskets", mode="keyword", settings=settings, log=False)
    assert hit.path == "gaskets.md"


def test_searches_outlive_the_primary_and_count_what_they_could_not_note(
    pair: tuple[Settings, Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    settings, stop_the_primary = pair
    there = replace(settings, database_url=dsn(settings))  # configured: nobody starts it again
    notes = notes_of(there)
    stop_the_primary()

    started = time.monotonic()
    (hit,) = search("stored pump", mode="keyword", settings=there)
    notes.flush()

    assert (hit.path, notes.dropped) == ("pumps.md", 1)
    assert "1 searches were not written down" in caplog.text
    assert time.monotonic() - started < 60
