"""The best hits are put in order anew; whatever goes wrong with that costs the order, not them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from tasks.errors import Fatal
from tasks.retrieve import rerank_endpoint
from tasks.retrieve.rerank import open_reranker
from tasks.retrieve.search import search
from tasks.settings import Settings
from tests.loopback import listening
from tests.retrieve.conftest import Shelf

TEXTS = ("moss moss moss kelp", "kelp moss sand", "sand kelp kelp moss moss")
Answer = Callable[[dict[str, Any]], tuple[int, Any]]


@pytest.fixture
def found(shelf: Shelf, database: Settings) -> Callable[..., list[str]]:
    """Search three passages for "kelp moss" with these settings; their paths, best first."""
    for number, text in enumerate(TEXTS):
        shelf.put(f"{number}.txt", text)
    shelf.embed()

    def paths(k: int = 3, skip: int = 0, rerank: bool | None = None, **settings: Any) -> list[str]:
        hits = search(
            "kelp moss",
            k=k,
            skip=skip,
            rerank=rerank,
            settings=replace(database, **settings),
            connection=shelf.connection,
        )
        assert [hit.rank for hit in hits] == list(range(skip + 1, skip + len(hits) + 1))
        return [hit.path for hit in hits]

    return paths


def by_sand(body: dict[str, Any]) -> tuple[int, Any]:
    """The endpoint that likes sand at the end, then at the beginning."""
    scores = [text.find("sand") for text in body["documents"]]
    results = [{"index": i, "relevance_score": s} for i, s in enumerate(scores)]
    return 200, {"results": results}


@contextmanager
def endpoint(answer: Answer) -> Iterator[tuple[str, list[tuple[str | None, dict[str, Any]]]]]:
    """A real server: its URL, and the (authorization, body) of each request."""
    seen: list[tuple[str | None, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.headers["Authorization"], body))
            status, said = answer(body)
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with listening(Handler) as (_, address):
        yield f"{address}/rerank", seen


def test_an_endpoint_puts_the_hits_in_order(found: Callable[..., list[str]]) -> None:
    with endpoint(by_sand) as (url, seen):
        order = found(reranker=url, rerank_model="m", rerank_key="secret")
        assert order == ["1.txt", "2.txt", "0.txt"]
        ((authorization, body),) = seen
    assert authorization == "Bearer secret"
    assert body["model"] == "m" and body["query"] == "kelp moss" and body["top_n"] == 3
    assert sorted(body["documents"]) == sorted(TEXTS)


def test_a_hit_behind_the_k_first_can_come_to_the_front(found: Callable[..., list[str]]) -> None:
    with endpoint(by_sand) as (url, _):
        assert found(k=1, reranker=url) == ["1.txt"]


def test_pages_are_cut_from_the_new_order(found: Callable[..., list[str]]) -> None:
    with endpoint(by_sand) as (url, _):
        assert found(k=2, skip=1, reranker=url) == ["2.txt", "0.txt"]


def test_only_the_best_hits_are_reranked(found: Callable[..., list[str]]) -> None:
    plain = found()
    with endpoint(by_sand) as (url, seen):
        assert found(reranker=url, rerank_hits=1) == plain
        assert len(seen[0][1]["documents"]) == 1


def test_a_search_can_do_without_the_reranker(found: Callable[..., list[str]]) -> None:
    with endpoint(by_sand) as (url, seen):
        assert found(reranker=url, rerank=False) == found()
        assert not seen


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, {}),
        (500, b"oops"),
        (401, {}),
        (302, b""),
        (200, b"no JSON"),
        (200, []),
        (200, {"results": None}),
        (200, {"results": []}),
        (200, {"results": [{"index": 0, "relevance_score": 1}]}),
        (200, {"results": [{"index": i, "relevance_score": "x"} for i in range(3)]}),
        (200, {"results": [{"index": i, "relevance_score": float("nan")} for i in range(3)]}),
        (200, {"results": [{"index": i - 1, "relevance_score": 1} for i in range(4)]}),
    ],
)
def test_an_endpoint_that_misbehaves_costs_a_warning_and_not_the_hits(
    found: Callable[..., list[str]], caplog: pytest.LogCaptureFixture, status: int, said: Any
) -> None:
    plain = found()
    with endpoint(lambda _: (status, said)) as (url, seen):
        assert found(reranker=url, rerank_key="secret") == plain
        assert len(seen) == 1
    (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert record.message.startswith("hits are not reranked: the reranker")
    assert "secret" not in record.message


def test_an_endpoint_that_is_slow_or_away_costs_a_warning_and_not_the_hits(
    found: Callable[..., list[str]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rerank_endpoint, "_SECONDS", 0.2)
    plain = found()
    ended = Event()
    with endpoint(lambda body: (ended.wait(20), by_sand(body))[1]) as (url, _):
        assert found(reranker=url) == plain
        ended.set()
    assert found(reranker=url) == plain
    assert [one.message.count("does not answer") for one in caplog.records] == [1, 1]


def cross_encoder(folder: Path) -> Path:
    """A model that counts the word sand in the pair, twice where it stands in the second text."""
    folder.mkdir()
    words = {word: i for i, word in enumerate(["[UNK]", "kelp", "moss", "sand"])}
    tokenizer = Tokenizer(models.WordLevel(words, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A $B:1", special_tokens=[]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ("input_ids", "attention_mask", "token_type_ids")
    graph = helper.make_graph(
        [
            helper.make_node("Equal", ["input_ids", "three"], ["is_sand"]),
            helper.make_node("Cast", ["is_sand"], ["ones"], to=TensorProto.FLOAT),
            helper.make_node("Cast", ["token_type_ids"], ["second"], to=TensorProto.FLOAT),
            helper.make_node("Cast", ["attention_mask"], ["there"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["second", "one"], ["weight"]),
            helper.make_node("Mul", ["ones", "weight"], ["weighed"]),
            helper.make_node("Mul", ["weighed", "there"], ["counted"]),
            helper.make_node("ReduceSum", ["counted", "axis"], ["logits"], keepdims=1),
        ],
        "sand",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["pairs", "tokens"]) for n in names],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["pairs", 1])],
        [
            numpy_helper.from_array(np.array(3), "three"),
            numpy_helper.from_array(np.array(1, np.float32), "one"),
            numpy_helper.from_array(np.array([1]), "axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    return folder


def test_a_local_cross_encoder_reads_query_and_text_as_a_pair(tmp_path: Path) -> None:
    encoder = open_reranker(Settings(reranker=str(cross_encoder(tmp_path / "sand"))))
    assert encoder is not None
    texts = ["moss", "sand", "moss sand kelp sand", *["kelp"] * 9]
    assert encoder.scores("kelp", texts).tolist() == [0, 2, 4, *[0] * 9]
    assert encoder.scores("sand", ["moss"]).tolist() == [1]


def test_a_local_cross_encoder_puts_the_hits_in_order(
    found: Callable[..., list[str]], tmp_path: Path
) -> None:
    folder = str(cross_encoder(tmp_path / "sand"))
    assert found(reranker=folder)[-1] == "0.txt"


@pytest.mark.parametrize("broken", ["model.onnx", "tokenizer.json"])
def test_a_folder_without_a_cross_encoder_costs_a_warning_and_not_the_hits(
    found: Callable[..., list[str]], caplog: pytest.LogCaptureFixture, tmp_path: Path, broken: str
) -> None:
    folder = cross_encoder(tmp_path / "sand")
    (folder / broken).write_text("broken")
    with pytest.raises(Fatal, match="holds no cross-encoder"):
        open_reranker(Settings(reranker=str(folder)))
    plain = found()
    assert found(reranker=str(folder)) == plain
    assert "hits are not reranked" in caplog.text


def test_late_interaction_looks_for_each_word_of_the_query(tmp_path_factory: Any) -> None:
    home = tmp_path_factory.getbasetemp().parent / "minilm"
    late = open_reranker(Settings(home=home, reranker="late"))
    assert late is not None
    texts = ["The pump shaft is turned every four weeks.", "The holiday list is in the annex."]
    near, far = late.scores("how often is the shaft turned", texts)
    assert -1 <= far < near <= 1
    assert late.scores("shaft", ["shaft"])[0] == pytest.approx(1, abs=0.4)
    assert late.scores("", texts).tolist() == [0, 0]
    assert late.scores("shaft", [""]).tolist() == [-1]
