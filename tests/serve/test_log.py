"""Logs as JSON lines: one a request, each with the request's id, none with what was asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from tasks.errors import Fatal
from tasks.serve.access import add_token, tokens_file
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf
from tests.serve.conftest import Served


def test_each_request_is_a_line_with_an_id_and_without_what_was_asked(
    stocked: Shelf, database: Settings
) -> None:
    assert database.database_url is not None
    token = add_token(tokens_file(database), "ann", principals=None, collections=None)
    environment = {
        **os.environ,
        "OPENBOOK_HOME": str(database.home),
        "OPENBOOK_DATABASE_URL": database.database_url,
        "OPENBOOK_EMBEDDER": "hashing",
        "OPENBOOK_LOGS": "json",
    }
    command = [sys.executable, "-m", "flows.cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        text = "".join(iter(process.stdout.readline, "}\n")) + "}"
        headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "trace-7"}
        with httpx.Client(
            trust_env=False, timeout=60, base_url=json.loads(text)["address"]
        ) as client:
            found = client.post("/search", json={"query": "spring tide"}, headers=headers)
            strange = client.get("/health", headers={"X-Request-ID": 'two "words"'})
            tokens_file(database).write_text("broken")
            client.get("/v1/vector_stores", headers=headers | {"X-Request-ID": "trace-8"})
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert found.headers["x-request-id"] == "trace-7"
    lines = [json.loads(line) for line in errors.splitlines()]
    requests = {one["request_id"]: one for one in lines if one["logger"] == "openbook.requests"}
    searched = requests["trace-7"]
    assert (searched["route"], searched["status"], searched["caller"]) == ("/search", 200, "ann")
    assert searched["milliseconds"] > 0
    assert strange.headers["x-request-id"] in requests
    assert "words" not in strange.headers["x-request-id"]
    assert "spring" not in errors
    assert requests["trace-8"]["status"] == 500
    (why,) = [one for one in lines if one["level"] == "error"]
    assert "tokens" in why["message"]
    assert why["request_id"] == "trace-8"


def test_an_answer_tells_its_requests_id_however_logs_look(served: Served) -> None:
    ids = {served.get("/health").headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2


def test_logs_are_text_or_json() -> None:
    with pytest.raises(Fatal, match="OPENBOOK_LOGS is 'xml'"):
        Settings.load({"OPENBOOK_LOGS": "xml"})
