"""The three embedders: one graph cache for the test run, one endpoint a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.embedders import Embedder
from tasks.embedders.hashing import HashingEmbedder
from tasks.embedders.minilm import MiniLMEmbedder
from tasks.embedders.openai import OpenAIEmbedder
from tasks.endpoint import Patience
from tasks.settings import Settings
from tests.endpoint import KEY, EmbeddingEndpoint, embedding_endpoint

HASTY = Patience(tries=3, first_wait=0.01, longest_wait=1.0, answer_within=5.0)


@pytest.fixture
def endpoint() -> Iterator[EmbeddingEndpoint]:
    """An embedding endpoint that behaves until it is told otherwise."""
    with embedding_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def openai_embedder(endpoint: EmbeddingEndpoint) -> OpenAIEmbedder:
    """An embedder of that endpoint with little patience."""
    settings = Settings(embedder="openai", embedding_url=endpoint.url, embedding_key=KEY)
    return OpenAIEmbedder(settings, HASTY)


@pytest.fixture(scope="session")
def graph_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OPENBOOK_HOME whose graph is written once a run."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def minilm(graph_home: Path) -> MiniLMEmbedder:
    """The default embedder."""
    return MiniLMEmbedder(graph_home)


@pytest.fixture(params=["minilm", "openai_embedder", "hashing"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    """Each of the three in turn."""
    if request.param == "hashing":
        return HashingEmbedder()
    chosen: Embedder = request.getfixturevalue(request.param)
    return chosen
