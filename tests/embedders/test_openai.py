"""The OpenAI protocol against a real server: what is bought, what is believed, when to give up."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tasks.embedders import PoisonTexts
from tasks.embedders.openai import OpenAIEmbedder
from tasks.endpoint import Patience
from tasks.errors import Fatal, OpenbookError, Retryable
from tasks.records import Usage
from tasks.settings import Settings
from tests import endpoint as bad
from tests.embedders.conftest import HASTY
from tests.endpoint import KEY, EmbeddingEndpoint, Misbehaviour

TEXTS = [f"passage number {number}" for number in range(150)]
Connect = Callable[..., OpenAIEmbedder]


@pytest.fixture
def connect(endpoint: EmbeddingEndpoint) -> Connect:
    """Make an embedder of the endpoint with these settings."""

    def connect(patience: Patience = HASTY, **fields: object) -> OpenAIEmbedder:
        settings = Settings(embedder="openai", embedding_url=endpoint.url, embedding_key=KEY)
        return OpenAIEmbedder(replace(settings, **fields), patience)  # type: ignore[arg-type]

    return connect


def expected(endpoint: EmbeddingEndpoint, texts: list[str]) -> np.ndarray:
    """The unit vectors of what the endpoint answers."""
    vectors = np.array([endpoint.vector(text) for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# What is sent


def test_many_texts_go_in_several_requests_each_text_once(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    vectors = openai_embedder.embed(TEXTS)
    np.testing.assert_allclose(vectors, expected(endpoint, TEXTS), atol=1e-6)
    assert sorted(endpoint.texts_answered) == sorted(TEXTS)
    assert [len(request.texts) for request in endpoint.requests] != [150]


def test_long_texts_make_shorter_requests(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    openai_embedder.embed(["word " * 20_000] * 7)
    assert sorted(len(request.texts) for request in endpoint.requests) == [1, 3, 3]


def test_the_key_and_the_model_are_sent_and_dimensions_only_if_asked_for(
    endpoint: EmbeddingEndpoint, connect: Connect
) -> None:
    connect().embed(["a"])
    connect(embedding_dimensions=1536).embed(["a"])
    shortened = connect(embedding_dimensions=256)
    assert shortened.embed(["a"]).shape == (1, 256)
    assert [request.parameters.get("dimensions") for request in endpoint.requests] == [
        None,
        None,
        256,
    ]
    assert {request.parameters["model"] for request in endpoint.requests} == {
        "text-embedding-3-small"
    }
    assert {request.authorization for request in endpoint.requests} == {f"Bearer {KEY}"}


def test_the_name_tells_shortened_vectors_apart(connect: Connect) -> None:
    assert connect().name == "text-embedding-3-small"
    assert connect(embedding_dimensions=1536).name == "text-embedding-3-small"
    assert connect(embedding_dimensions=256).name == "text-embedding-3-small@256"


def test_nothing_is_sent_before_it_is_needed(endpoint: EmbeddingEndpoint, connect: Connect) -> None:
    embedder = connect(embedding_model="text-embedding-3-large")
    embedder.tokenizer.spans(TEXTS)
    assert embedder.dimensions == 3072
    assert embedder.embed([]).shape == (0, 3072)
    assert endpoint.requests == []


def test_the_dimensions_of_an_unknown_model_are_learned_from_one_text(
    endpoint: EmbeddingEndpoint, connect: Connect
) -> None:
    endpoint.model, endpoint.dimensions = "bge-m3", 1024
    embedder = connect(embedding_model="bge-m3")
    assert embedder.dimensions == 1024
    assert embedder.embed(["a", "b"]).shape == (2, 1024)
    assert [len(request.texts) for request in endpoint.requests] == [1, 2]


# What it costs


def test_tokens_are_the_endpoints_and_dollars_follow_from_the_price(
    openai_embedder: OpenAIEmbedder,
) -> None:
    openai_embedder.embed(TEXTS)
    assert openai_embedder.usage == Usage(450, pytest.approx(450 * 0.02 / 1e6))


def test_tokens_are_counted_here_when_the_endpoint_states_none(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.states_usage = False
    openai_embedder.embed(["tiktoken is great!"])
    assert openai_embedder.usage.tokens == 6


def test_a_model_without_a_known_price_costs_nothing_here(
    endpoint: EmbeddingEndpoint, connect: Connect
) -> None:
    endpoint.model = "bge-m3"
    embedder = connect(embedding_model="bge-m3")
    embedder.embed(["one two three"])
    assert embedder.usage == Usage(1 + 3, 0.0)


# Trouble that passes


@pytest.mark.parametrize(
    "trouble",
    [
        bad.status(429, retry_after="0"),
        bad.status(429, retry_after_ms="5"),
        bad.status(500),
        bad.status(503),
        bad.status(409),
        bad.hang_up,
        bad.cut_body,
        bad.garbage,
        bad.missing_index,
        bad.duplicate_index,
    ],
    ids=[
        "429", "429 in ms", "500", "503", "409", "hang up", "cut body", "garbage", "missing index",
        "duplicate index",
    ],
)  # fmt: skip
def test_trouble_that_passes_costs_another_try_and_nothing_else(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder, trouble: Misbehaviour
) -> None:
    endpoint.then(trouble, trouble)
    vectors = openai_embedder.embed(TEXTS[:3])
    np.testing.assert_allclose(vectors, expected(endpoint, TEXTS[:3]), atol=1e-6)
    assert len(endpoint.requests) == 3
    assert openai_embedder.usage.tokens == 9


def test_an_endpoint_that_stays_silent_is_given_up_on(
    endpoint: EmbeddingEndpoint, connect: Connect
) -> None:
    endpoint.then(bad.silence(1), bad.silence(1))
    with pytest.raises(Retryable, match="after 2 tries"):
        connect(Patience(2, 0.01, 1.0, answer_within=0.1)).embed(["a"])


def test_the_pause_that_the_endpoint_asks_for_is_kept(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    for pause in (bad.status(429, retry_after="0.3"), bad.status(503, retry_after_ms="300")):
        endpoint.then(pause)
        start = time.monotonic()
        openai_embedder.embed(["a"])
        assert time.monotonic() - start >= 0.3


def test_a_pause_given_as_a_date_is_understood(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.then(bad.retry_at(-5))
    assert openai_embedder.embed(["a"]).shape == (1, 1536)
    endpoint.then(bad.retry_at(3600))
    with pytest.raises(Retryable, match=r"asks to wait 3[56]"):
        openai_embedder.embed(["a"])


def test_a_pause_longer_than_patience_ends_the_call_at_once(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.then(bad.status(429, retry_after="3600"))
    with pytest.raises(Retryable, match="asks to wait 3600 s"):
        openai_embedder.embed(["a"])
    assert len(endpoint.requests) == 1


def test_waits_grow_and_are_drawn_at_random() -> None:
    patience = Patience(tries=9, first_wait=1.0, longest_wait=20.0)
    waits = [[patience.wait(tries, None) or 0.0 for _ in range(300)] for tries in range(1, 9)]
    for row, most in zip(waits, [1, 2, 4, 8, 16, 20, 20, 20], strict=True):
        assert 0.8 * most < max(row) <= most
        assert min(row) < 0.2 * most
    assert patience.wait(9, None) is None


def test_an_endpoint_that_is_down_is_retryable(connect: Connect) -> None:
    with pytest.raises(Retryable, match="no embeddings after 3 tries"):
        connect(embedding_url="http://127.0.0.1:9/v1").embed(["a"])


# Answers that are believed, or not


def test_vectors_are_placed_by_their_index(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.then(bad.shuffled)
    vectors = openai_embedder.embed(TEXTS[:5])
    np.testing.assert_allclose(vectors, expected(endpoint, TEXTS[:5]), atol=1e-6)


def test_an_endpoint_without_base64_is_asked_for_numbers(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.knows_base64 = False
    for _ in range(2):
        vectors = openai_embedder.embed(TEXTS[:3])
        np.testing.assert_allclose(vectors, expected(endpoint, TEXTS[:3]), atol=1e-6)
    formats = [request.parameters["encoding_format"] for request in endpoint.requests]
    assert formats == ["base64", "float", "float"]


def test_vectors_of_another_length_are_fatal(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.then(bad.wrong_dimensions(768))
    with pytest.raises(Fatal, match=r"has 1536 dimensions.*answers with 768"):
        openai_embedder.embed(["a"])


def test_another_models_vectors_are_fatal_and_a_dated_variants_are_not(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.then(bad.dated_model)
    assert openai_embedder.embed(["a"]).shape == (1, 1536)
    endpoint.then(bad.another_model)
    with pytest.raises(Fatal, match="answers with 'text-embedding-ada-002'"):
        openai_embedder.embed(["a"])


@pytest.mark.parametrize(
    ("value", "flaw"), [(0.0, "zero"), (float("nan"), "finite"), (float("inf"), "finite")]
)
def test_a_useless_vector_rejects_its_text_and_keeps_the_others(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder, value: float, flaw: str
) -> None:
    endpoint.then(bad.vector_of(1, value))
    with pytest.raises(PoisonTexts, match=flaw) as caught:
        openai_embedder.embed(TEXTS[:3])
    assert list(caught.value.reasons) == [1]
    kept = caught.value.vectors[[0, 2]]
    np.testing.assert_allclose(kept, expected(endpoint, [TEXTS[0], TEXTS[2]]), atol=1e-6)


# Texts that are refused


def test_refused_texts_are_named_and_the_others_are_bought_once(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.poison = {TEXTS[5], TEXTS[100]}
    with pytest.raises(PoisonTexts, match=r"2 of 150 texts.*at 5, .*input.*invalid") as caught:
        openai_embedder.embed(TEXTS)
    poison = caught.value
    assert list(poison.reasons) == [5, 100]
    good = [place for place in range(150) if place not in poison.reasons]
    np.testing.assert_allclose(
        poison.vectors[good], expected(endpoint, [TEXTS[place] for place in good]), atol=1e-6
    )
    assert np.isnan(poison.vectors[[5, 100]]).all()
    assert openai_embedder.usage.tokens == 148 * 3
    assert len(endpoint.requests) < 3 + 2 * 2 * 7


def test_poison_can_be_handed_to_another_process(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.poison = {"b"}
    with pytest.raises(PoisonTexts) as caught:
        openai_embedder.embed(["a", "b"])
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.reasons) == (str(caught.value), caught.value.reasons)
    np.testing.assert_array_equal(copy.vectors, caught.value.vectors)


def test_a_shorter_limit_of_the_endpoint_is_found_and_kept_to(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.most_texts = 32
    openai_embedder.embed(TEXTS)
    endpoint.requests.clear()
    openai_embedder.embed(TEXTS)
    assert max(len(request.texts) for request in endpoint.requests) <= 32
    assert sorted(endpoint.texts_answered) == sorted(TEXTS)


def test_an_endpoint_that_refuses_every_text_is_fatal_not_many_rejections(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.refuses_everything = True
    with pytest.raises(Fatal, match=r"Every text is refused: .*the input is invalid"):
        openai_embedder.embed(TEXTS[:64])
    assert len(endpoint.requests) <= 8


# What only a person can mend


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (bad.no_quota, "no quota left.*Add credit"),
        (bad.status(402), "no quota left"),
        (bad.status(401), "OPENBOOK_EMBEDDING_KEY"),
        (bad.status(403), "OPENBOOK_EMBEDDING_KEY"),
        (bad.status(404), "OPENBOOK_EMBEDDING_MODEL"),
    ],
    ids=["quota", "402", "401", "403", "404"],
)
def test_what_only_a_person_can_mend_is_fatal_at_the_first_answer(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder, trouble: Misbehaviour, says: str
) -> None:
    endpoint.then(trouble)
    with pytest.raises(Fatal, match=says):
        openai_embedder.embed(["a"])
    assert len(endpoint.requests) == 1


def test_one_fatal_answer_ends_the_other_requests_waits(
    endpoint: EmbeddingEndpoint, connect: Connect
) -> None:
    patience = Patience(tries=5, first_wait=60.0, longest_wait=60.0)
    endpoint.then(bad.status(429, retry_after="50"), bad.no_quota)
    start = time.monotonic()
    with pytest.raises(Fatal, match="no quota"):
        connect(patience).embed(TEXTS)
    assert time.monotonic() - start < 10


def test_the_key_is_never_shown(
    endpoint: EmbeddingEndpoint, openai_embedder: OpenAIEmbedder
) -> None:
    endpoint.then(bad.echo_key, bad.hang_up, bad.hang_up, bad.hang_up)
    for _ in range(2):
        with pytest.raises(OpenbookError) as caught:
            openai_embedder.embed(["a"])
        shown = "".join(traceback.format_exception(caught.value)) + repr(openai_embedder)
        assert KEY not in shown


def test_without_a_key_openai_is_not_called() -> None:
    with pytest.raises(Fatal, match="OPENAI_API_KEY"):
        OpenAIEmbedder(Settings(embedding_key=None))


def test_a_key_that_is_no_key_is_said_without_showing_it() -> None:
    with pytest.raises(Fatal, match="OPENBOOK_EMBEDDING_KEY") as caught:
        OpenAIEmbedder(Settings(embedding_key="sk-secret\nsecond line"))
    assert "secret" not in str(caught.value)


def test_an_endpoint_of_ones_own_needs_no_key(connect: Connect) -> None:
    assert connect(embedding_key=None).embed(["a"]).shape == (1, 1536)
