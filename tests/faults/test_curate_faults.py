"""A curation that is killed leaves nothing half done: run again, it gives the same version."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from contextlib import closing
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tasks.database import connect
from tasks.datasets import store
from tasks.datasets.curate import curate
from tasks.datasets.read_spec import parse_spec
from tasks.settings import Settings
from tests.datasets.conftest import WORDS

SPEC = parse_spec("name: support\nkind: sft\nquality: {min_tokens: 1}\n")
POINTS = (
    "insert into openbook.examples",
    "create temporary table drafted",
    "insert into openbook.dataset_versions",
    "insert into openbook.dataset_examples",
    "commit",
)


@pytest.fixture
def conversations(connection: Connection) -> Connection:
    """Forty conversations, some of them near-duplicates, disliked or corrected."""
    chooser = random.Random(3)
    said = [" ".join(chooser.choices(WORDS, k=40)) for _ in range(36)]
    connection.execute(
        "insert into conversations (external_id) select n from generate_series(1, 40) n"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into messages (conversation_id, role, content) values (%s, %s, %s)",
            [
                row
                for place in range(40)
                for row in ((place + 1, "user", said[place % 36]), (place + 1, "assistant", "Yes."))
            ],
        )
    connection.execute(
        "insert into feedback (conversation_id, kind, value) values (7, 'thumb', -1)"
    )
    connection.commit()
    return connection


def test_a_killed_curation_run_again_gives_the_same_version(
    conversations: Connection, database: Settings
) -> None:
    planned = curate(conversations, SPEC, database, plan=True).decision
    conversations.commit()
    for point in POINTS:
        assert curate_apart(database, point) == []
        assert conversations.execute("select count(*) from dataset_versions").fetchone() == (0,)
        conversations.commit()
    outcome = curate(conversations, SPEC, database)
    assert (outcome.version, outcome.created, outcome.decision) == (1, True, planned)


def test_the_helpers_of_a_killed_curation_end_and_what_they_made_is_used(
    conversations: Connection, database: Settings
) -> None:
    planned = curate(conversations, SPEC, database, plan=True).decision
    conversations.commit()
    helpers = curate_apart(database, "insert into openbook.examples", with_helpers=True)
    assert helpers
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in helpers):
        assert time.monotonic() < deadline, "a helper outlives the curation"
        time.sleep(0.05)
    assert curate(conversations, SPEC, database).decision == planned


def curate_apart(database: Settings, point: str, with_helpers: bool = False) -> list[int]:
    """Curate in a process that is killed before the statement that holds `point`; its helpers."""
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    with closing(receiver), closing(sender):
        process = context.Process(target=_curate, args=(database, point, with_helpers, sender))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        helpers = receiver.recv()
    assert isinstance(helpers, list)
    return helpers


def _curate(database: Settings, point: str, with_helpers: bool, sender: Pipe) -> None:
    if with_helpers:
        store._WORTH_A_POOL = 0
        store._AT_ONCE = 4
    plain = psycopg.Connection.execute

    def die() -> None:
        sender.send([child.pid for child in multiprocessing.active_children()])
        os.kill(os.getpid(), signal.SIGKILL)

    def execute(self: Connection, query: Any, *given: Any, **options: Any) -> Any:
        text = query.decode() if isinstance(query, bytes) else query
        if point in (text if isinstance(text, str) else text.as_string(self)):
            die()
        return plain(self, query, *given, **options)

    psycopg.Connection.execute = execute  # type: ignore[assignment]
    with connect(database) as connection:
        curate(connection, SPEC, database)
        die()
