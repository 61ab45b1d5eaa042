"""Random rights, groups, filters and modes: a search finds exactly what a plain reading admits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tests.retrieve.conftest import Shelf
from tests.security.conftest import Enter

NAMES = ("public", "ana", "ben", "group:a", "group:b")
WORDS = ("moss", "kelp", "fern")
COLLECTIONS = ("north", "south")

DOCUMENTS = [
    {
        "path": f"{number}.txt",
        "collection": COLLECTIONS[number % 2],
        "bodies": [f"{WORDS[number % 3]} {number}", f"{WORDS[number // 3 % 3]} stone"],
        "year": 2000 + number % 4,
    }
    for number in range(14)
]

readers = st.lists(st.sampled_from(NAMES), max_size=3, unique=True)
years = st.integers(1999, 2004)
filters: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just({}) | st.builds(lambda op, year: {"year": {op: year}},
                            st.sampled_from(["eq", "ne", "lt", "gte"]), years),
    lambda inner: st.builds(lambda one, other: {"or": [one, other]}, inner, inner)
    | st.builds(lambda one: {"not": one}, inner),
    max_leaves=4,
)  # fmt: skip


def admits(filter: dict[str, Any], year: int) -> bool:
    """The plain reading of a filter."""
    if "or" in filter:
        return any(admits(one, year) for one in filter["or"])
    if "not" in filter:
        return not admits(filter["not"], year)
    compare = {
        "eq": int.__eq__, "ne": int.__ne__, "lt": int.__lt__, "gte": int.__ge__,
    }  # fmt: skip
    return all(compare[operator](year, value) for operator, value in filter.get("year", {}).items())


@pytest.fixture
def library(shelf: Shelf) -> Shelf:
    for document in DOCUMENTS:
        shelf.put(
            document["path"],
            *document["bodies"],
            source=document["collection"],
            collection=document["collection"],
            metadata={"year": document["year"]},
        )
    shelf.embed()
    shelf.seal()
    return shelf


@pytest.fixture
def sessions(library: Shelf, enter: Enter) -> Iterator[dict[str, Connection]]:
    roles = ("openbook_analyst", "openbook_trainer", "openbook_search")
    yield {role: enter(role) for role in roles}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    role=st.sampled_from(["openbook_analyst", "openbook_trainer", "openbook_search"]),
    rights=st.lists(readers, min_size=len(DOCUMENTS), max_size=len(DOCUMENTS)),
    principals=st.lists(st.sampled_from(NAMES[1:]), max_size=3, unique=True),
    confined=st.lists(st.sampled_from(COLLECTIONS), max_size=1),
    filter=filters,
    word=st.sampled_from(WORDS),
    k=st.integers(1, 40),
)
def test_a_search_finds_what_its_login_may_read_and_all_of_it(
    *,
    library: Shelf,
    sessions: dict[str, Connection],
    role: str,
    rights: list[list[str]],
    principals: list[str],
    confined: list[str],
    filter: dict[str, Any],
    word: str,
    k: int,
) -> None:
    session = sessions[role]
    for document, names in zip(DOCUMENTS, rights, strict=True):
        library.connection.execute(
            "update documents set readers = %s where path = %s", [names, document["path"]]
        )
    library.connection.execute(
        "select openbook.set_principals(%s, %s, %s)",
        [session.info.user, principals if role != "openbook_search" else [], confined],
    )
    readable = [
        document
        for document, names in zip(DOCUMENTS, rights, strict=True)
        if {"public", *principals} & set(names)
        and (not confined or document["collection"] in confined)
    ]
    with session.transaction():
        if role == "openbook_search":
            session.execute("select openbook.act_for(%s)", [principals])
        _compare_tables(session, readable)
        for collection in confined or COLLECTIONS:
            admitted = [
                (document["path"], body)
                for document in readable
                if document["collection"] == collection and admits(filter, document["year"])
                for body in document["bodies"]
            ]
            worded = [one for one in admitted if word in one[1]]
            vector = [0.0] * 256
            vector[0] = 1.0
            for mode, expected in (("keyword", worded), ("dense", admitted), ("hybrid", admitted)):
                hits = Shelf(session).search(
                    word,
                    k=k,
                    mode=mode,
                    filter=filter,
                    collection=collection,
                    embedding=str(vector),
                )
                found = [(hit["path"], hit["text"]) for hit in hits]
                assert len(found) == min(k, len(expected))
                assert set(found) <= set(expected)


def _compare_tables(session: Connection, readable: list[dict[str, Any]]) -> None:
    paths = {document["path"] for document in readable}
    bodies = {body for document in readable for body in document["bodies"]}
    assert {p for (p,) in session.execute("select path from documents")} == paths
    assert {b for (b,) in session.execute("select body from passages")} == bodies
    (chunks,) = session.execute("select count(*) from chunks").fetchone() or (None,)
    assert chunks == 2 * len(readable)
    (contents,) = session.execute("select count(*) from contents").fetchone() or (None,)
    assert contents == len(readable)
