"""A token with principals never shows more than they may read, whatever the server's login may."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.settings import Settings
from tests.retrieve.conftest import Shelf
from tests.security.conftest import Enter, enter, settings_of
from tests.serve.conftest import Serve, Served

__all__ = ["enter"]

READERS = {
    "tides.md": ["ann"],
    "wind.pdf": ["group:crew", "ben"],
    "logs/sea.txt": ["public"],
    "private.txt": [],
}


@pytest.fixture(params=["owner", "openbook_search"])
def crew(
    request: pytest.FixtureRequest, serve: Serve, stocked: Shelf, enter: Enter, database: Settings
) -> Served:
    """A server whose login reads everything, or is trusted to name principals and no more."""
    stocked.put("private.txt", "The sea at spring tide is private.")
    stocked.embed()
    for path, readers in READERS.items():
        stocked.connection.execute(
            "update documents set readers = %s where path = %s", [readers, path]
        )
    if request.param != "owner":
        serve.settings = settings_of(enter(request.param), database)
    return serve()


def seen(served: Served, token: str) -> dict[str, set[str]]:
    """The paths that a token is shown, by the way in which it asks."""
    client = served.openai(token)
    asked: dict[str, Any] = {"query": "sea moon wind tide", "k": 50}
    hits = served.post("/search", token=token, json=asked).json()["hits"]
    results = client.vector_stores.search("default", query="sea moon wind tide")
    files = list(client.vector_stores.files.list("default"))
    readable = set()
    for number in range(1, 10):
        path = f"/v1/vector_stores/default/files/file-{number}"
        if served.get(f"{path}/content", token=token).status_code == 200:
            readable.add(str(served.get(path, token=token).json()["attributes"]["path"]))
    return {
        "search": {hit["path"] for hit in hits},
        "vector store": {result.filename for result in results},
        "files": {str((file.attributes or {})["path"]) for file in files},
        "contents": readable,
    }


@pytest.mark.parametrize(
    ("principals", "expected"),
    [
        ([], {"logs/sea.txt"}),
        (["ann"], {"logs/sea.txt", "tides.md"}),
        (["group:crew"], {"logs/sea.txt", "wind.pdf"}),
        (["ann", "group:crew"], {"logs/sea.txt", "tides.md", "wind.pdf"}),
        (["nobody", "Ann", "ann,ben", "{ben}"], {"logs/sea.txt"}),
    ],
)
def test_every_way_of_asking_shows_what_the_principals_may_read(
    crew: Served, principals: list[str], expected: set[str]
) -> None:
    token = crew.token(principals=principals)
    assert seen(crew, token) == dict.fromkeys(
        ["search", "vector store", "files", "contents"], expected
    )
    store = crew.openai(token).vector_stores.retrieve("default")
    assert store.file_counts.total == len(expected)


def test_one_tokens_principals_do_not_reach_the_next_request(crew: Served) -> None:
    ann, public = crew.token("ann", principals=["ann"]), crew.token("public", principals=[])
    for _ in range(4):
        assert "tides.md" in seen(crew, ann)["search"]
        assert seen(crew, public)["files"] == {"logs/sea.txt"}


def test_an_unrestricted_token_sees_what_the_login_sees(crew: Served, database: Settings) -> None:
    owner = crew.settings == database
    expected = set(READERS) if owner else {"logs/sea.txt"}
    assert seen(crew, crew.token(principals=None))["files"] == expected


def test_a_login_that_may_not_name_principals_serves_no_token_that_has_them(
    serve: Serve, stocked: Shelf, enter: Enter, database: Settings
) -> None:
    serve.settings = settings_of(enter("openbook_analyst", "ann"), database)
    served = serve()
    token = served.token(principals=["ben"])
    for answer in (
        served.post("/search", token=token, json={"query": "tide"}),
        served.get("/v1/vector_stores/default/files", token=token),
    ):
        assert answer.status_code == 500
        assert "may not name principals" in answer.json()["error"]["message"]


def test_what_stands_around_a_hit_is_shown_to_its_readers_alone(crew: Served) -> None:
    ann, public = crew.token("ann", principals=["ann"]), crew.token("public", principals=[])
    asked = {"query": "spring tide", "filter": {"path": "tides.md"}}
    hit = crew.post("/search", token=ann, json=asked).json()["hits"][0]
    place = {
        "collection": "default",
        "document": hit["document_id"],
        "chunk": hit["chunk_id"],
    }
    around = crew.get("/neighbours", token=ann, params=place).json()["passages"]
    assert [passage["ordinal"] for passage in around] == [0, 1]
    assert crew.get("/neighbours", token=public, params=place).status_code == 404
    assert crew.get("/why", token=ann, params={**asked, **place, "filter": "{}"}).is_success
    told = crew.get("/why", token=public, params={**asked, **place, "filter": "{}"})
    assert told.status_code == 404


def test_a_search_is_logged_for_whom_it_was_asked(crew: Served, stocked: Shelf) -> None:
    token = crew.token(principals=["ann"])
    crew.post("/search", token=token, json={"query": "spring tide", "k": 1})
    crew.openai(token).vector_stores.search("default", query="neap tide", max_num_results=1)
    rows = stocked.connection.execute(
        "select query, principals, cardinality(chunk_ids) > 0 from search_log order by id"
    ).fetchall()
    assert [row[0] for row in rows] == ["spring tide", "neap tide"]
    assert all(set(row[1]) == {"public", "ann"} and row[2] for row in rows)


def test_metrics_say_that_the_servers_login_may_not_read_the_books_figures(
    serve: Serve, enter: Enter, database: Settings
) -> None:
    serve.settings = settings_of(enter("openbook_search"), database)
    answer = serve().get("/metrics")
    assert answer.status_code == 200
    assert "openbook_vitals_readable 0.0" in answer.text
    assert "openbook_http_requests_in_flight 1.0" in answer.text
