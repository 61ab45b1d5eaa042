"""What `openbook.search` promises to whoever calls it in SQL."""

from __future__ import annotations

import hashlib
import random
from collections import Counter

import pytest
from pgvector import HalfVector
from psycopg.errors import InvalidParameterValue

from tasks.embedders.hashing import HashingEmbedder
from tests.retrieve.conftest import Shelf


def vector(text: str) -> HalfVector:
    return HalfVector(HashingEmbedder().embed([text])[0])


def notices(shelf: Shelf) -> list[str]:
    said: list[str] = []
    shelf.connection.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    return said


def test_a_hit_says_where_it_is_and_why_it_is_there(shelf: Shelf) -> None:
    document = shelf.put(
        "sea/tides.md", "Springs follow the moon.", "Neaps are weak.", title="Tides"
    )
    shelf.embed()
    (hit,) = shelf.search("moon", k=1, embedding=vector("moon"))
    assert hit == {
        "rank": 1,
        "score": hit["score"],
        "source": "shelf",
        "path": "sea/tides.md",
        "title": "Tides",
        "section": None,
        "page": None,
        "text": "Springs follow the moon.",
        "keyword_rank": 1,
        "dense_rank": 1,
        "document_id": document,
        "version_id": hit["version_id"],
        "chunk_id": hit["chunk_id"],
    }


def test_an_empty_book_answers_with_nothing(shelf: Shelf) -> None:
    for mode in ("hybrid", "dense", "keyword"):
        assert shelf.search("anything", mode=mode) == []


def test_only_current_versions_are_found(shelf: Shelf) -> None:
    shelf.put("a.txt", "an old wasp")
    shelf.put("a.txt", "a new hornet")
    shelf.put("b.txt", "a bee that left")
    shelf.remove("b.txt")
    shelf.embed()
    for mode in ("keyword", "dense"):
        embedding = vector("wasp hornet bee")
        assert [
            hit["text"] for hit in shelf.search("wasp hornet bee", mode=mode, embedding=embedding)
        ] == ["a new hornet"]
    shelf.put("b.txt", "a bee that left")
    assert sorted(shelf.paths("wasp hornet bee", mode="keyword")) == ["a.txt", "b.txt"]


def test_a_passage_that_several_documents_share_is_a_hit_in_each(shelf: Shelf) -> None:
    for name in ("a", "b", "c"):
        shelf.put(f"{name}.txt", "the same words", "the same words")
    shelf.embed()
    hits = shelf.search("same words", embedding=vector("same words"))
    assert [hit["rank"] for hit in hits] == [1, 2, 3, 4, 5, 6]
    assert Counter(hit["path"] for hit in hits) == {"a.txt": 2, "b.txt": 2, "c.txt": 2}
    assert [hit["chunk_id"] for hit in hits] == sorted(hit["chunk_id"] for hit in hits)
    assert len({hit["score"] for hit in hits}) == 1


def fused(shelf: Shelf, keyword: list[float], dense: list[float]) -> list[tuple[int, float]]:
    """(passage id, score) of two lists with these relevances, best first.

    Passages of the keyword list are 1, 2 …; those of the dense list 1001, 1002 …
    """
    rows = shelf.connection.execute(
        "select passage_id, score from openbook.fused("
        " array(select (n, r)::candidate from unnest(%s::float8[]) with ordinality u (r, n)),"
        " array(select (1000 + n, r)::candidate"
        "       from unnest(%s::float8[]) with ordinality u (r, n)))"
        " order by score desc",
        [keyword, dense],
    ).fetchall()
    return [(passage, score) for passage, score in rows]


def test_a_score_adds_up_what_both_lists_say(shelf: Shelf) -> None:
    rows = shelf.connection.execute(
        "select passage_id, score, keyword_rank, dense_rank from openbook.fused("
        " array[(7, 0.5), (8, 0.25)]::candidate[], array[(9, 0.9), (7, 0.8)]::candidate[])"
        " order by score desc"
    ).fetchall()
    assert rows == [
        (7, pytest.approx((2 * 0.5 + 0.8) / 3), 1, 2),
        (9, pytest.approx(0.9 / 3, abs=1e-5), None, 1),
        (8, pytest.approx(2 * 0.25 / 3, abs=1e-5), 2, None),
    ]


def test_what_a_list_lacks_counts_there_as_far_down_it(shelf: Shelf) -> None:
    dense = [0.9 - 0.002 * place for place in range(150)]
    scores = dict(fused(shelf, [0.5], dense))
    assert scores[1] == pytest.approx((2 * 0.5 + dense[19]) / 3, abs=1e-5)
    assert scores[1150] == pytest.approx(dense[19] / 3, abs=1e-5)
    assert [passage for passage, _ in fused(shelf, [], dense)] == list(range(1001, 1151))


def test_words_count_less_when_their_matches_are_all_alike(shelf: Shelf) -> None:
    alike, apart = ([0.5 - fall * place for place in range(100)] for fall in (0.0001, 0.007))
    assert fused(shelf, apart, [0.8])[0][0] == 1
    assert fused(shelf, alike, [0.8])[0][0] == 1001


def test_rare_words_make_a_match_more_relevant_than_common_ones(shelf: Shelf) -> None:
    for number in range(20):
        shelf.put(f"{number}.txt", "the pump stops" + (" ERR-1042" if number == 7 else ""))
    rare, common = (
        shelf.connection.execute(
            "select relevance, score from openbook.bm25("
            " (select id from collections), %s, 10) order by score desc limit 1",
            [query],
        ).fetchone()
        for query in ("ERR-1042", "pump stops")
    )
    assert rare and common
    assert 0 < 5 * common[0] < rare[0] < 1


def test_the_first_hits_are_the_same_however_many_are_asked_for(shelf: Shelf) -> None:
    for number in range(300):
        shelf.put(
            f"{number}.txt", f"{'kelp ' * (number % 7)}{'moss ' * (number % 11)}number {number}"
        )
    shelf.embed()
    few, many = (
        shelf.paths("kelp moss", k=k, embedding=vector("moss number 5")) for k in (60, 290)
    )
    assert few == many[:60]


def test_hits_come_in_the_order_of_their_scores_with_their_place_in_each_list(
    shelf: Shelf,
) -> None:
    for number in range(10):
        shelf.put(f"{number}.txt", f"{'kelp ' * number}{'moss ' * (9 - number)}end")
    shelf.embed()
    hits = shelf.search("kelp", embedding=vector("moss"))
    assert [hit["rank"] for hit in hits] == list(range(1, 11))
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    for mode, places in (("keyword", 9), ("dense", 10)):
        ranks = sorted(hit[f"{mode}_rank"] for hit in hits if hit[f"{mode}_rank"])
        assert ranks == list(range(1, places + 1))
        alone = shelf.search("kelp", mode=mode, embedding=vector("moss"))
        by_rank = sorted(hits, key=lambda hit: hit[f"{mode}_rank"] or 99)[:places]
        assert [hit["path"] for hit in alone] == [hit["path"] for hit in by_rank]


def test_a_query_whose_embedding_is_stored_is_searched_by_meaning_too(shelf: Shelf) -> None:
    shelf.put("a.txt", "moss grows")
    shelf.embed()
    shelf.connection.execute(
        "insert into query_embeddings (model_id, sha256, query, embedding)"
        " select id, %s, 'lichen', %s from models",
        [hashlib.sha256(b"lichen").digest(), vector("moss")],
    )
    said = notices(shelf)
    (hit,) = shelf.search("lichen")
    assert (hit["keyword_rank"], hit["dense_rank"], said) == (None, 1, [])


@pytest.mark.parametrize("mode", ["hybrid", "dense"])
def test_without_the_embedding_keywords_are_searched_and_a_notice_says_so(
    shelf: Shelf, mode: str
) -> None:
    shelf.put("a.txt", "moss grows")
    said = notices(shelf)
    assert shelf.paths("moss", mode=mode) == ["a.txt"]
    shelf.embed()
    assert shelf.paths("moss", mode=mode) == ["a.txt"]
    assert len(said) == 2
    assert all("keywords alone" in notice for notice in said)


def test_stop_words_alone_leave_the_list_to_the_vectors(shelf: Shelf) -> None:
    shelf.put("a.txt", "to be or not to be")
    shelf.embed()
    assert shelf.search("to be", mode="keyword") == []
    (hit,) = shelf.search("to be", embedding=vector("to be"))
    assert (hit["keyword_rank"], hit["dense_rank"]) == (None, 1)


@pytest.mark.parametrize("indexed", [False, True])
def test_k_hits_come_back_whenever_k_exist(shelf: Shelf, indexed: bool) -> None:
    """Nearer and better ones that a filter hides, or that have gone, do not eat the others."""
    for number in range(40):
        shelf.put(
            f"far-{number:02}.txt",
            f"moss {'stone ' * 30}{number}",
            metadata={"seen": True, "few": number < 3},
        )
    for number in range(8):
        shelf.put(
            f"near-{number}.txt",
            *(f"moss {number} {place}" for place in range(250)),
            metadata={"seen": False},
        )
        if number % 2:
            shelf.remove(f"near-{number}.txt")
    shelf.embed()
    if indexed:
        shelf.connection.execute("select openbook.index_embeddings(1, 1)")
    shelf.seal(256)
    for mode in ("hybrid", "dense", "keyword"):
        for filter, exist in [({"seen": True}, 40), ({"few": True}, 3), ({"seen": False}, 1000)]:
            for k in (1, 10, 60):
                hits = shelf.search("moss", mode=mode, k=k, filter=filter, embedding=vector("moss"))
                assert len(hits) == min(k, exist), (mode, filter, k)
                assert all(
                    hit["path"].startswith("near" if filter == {"seen": False} else "far")
                    for hit in hits
                )


@pytest.mark.parametrize("indexed", [False, True])
def test_a_filter_too_wide_to_list_still_gives_the_best_that_it_admits(
    shelf: Shelf, indexed: bool
) -> None:
    """The lists come first then, and the filter takes the best of them."""
    chooser = random.Random(3)
    words = [f"w{number}" for number in range(40)]
    for number in range(21):
        shelf.put(f"{number}.txt", *(" ".join(chooser.choices(words, k=8)) for _ in range(500)))
    hidden = [f"w1 w2 w3 {' '.join(chooser.choices(words, k=2))} {n}" for n in range(600)]
    shelf.put("hidden.txt", *hidden, metadata={"secret": True})
    shelf.embed()
    shelf.seal(256)
    if indexed:
        shelf.connection.execute("select openbook.index_embeddings(1, 1)")
    query = "w1 w2 w3"
    orders = {
        "keyword": "select passage_id from openbook.bm25(1, %(query)s, 20000)",
        "dense": "select p.id from passages p join embeddings_1 e using (sha256)"
        " order by e.embedding <=> %(vector)s, p.id",
    }
    for mode, order in orders.items():
        best = [
            body
            for (body,) in shelf.connection.execute(
                f"select p.body from ({order}) o (id) join passages p using (id)",
                {"query": query, "vector": vector(query)},
            )
        ]
        assert len(set(best[:500]) & set(hidden)) > 400
        found = shelf.search(
            query, mode=mode, k=20, embedding=vector(query), filter={"secret": {"ne": True}}
        )
        texts = [hit["text"] for hit in found]
        expected = [body for body in best if body not in hidden][:20]
        if indexed and mode == "dense":
            assert len(texts) == 20
            assert len(set(texts) & set(expected)) >= 15
        else:
            assert texts == expected


def test_a_filter_that_leaves_few_is_exact(shelf: Shelf) -> None:
    chooser = random.Random(4)
    words = [f"w{number}" for number in range(30)]
    for number in range(3):
        bodies = [" ".join(chooser.choices(words, k=6)) for _ in range(200)]
        shelf.put(f"{number}.txt", *bodies, metadata={"kept": number == 1})
    shelf.embed()
    nearest = shelf.search("w5 w6", mode="dense", k=600, embedding=vector("w5 w6"))
    kept = [hit["chunk_id"] for hit in nearest if hit["path"] == "1.txt"]
    found = shelf.search(
        "w5 w6", mode="dense", k=7, embedding=vector("w5 w6"), filter={"kept": True}
    )
    assert [hit["chunk_id"] for hit in found] == kept[:7]


def test_few_passages_are_found_beside_many_nearer_ones_of_another_collection(
    shelf: Shelf,
) -> None:
    for number in range(5):
        shelf.put(f"{number}.txt", *(f"moss moss {number} {place}" for place in range(400)))
    shelf.put("few.txt", *(f"stone {place}" for place in range(9)), source="s", collection="small")
    shelf.embed()
    shelf.connection.execute("select openbook.index_embeddings(1, 1)")
    found = shelf.paths("moss", mode="dense", k=5, embedding=vector("moss"), collection="small")
    assert found == ["few.txt"] * 5


def test_what_the_index_cannot_hold_is_found_at_the_end(shelf: Shelf) -> None:
    """A vector of zeros has no direction; an index over cosines leaves it out."""
    shelf.put("nowhere.txt", "all zeros")
    shelf.put("moss.txt", "moss")
    shelf.embed()
    shelf.connection.execute(
        "update embeddings e set embedding = %s from passages p"
        " where p.sha256 = e.sha256 and p.body = 'all zeros'",
        [HalfVector([0.0] * 256)],
    )
    shelf.connection.execute("select openbook.index_embeddings(1, 1); set enable_seqscan = off")
    hits = shelf.search("moss", embedding=vector("moss"))
    assert [hit["path"] for hit in hits] == ["moss.txt", "nowhere.txt"]
    assert 0 < hits[1]["score"] < hits[0]["score"]


def test_a_filter_leaves_the_statistics_of_the_whole_collection(shelf: Shelf) -> None:
    """Rare words stay rare: the same passages keep their order under a filter."""
    for number in range(30):
        shelf.put(
            f"{number}.txt", "common words" if number % 3 else "rare words", metadata={"n": 1}
        )
    shelf.put("both.txt", "common rare", metadata={"n": 2})
    everything = shelf.search("common rare", mode="keyword", k=40)
    filtered = shelf.search("common rare", mode="keyword", k=40, filter={"n": 1})
    assert [h["chunk_id"] for h in filtered] == [
        h["chunk_id"] for h in everything if h["path"] != "both.txt"
    ]


def test_collections_do_not_see_each_other(shelf: Shelf) -> None:
    shelf.put("a.txt", "moss here")
    shelf.put("b.txt", "moss there", source="other", collection="second")
    shelf.embed()
    for mode in ("keyword", "dense"):
        for collection, path in [("default", "a.txt"), ("second", "b.txt")]:
            found = shelf.paths("moss", mode=mode, collection=collection, embedding=vector("moss"))
            assert found == [path]


def test_a_query_is_read_in_each_language_of_the_collection(shelf: Shelf) -> None:
    shelf.put("en.txt", "The houses stand.", source="english")
    shelf.put("de.txt", "Die Häuser stehen.", source="german", language="german")
    assert shelf.paths("Haus", mode="keyword") == ["de.txt"]
    assert shelf.paths("house", mode="keyword") == ["en.txt"]


def test_the_past_is_searched_as_it_was(shelf: Shelf) -> None:
    shelf.put("a.txt", "an old wasp")
    shelf.put("b.txt", "a bee")
    shelf.embed()
    (then,) = shelf.connection.execute("select clock_timestamp()").fetchone() or (None,)
    shelf.put("a.txt", "a new hornet")
    shelf.remove("b.txt")
    shelf.put("c.txt", "another bee")
    shelf.embed()
    shelf.seal()
    for mode in ("keyword", "dense"):
        found = shelf.search("wasp hornet bee", mode=mode, embedding=vector("bee"), as_of=then)
        assert sorted(hit["text"] for hit in found) == ["a bee", "an old wasp"]


def test_what_is_no_longer_in_use_is_found_in_a_large_past(shelf: Shelf) -> None:
    shelf.put("old.txt", *(f"wasp {number}" for number in range(700)))
    (then,) = shelf.connection.execute("select clock_timestamp()").fetchone() or (None,)
    shelf.put("old.txt", "a hornet")
    shelf.put("new.txt", *(f"wasp wasp {number}" for number in range(300)))
    shelf.seal()
    found = shelf.search("wasp", mode="keyword", k=20, as_of=then)
    assert [hit["path"] for hit in found] == ["old.txt"] * 20


def test_the_callers_settings_stay_as_they_are(shelf: Shelf) -> None:
    shelf.put("a.txt", "moss")
    shelf.embed()
    with shelf.connection.transaction():
        shelf.connection.execute("set hnsw.ef_search = 77")
        shelf.search("moss", embedding=vector("moss"))
        assert shelf.connection.execute("show hnsw.ef_search").fetchone() == ("77",)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mode": "fuzzy"}, "no mode 'fuzzy'"),
        ({"mode": None}, "no mode NULL"),
        ({"k": 0}, "k is 0"),
        ({"k": 1001}, "k is 1001"),
        ({"collection": "attic"}, "no collection 'attic'"),
        ({"embedding": HalfVector([1, 0])}, "has 2 dimensions, the model hashing-256 has 256"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_a_lesson(
    shelf: Shelf, options: dict[str, object], complaint: str
) -> None:
    shelf.put("a.txt", "moss")
    shelf.embed()
    with pytest.raises(InvalidParameterValue, match=complaint) as refused:
        shelf.search("moss", **options)
    assert refused.value.diag.message_hint
