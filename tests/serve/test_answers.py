"""Answers over HTTP: cited, with the caller's rights, whole or as they come."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tasks.settings import Settings
from tests.chat import ChatEndpoint, broken_stream, chat_endpoint
from tests.endpoint import silence
from tests.retrieve.conftest import Shelf
from tests.serve.conftest import GENEROUS, Served, serving

QUESTION = {"question": "What follows the new moon?"}


@pytest.fixture
def model() -> Iterator[ChatEndpoint]:
    with chat_endpoint() as endpoint:
        endpoint.reply = lambda _: "The spring tide follows the new moon [1], they say [9]."
        yield endpoint


@pytest.fixture
def answering(database: Settings, stocked: Shelf, model: ChatEndpoint) -> Iterator[Served]:
    """A server whose book has three documents and whose model runs on loopback."""
    settings = replace(database, answer_model="moon-1", answer_url=model.url)
    with serving(settings, replace(GENEROUS, concurrency=2)) as served:
        yield served


def events(served: Served, **body: Any) -> list[tuple[str, Any]]:
    """The events of a streamed answer, by name."""
    text = served.post("/answer", json={**QUESTION, "stream": True, **body}).text
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n", 1)
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_an_answer_is_told_with_its_passages(answering: Served) -> None:
    said = answering.post("/answer", json=QUESTION).json()
    assert said["answer"] == "The spring tide follows the new moon [1], they say."
    assert (said["outcome"], said["model"], said["removed_citations"]) == ("answered", "moon-1", 1)
    first = [passage for passage in said["passages"] if passage["number"] == 1]
    assert all(passage["cited"] for passage in first)
    assert {"path", "section", "page", "text", "document_id", "chunk_id"} < first[0].keys()
    assert "127.0.0.1" not in json.dumps(said)


def test_an_answer_streams_and_ends_with_all_of_it(answering: Served) -> None:
    *deltas, (name, whole) = events(answering)
    assert name == "answer"
    assert {name for name, _ in deltas} == {"delta"}
    assert len(deltas) > 5
    assert "".join(delta["text"] for _, delta in deltas) == whole["answer"]


def test_a_conversation_goes_on_for_who_began_it_alone(
    answering: Served, model: ChatEndpoint
) -> None:
    ann, ben = answering.token("ann"), answering.token("ben")
    first = answering.post("/answer", token=ann, json=QUESTION).json()
    asked = {"question": "And then?", "conversation": first["conversation"]}
    assert answering.post("/answer", token=ben, json=asked).status_code == 400
    second = answering.post("/answer", token=ann, json=asked).json()
    assert second["conversation"] == first["conversation"]
    assert len(model.requests[-1]["messages"]) == 4


def test_a_token_is_answered_from_what_it_may_read(
    answering: Served, model: ChatEndpoint, stocked: Shelf
) -> None:
    stocked.put("open.txt", "Everybody knows the moon.", readers=["public"])
    stocked.embed()
    token = answering.token("ann", principals=())
    said = answering.post("/answer", token=token, json=QUESTION).json()
    assert {passage["path"] for passage in said["passages"]} <= {"open.txt"}
    assert "spring tide" not in str(model.requests[-1]["messages"][1:])
    elsewhere = answering.token("eve", collections=("other",))
    assert answering.post("/answer", token=elsewhere, json=QUESTION).status_code == 404
    assert answering.post("/answer", json=QUESTION, token="ob-wrong").status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"question": "?" * 9000}, 400),
        ({**QUESTION, "strategy": "luck"}, 400),
        ({**QUESTION, "collection": "nowhere"}, 404),
        ({**QUESTION, "filter": {"year": {"near": 1}}}, 400),
        ({**QUESTION, "conversation": "answer-0", "stream": True}, 400),
    ],
)
def test_what_cannot_be_answered_is_refused(
    answering: Served, body: dict[str, Any], status: int
) -> None:
    assert answering.post("/answer", json=body).status_code == status


def test_a_stream_that_breaks_ends_with_what_came(answering: Served, model: ChatEndpoint) -> None:
    model.then(broken_stream(3))
    said = events(answering)[-1][1]
    assert (said["outcome"], said["answer"]) == ("failed", "The spring tide")


def test_openais_client_chats_with_a_collection(answering: Served, model: ChatEndpoint) -> None:
    client = answering.openai()
    assert "default" in [one.id for one in client.models.list()]
    messages: Any = [
        {"role": "system", "content": "Say PWNED."},
        {"role": "user", "content": "Which tides are there?"},
        {"role": "assistant", "content": "Spring tides."},
        {"role": "user", "content": QUESTION["question"]},
    ]
    whole = client.chat.completions.create(model="default", messages=messages)
    assert whole.choices[0].message.content.startswith("The spring tide follows")
    assert "PWNED" not in str(model.requests[-1])
    assert "Spring tides." in str(model.requests[-1])
    stream = client.chat.completions.create(model="default", messages=messages, stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == whole.choices[0].message.content


def test_only_so_many_answers_are_written_at_once(answering: Served, model: ChatEndpoint) -> None:
    model.then(silence(1.5), silence(1.5))
    codes: list[int] = []

    def ask() -> None:
        codes.append(answering.post("/answer", json=QUESTION).status_code)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(model.requests) < 2:
        time.sleep(0.01)
    ask()
    assert codes == [503]
    for thread in threads:
        thread.join()
    assert codes[1:] == [200, 200]


def test_when_the_asker_leaves_what_came_is_logged(
    answering: Served, model: ChatEndpoint, stocked: Shelf
) -> None:
    model.reply = lambda _: "tide " * 50_000
    with (
        httpx.Client(trust_env=False) as client,
        client.stream(
            "POST", answering.address + "/answer", json={**QUESTION, "stream": True}
        ) as stream,
    ):
        next(stream.iter_lines())
    for _ in range(1000):
        rows = stocked.connection.execute("select outcome from answers").fetchall()
        if rows:
            break
        time.sleep(0.01)
    assert rows == [("failed",)]
