"""The server as operators and callers meet it: limits, faults, figures, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from tasks.settings import Settings
from tests.retrieve.conftest import Shelf
from tests.serve.conftest import Serve, Served

TIDE = {"query": "spring tide"}


def test_a_hit_is_told_whole(served: Served, stocked: Shelf) -> None:
    answer = served.post("/search", json={**TIDE, "k": 1}).json()
    (hit,) = answer["hits"]
    assert (hit["path"], hit["title"], hit["rank"]) == ("tides.md", "Tides", 1)
    assert {"score", "section", "page", "text", "chunk_id", "document_id"} < hit.keys()
    assert (hit["keyword_rank"], hit["dense_rank"]) == (1, 1)
    assert answer["next_offset"] == 1


def test_a_filter_and_a_mode_are_obeyed(served: Served, stocked: Shelf) -> None:
    asked = {"query": "moon", "mode": "keyword", "filter": {"year": {"gte": 2022}}}
    answer = served.post("/search", json=asked).json()
    assert [hit["path"] for hit in answer["hits"]] == ["logs/sea.txt"]
    assert answer["hits"][0]["dense_rank"] is None
    assert answer["next_offset"] is None


def test_a_predicate_a_time_and_one_hit_a_document_are_obeyed(
    served: Served, stocked: Shelf
) -> None:
    def paths(**asked: object) -> list[str]:
        answer = served.post("/search", json={"query": "tide moon sea", **asked})
        assert answer.status_code == 200, answer.text
        return [hit["path"] for hit in answer.json()["hits"]]

    assert sorted(paths(per_document=True)) == ["logs/sea.txt", "tides.md", "wind.pdf"]
    assert set(paths(predicate="year >= 2023 and format <> 'pdf'")) == {"logs/sea.txt"}
    assert paths(as_of="2001-01-01T00:00:00Z") == []


def test_pages_of_one_size_hold_every_hit_once(served: Served, stocked: Shelf) -> None:
    asked = {"query": "sea moon tide", "k": 1}
    seen, offset = [], 0
    while offset is not None:
        answer = served.post("/search", json={**asked, "offset": offset}).json()
        seen += [hit["chunk_id"] for hit in answer["hits"]]
        offset = answer["next_offset"]
    assert len(seen) == len(set(seen)) == 4


def test_paging_ends_at_the_last_place_and_not_before(serve: Serve, stocked: Shelf) -> None:
    served = serve(depth=3)
    stocked.put("more.txt", "The sea again.", "And the sea once more.")
    stocked.embed()
    first, last = (
        served.post("/search", json={"query": "sea", "k": 2, "offset": offset}).json()
        for offset in (0, 2)
    )
    assert (len(first["hits"]), first["next_offset"]) == (2, 2)
    assert (len(last["hits"]), last["next_offset"]) == (1, None)
    assert served.post("/search", json={"query": "sea", "offset": 3}).status_code == 400
    for query in ("sea", ["sea", "moon"]):
        body = {"query": query, "max_num_results": 2, "page": "2"}
        page = served.post("/v1/vector_stores/default/search", json=body).json()
        assert (len(page["data"]), page["has_more"]) == (1, False)


def test_a_hit_is_explained_and_so_is_a_miss(served: Served, stocked: Shelf) -> None:
    hits = served.post("/search", json={"query": "trade moon"}).json()["hits"]
    told = {}
    for hit in hits:
        place = {"document": hit["document_id"], "chunk": hit["chunk_id"]}
        asked = {"query": "trade -moon", "collection": "default", "mode": "keyword", **place}
        told[hit["text"]] = served.get("/why", params=asked).json()
    found = told["The trade wind blows steady over the sea."]
    assert (found["reason"], found["rank"], found["keyword_rank"]) == ("a hit", 1, 1)
    assert [match["lexeme"] for match in found["lexemes"]] == ["trade"]
    missed = told["The sea was calm at the new moon."]
    assert missed["rank"] is None
    assert [demand["met"] for demand in missed["demands"]] == [False]


def test_a_filter_and_a_predicate_are_explained_too(served: Served, stocked: Shelf) -> None:
    hit = served.post("/search", json={"query": "trade"}).json()["hits"][0]
    asked = {
        "query": "trade",
        "collection": "default",
        "document": hit["document_id"],
        "chunk": hit["chunk_id"],
        "filter": '{"format": "none"}',
        "predicate": "year < 1000",
    }
    demands = served.get("/why", params=asked).json()["demands"]
    assert [demand["met"] for demand in demands] == [False, False]
    for wrong in ("{format", "[1]", "7"):
        refused = served.get("/why", params={**asked, "filter": wrong})
        assert refused.status_code == 400
        assert "no JSON object" in refused.json()["error"]["message"]


def test_a_chunk_is_explained_in_its_own_collection_alone(served: Served, stocked: Shelf) -> None:
    stocked.put("other.txt", "The moon elsewhere.", source="second", collection="archive")
    hit = served.post("/search", json={"query": "moon", "collection": "archive"}).json()["hits"][0]
    place = {"query": "moon", "document": hit["document_id"], "chunk": hit["chunk_id"]}
    own = {**place, "collection": "archive"}
    assert served.get("/why", params=own).status_code == 200
    token = served.token(collections=["default"])
    for collection in ("archive", "default"):
        asked = {**place, "collection": collection}
        assert served.get("/why", token=token, params=asked).status_code == 404
        assert served.get("/neighbours", token=token, params=asked).status_code == 404


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "query"),
        ({"query": " "}, "query"),
        ({"query": 7}, "query"),
        ({"query": "a", "k": 0}, "k"),
        ({"query": "a", "k": 101}, "k is 101"),
        ({"query": "a", "offset": 1000}, "offset 1000"),
        ({"query": "a", "mode": "fuzzy"}, "mode"),
        ({"query": "a", "limit": 3}, "limit"),
        ({"query": "a", "filter": {"year": {"near": 1}}}, "near"),
        ({"query": "a", "filter": ["year"]}, "filter"),
        ({"query": "half a \ud800 pair"}, "surrogate"),
        ({"query": "a", "collection": "\udfff"}, "surrogate"),
    ],
)
def test_a_wrong_request_is_named(served: Served, stocked: Shelf, body: object, named: str) -> None:
    answer = served.post(
        "/search", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b'{"query": "\\ud800"}', b"\xff"])
def test_a_body_that_is_no_question_is_refused(
    served: Served, stocked: Shelf, content: bytes
) -> None:
    answer = served.post("/search", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("kind", "content", "named"),
    [
        (
            "application/x-www-form-urlencoded",
            b'{"query": "sea"}',
            "Content-Type: application/json",
        ),
        ("application/json", b'{"query" "sea"}', "no JSON: at character 10, Expecting ':'"),
    ],
)
def test_a_body_that_is_not_read_says_what_to_send(
    served: Served, stocked: Shelf, kind: str, content: bytes, named: str
) -> None:
    answer = served.post("/search", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


def test_a_query_with_any_characters_is_answered(served: Served, stocked: Shelf) -> None:
    for query in ("spring\0tide", "<script>tide</script>", "tide ' \" \\ % _ &!()", "🌊" * 50):
        assert served.post("/search", json={"query": query}).status_code == 200


def test_a_body_that_is_too_long_is_refused_announced_or_not(serve: Serve) -> None:
    served = serve(body_bytes=1000)

    def parts() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 100

    assert served.post("/search", content=b"x" * 3000).status_code == 413
    assert served.post("/search", content=parts()).status_code == 413


@pytest.mark.parametrize("before", [b"", b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"])
@pytest.mark.parametrize("part", [b"", b"GET / HTTP/1.1\r\nHost:"])
def test_a_head_that_does_not_arrive_is_not_waited_for(
    serve: Serve, before: bytes, part: bytes
) -> None:
    address = serve(seconds=0.3).address.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=30) as client:
        if before:
            client.sendall(before)
            assert client.recv(100_000).startswith(b"HTTP/1.1 404")
        client.sendall(part)
        while client.recv(100_000):  # the rest of an answer, then the end
            pass


def test_a_body_that_does_not_arrive_is_not_waited_for(serve: Serve) -> None:
    served = serve(seconds=0.5)
    host, port = served.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        assert b" 408 " in client.recv(4096).partition(b"\r\n")[0]


def test_a_token_that_asks_too_often_waits_and_others_do_not(serve: Serve) -> None:
    served = serve(rate=0.5)
    ann, ben = served.token("ann"), served.token("ben")
    assert served.get("/v1/vector_stores", token=ann).status_code == 200
    answer = served.get("/v1/vector_stores", token=ann)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) in (1, 2)
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert served.get("/v1/vector_stores", token=ben).status_code == 200


@contextmanager
def blocked(database: Settings) -> Iterator[None]:
    """Let every reader of the documents wait."""
    with psycopg.connect(str(database.database_url)) as connection:
        connection.execute("lock table openbook.documents in access exclusive mode")
        yield
        connection.rollback()


def test_a_request_that_takes_too_long_ends_and_leaves_nothing_behind(
    serve: Serve, stocked: Shelf, database: Settings
) -> None:
    served = serve(seconds=0.5, concurrency=1)
    served.post("/search", json=TIDE)
    with blocked(database):
        assert served.post("/search", json=TIDE).status_code == 504
    for _ in range(50):
        answer = served.post("/search", json=TIDE)
        if answer.status_code == 200:
            break
        time.sleep(0.1)
    assert answer.json()["hits"]


def test_more_than_may_wait_are_turned_away(
    serve: Serve, stocked: Shelf, database: Settings
) -> None:
    served = serve(concurrency=1, waiting=1, seconds=2)
    served.post("/search", json=TIDE)
    with blocked(database), ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda _: served.post("/search", json=TIDE), range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) == {503, 504}
    assert statuses.count(503) >= 4
    turned = next(answer for answer in answers if answer.status_code == 503)
    assert turned.headers["Retry-After"]


def test_a_server_that_is_busy_is_ready(serve: Serve, stocked: Shelf, database: Settings) -> None:
    served = serve(concurrency=1, waiting=1, seconds=4)
    served.post("/search", json=TIDE)
    with blocked(database), ThreadPoolExecutor(6) as clients:
        searches = [clients.submit(served.post, "/search", json=TIDE) for _ in range(6)]
        turned = next(as_completed(searches)).result()
        assert turned.status_code == 503
        assert served.get("/health").json() == {"status": "ready"}
        assert not all(search.done() for search in searches)


def test_connections_that_the_database_ended_are_replaced(served: Served, stocked: Shelf) -> None:
    for _ in range(3):
        assert served.post("/search", json=TIDE).status_code == 200
        ended = stocked.connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name = 'openbook serve'"
        ).fetchall()
        assert ended
    assert served.post("/search", json=TIDE).json()["hits"]


def test_a_statement_whose_connection_dies_is_tried_again(
    served: Served, stocked: Shelf, database: Settings
) -> None:
    with ThreadPoolExecutor(1) as client:
        with blocked(database):
            waiting = client.submit(served.post, "/search", json=TIDE)
            for _ in range(200):
                ended = stocked.connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and wait_event_type = 'Lock'"
                ).fetchall()
                if ended:
                    break
                time.sleep(0.05)
            assert ended
        assert waiting.result().status_code == 200


def test_health_is_ready_only_with_this_versions_schema(
    served: Served, empty_database: Settings, serve: Serve
) -> None:
    assert served.get("/health").json() == {"status": "ready"}
    serve.settings = empty_database
    answer = serve().get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"


def test_health_needs_no_token_and_names_no_host(serve: Serve, database: Settings) -> None:
    serve.settings = Settings(
        home=database.home, database_url="postgresql://u:secret@127.0.0.1:9/none"
    )
    served = serve()
    served.token()
    answer = served.get("/health")
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert "127.0.0.1" not in answer.text


def test_metrics_count_requests_by_route_and_searches_by_mode(
    served: Served, stocked: Shelf
) -> None:
    served.post("/search", json={**TIDE, "mode": "keyword"})
    served.get("/v1/vector_stores/default")
    served.get("/v1/vector_stores/nowhere")
    served.get("/wp-login.php")
    text = served.get("/metrics").text
    store = 'route="/v1/vector_stores/{vector_store_id}"'
    for line in (
        'openbook_http_requests_total{method="POST",route="/search",status="200"} 1.0',
        f'openbook_http_requests_total{{method="GET",{store},status="200"}} 1.0',
        f'openbook_http_requests_total{{method="GET",{store},status="404"}} 1.0',
        'openbook_http_requests_total{method="GET",route="unknown",status="404"} 1.0',
        'openbook_searches_total{mode="keyword"} 1.0',
        'openbook_http_request_seconds_count{route="/search"} 1.0',
        "openbook_http_requests_in_flight 1.0",
    ):
        assert line in text
    assert "wp-login" not in text


def test_the_api_is_described_with_its_security(served: Served) -> None:
    described = served.get("/openapi.json").json()
    search = described["paths"]["/v1/vector_stores/{vector_store_id}/search"]["post"]
    assert search["security"] == [{"HTTPBearer": []}]
    assert "/search" in described["paths"]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_end(
    database: Settings, stocked: Shelf, ending: signal.Signals
) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OPENBOOK_")},
        "OPENBOOK_HOME": str(database.home),
        "OPENBOOK_DATABASE_URL": str(database.database_url),
        "OPENBOOK_EMBEDDER": "hashing",
    }
    command = [sys.executable, "-m", "flows.cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        announced, _ = json.JSONDecoder().raw_decode(
            "".join(iter(process.stdout.readline, "}\n")) + "}"
        )
        assert announced["tokens"] is False
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.post(announced["address"] + "/search", json=TIDE)
        assert answer.json()["hits"]
        process.send_signal(ending)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")


def test_metrics_tell_operators_how_the_book_stands(served: Served, stocked: Shelf) -> None:
    stocked.connection.execute(
        """
        update runs set outcome = 'done', finished_at = now() - interval '1 hour', usd = 0.25;
        insert into runs (source_id, outcome, error) select id, 'failed', 'no disk' from sources;
        insert into documents (source_id, path, status, checked_at)
        select id, 'new.md', 'pending', now() - interval '10 minutes' from sources;
        insert into chat_models (name, version, base, stage, retires_on)
        values ('support', 3, 'small', 'serving', current_date + 30);
        """
    )
    stocked.connection.commit()
    figures = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in served.get("/metrics").text.splitlines()
        if not line.startswith("#")
    }
    assert figures["openbook_vitals_readable"] == 1
    assert 3600 <= figures['openbook_source_behind_seconds{source="shelf"}'] < 3700
    assert 600 <= figures['openbook_source_lag_seconds{source="shelf"}'] < 700
    assert figures['openbook_source_failed{source="shelf"}'] == 1
    assert figures['openbook_documents{source="shelf",status="current"}'] == 3
    assert figures['openbook_documents{source="shelf",status="pending"}'] == 1
    assert figures['openbook_usd{for="documents"}'] == 0.25
    assert figures['openbook_serving_model{model="support@3",task="answer"}'] == 1
    assert figures['openbook_serving_model_retires_in_seconds{task="answer"}'] > 28 * 86_400
    assert figures["openbook_database_bytes"] > 0


def test_metrics_tell_of_the_book_to_nobody_who_sees_a_part_of_it(
    serve: Serve, stocked: Shelf
) -> None:
    served = Served(serve.settings, "")
    tokens = [served.token("ann", principals=["ann"]), served.token("bo", collections=["default"])]
    operator = served.token("operator")
    served = serve()
    for token in tokens:
        text = served.get("/metrics", token).text
        assert "openbook_http_requests_in_flight" in text
        assert "shelf" not in text
    assert "shelf" in served.get("/metrics", operator).text
