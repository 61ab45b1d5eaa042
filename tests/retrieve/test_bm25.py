"""BM25 is Lucene's formula over the passages in use, whatever happened to them before."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from psycopg import Connection
from psycopg.errors import InvalidParameterValue

from tests.retrieve.conftest import Shelf

Scores = list[tuple[int, float]]


def oracle(connection: Connection, query: str) -> Scores:
    """Lucene's BM25 by definition: every passage in use that matches, best first, ties by id."""
    lengths: Counter[int] = Counter()
    counts: dict[str, dict[int, int]] = {}
    for passage, lexeme, count in connection.execute(
        "select p.id, u.lexeme, cardinality(u.positions) from passages p"
        " left join lateral unnest(p.lexemes) u on true"
        " where exists (select from chunks c join versions v using (content_id)"
        "               join documents d on d.version_id = v.id where c.passage_id = p.id)"
    ):
        lengths[passage] += count or 0
        if lexeme is not None:
            counts.setdefault(lexeme, {})[passage] = count
    asked = connection.execute(
        "select u.lexeme, cardinality(u.positions) from unnest(openbook.lexemes('english', %s)) u",
        [query],
    ).fetchall()
    k1, b = connection.execute("select k1, b from collections where id = 1").fetchone() or (0, 0)
    scores: dict[int, float] = {}
    for lexeme, times in asked:
        holders = counts.get(lexeme, {})
        rarity = math.log(1 + (len(lengths) - len(holders) + 0.5) / (len(holders) + 0.5))
        mean = lengths.total() / max(len(lengths), 1)
        for passage, count in holders.items():
            norm = k1 * (1 - b + b * lengths[passage] / mean)
            scores[passage] = scores.get(passage, 0) + times * rarity * count / (count + norm)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def bm25(connection: Connection, query: str, depth: int) -> Scores:
    return [
        (passage, score)
        for passage, score in connection.execute(
            "select passage_id, score from openbook.bm25("
            " (select id from collections where name = 'default'), %s, %s)",
            [query, depth],
        )
    ]


def assert_exact(shelf: Shelf, query: str, depth: int = 10) -> None:
    expected = oracle(shelf.connection, query)
    found = bm25(shelf.connection, query, depth)
    assert [score for _, score in found] == pytest.approx(
        [score for _, score in expected[:depth]], rel=1e-9
    )
    # Two sums of the same numbers may differ in their last bit.
    expected.sort(key=lambda item: (-round(item[1], 9), item[0]))
    found.sort(key=lambda item: (-round(item[1], 9), item[0]))
    assert [passage for passage, _ in found] == [passage for passage, _ in expected[:depth]]


class Writer:
    """Makes texts of Zipf-like words, reproducibly."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.words = [f"{a}{b}a" for a in "bdfgklmnprtvz" for b in "aeiou"]
        self.weights = [1 / (rank + 1) for rank in range(len(self.words))]

    def text(self, longest: int) -> str:
        count = self.random.randint(1, longest)
        return " ".join(self.random.choices(self.words, self.weights, k=count))

    def query(self) -> str:
        return " ".join(self.random.choices(self.words, k=self.random.randint(1, 5)))


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_lucenes_through_edits_deletions_and_sealing(shelf: Shelf, seed: int) -> None:
    writer = Writer(seed)
    longest = 12
    for step in range(60):
        path = f"{writer.random.randrange(12)}.txt"
        match writer.random.choice(["put"] * 5 + ["copy", "remove", "forget", "seal", "grow"]):
            case "put":
                shelf.put(path, *(writer.text(longest) for _ in range(writer.random.randint(1, 6))))
            case "copy":
                texts = [text for (text,) in shelf.connection.execute("select body from passages")]
                shelf.put(path, *texts[:4])
            case "remove" if path in shelf.current():
                shelf.remove(path)
            case "forget":
                shelf.forget(path)
            case "seal":
                shelf.seal(writer.random.choice([1, 2, 8]))
            case "grow":
                longest = writer.random.choice([4, 12, 60])
        if step % 4 == 3:
            for depth in (1, 5, 200):
                assert_exact(shelf, writer.query(), depth)


def test_the_best_of_many_blocks_are_found(shelf: Shelf) -> None:
    writer = Writer(11)
    for number in range(9):
        shelf.put(f"{number}.txt", *(writer.text(20) for _ in range(600)))
        if number % 2:
            shelf.seal(256)
    shelf.remove("3.txt")
    (blocks,) = shelf.connection.execute("select count(*) from bm25_blocks").fetchone() or (0,)
    assert blocks > 1
    for depth in (1, 10, 100, 3000):
        assert_exact(shelf, writer.query(), depth)


def test_a_block_is_written_anew_when_a_fifth_of_it_is_gone_or_the_mean_length_has_moved(
    shelf: Shelf,
) -> None:
    writer = Writer(5)
    shelf.put("stays.txt", *(writer.text(10) for _ in range(70)))
    shelf.put("goes.txt", *(writer.text(10) for _ in range(30)))
    shelf.seal()
    shelf.remove("goes.txt")
    shelf.seal()
    assert shelf.connection.execute("select slots = live_slots from bm25_blocks").fetchall() == [
        (True,)
    ]
    shelf.put("long.txt", *(writer.text(90) for _ in range(40)))
    shelf.seal(10)
    (mean,) = shelf.connection.execute(
        "select average_length from openbook.bm25_statistics(1)"
    ).fetchone() or (0,)
    for (average,) in shelf.connection.execute("select average_length from bm25_blocks"):
        assert average == pytest.approx(mean, rel=0.11)


def test_what_was_struck_out_takes_no_place_among_the_best(shelf: Shelf) -> None:
    writer = Writer(6)
    shelf.put("stays.txt", *(f"baa {writer.text(10)} {n}" for n in range(90)))
    shelf.put("goes.txt", *(f"baa baa {n}" for n in range(10)))
    shelf.seal()
    shelf.remove("goes.txt")
    shelf.seal()
    assert shelf.connection.execute("select slots - live_slots from bm25_blocks").fetchall() == [
        (10,)
    ]
    for depth in (1, 5, 95):
        assert_exact(shelf, "baa", depth)


def test_the_best_are_found_when_the_mean_length_has_moved_since_they_were_sealed(
    shelf: Shelf,
) -> None:
    writer = Writer(7)
    shelf.put("sealed.txt", *(writer.text(40) for _ in range(400)))
    shelf.seal()
    for longest in (400, 3000):
        shelf.put("pending.txt", *(writer.text(longest) for _ in range(60)))
        for _ in range(10):
            assert_exact(shelf, writer.query(), 5)


def test_scores_follow_the_constants_of_the_collection(shelf: Shelf) -> None:
    writer = Writer(8)
    for number in range(4):
        shelf.put(f"{number}.txt", *(writer.text(30) for _ in range(60)))
    shelf.seal()
    shelf.remove("3.txt")
    shelf.put("4.txt", *(writer.text(30) for _ in range(20)))
    for k1, b in ((0.9, 0.4), (2.0, 0.0), (1.2, 0.75)):
        shelf.connection.execute("select openbook.set_bm25('default', %s, %s)", [k1, b])
        assert_exact(shelf, writer.query())
        shelf.seal()
        assert_exact(shelf, writer.query())
        assert shelf.connection.execute("select count(*) from bm25_pending").fetchone() == (0,)
    with pytest.raises(InvalidParameterValue, match="no collection 'attic'"):
        shelf.connection.execute("select openbook.set_bm25('attic', 1, 1)")


def test_few_changes_wait_until_sealing_them_pays(shelf: Shelf) -> None:
    shelf.put("a.txt", "one", "two", "three")
    assert shelf.seal(minimum=4) == 0
    assert shelf.seal(minimum=3) == 3


def test_empty_and_unknown_words_find_nothing(shelf: Shelf) -> None:
    assert bm25(shelf.connection, "anything", 10) == []
    shelf.put("a.txt", "the of and", "bees")
    for query in ("", "the of", "wasps", "'\"\\ :* & | ! ()"):
        assert bm25(shelf.connection, query, 10) == []
    shelf.seal()
    assert len(bm25(shelf.connection, "bees", 10)) == 1
