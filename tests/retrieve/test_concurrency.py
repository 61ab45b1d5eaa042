"""Readers see every passage in use exactly once while others publish, remove and seal."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from tasks.database import connect
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf

DOCUMENTS = 30
ENOUGH = {"writes": 60, "sealed": 150, "searches": 25}
PATIENCE = 120.0


def test_no_passage_is_missed_or_doubled_while_the_index_moves(
    shelf: Shelf, database: Settings
) -> None:
    """Each document is rewritten again and again, always with three passages that say `anchor`."""
    for number in range(DOCUMENTS):
        shelf.put(f"{number}.txt", *bodies(number, 0))
    ends = time.monotonic() + PATIENCE
    failures: list[BaseException] = []
    done = dict.fromkeys(ENOUGH, 0)

    def at_work() -> bool:
        wanted = any(done[what] < enough for what, enough in ENOUGH.items())
        return wanted and not failures and time.monotonic() < ends

    def worker(act: Callable[[Shelf, random.Random], None], seed: int) -> threading.Thread:
        def run() -> None:
            chooser = random.Random(seed)
            try:
                with closing(connect(database, autocommit=True)) as connection:
                    while at_work():
                        act(Shelf(connection), chooser)
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=run)

    def write(mine: range) -> Callable[[Shelf, random.Random], None]:
        def act(own: Shelf, chooser: random.Random) -> None:
            number = chooser.choice(mine)
            own.put(f"{number}.txt", *bodies(number, chooser.randrange(4)))
            done["writes"] += 1

        return act

    def seal(own: Shelf, chooser: random.Random) -> None:
        (sealed,) = own.connection.execute(
            "select openbook.seal_blocks(%s)", [chooser.choice([1, 5, 20])]
        ).fetchone() or (0,)
        done["sealed"] += sealed

    def search(own: Shelf, chooser: random.Random) -> None:
        hits = own.search("anchor", mode="keyword", k=1000)
        found = sorted((hit["path"], hit["text"].split()[1]) for hit in hits)
        assert found == sorted((f"{n}.txt", f"part{p}") for n in range(DOCUMENTS) for p in range(3))
        done["searches"] += 1

    threads = [
        worker(write(range(0, DOCUMENTS, 2)), 1),
        worker(write(range(1, DOCUMENTS, 2)), 2),
        worker(seal, 3),
        worker(seal, 4),
        worker(search, 5),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert min(done.values()) > 0, done

    shelf.seal()
    assert untrue(shelf) == 0


@pytest.mark.parametrize("act", ["remove", "forget"])
def test_a_sealer_does_not_wait_for_who_takes_passages_away(
    shelf: Shelf, database: Settings, act: str
) -> None:
    shelf.put("sealed.txt", "one", "two")
    shelf.seal()
    shelf.put("pending.txt", "three", "four", "five")
    shelf.put("stays.txt", "six", "seven", "eight")
    shelf.connection.execute("set statement_timeout = '5s'")
    with closing(connect(database, autocommit=True)) as other, other.transaction():
        for path in ("sealed.txt", "pending.txt"):
            getattr(Shelf(other), act)(path)
        shelf.seal()
    shelf.seal()
    assert untrue(shelf) == 0


@pytest.mark.parametrize("act", ["remove", "forget"])
def test_who_takes_a_passage_away_waits_for_a_sealer_that_has_it(
    shelf: Shelf, database: Settings, act: str
) -> None:
    shelf.put("a.txt", "one", "two")
    shelf.put("b.txt", "three")
    with closing(connect(database)) as sealer, closing(connect(database)) as other:
        Shelf(sealer).seal()
        taker = threading.Thread(target=getattr(Shelf(other), act), args=["a.txt"])
        taker.start()
        taker.join(0.5)
        assert taker.is_alive()
        sealer.commit()
        taker.join()
        other.commit()
    shelf.seal()
    assert untrue(shelf) == 0
    assert shelf.connection.execute(
        "select passages from openbook.bm25_statistics(1)"
    ).fetchone() == (1,)


def untrue(shelf: Shelf) -> int:
    """How many passages the index counts wrongly: a live slot or pending, one of the two."""
    (wrong,) = shelf.connection.execute(
        "select count(*) from passages p full join bm25_slots s on s.passage_id = p.id"
        " left join bm25_pending q on q.passage_id = p.id"
        " where p.id is null"
        "    or (p.uses > 0) <> ((s.passage_id is not null) <> (q.passage_id is not null))"
    ).fetchone() or (0,)
    return int(wrong)


def bodies(number: int, edition: int) -> list[str]:
    """Three passages; some are shared with other documents and editions, some are not."""
    return [f"anchor part{part} of {(number + edition * part) % 7}" for part in range(3)]
