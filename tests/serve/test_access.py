"""Tokens: who asks, what they see, and how a server without tokens is kept to its machine."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import Fatal, Rejected
from tasks.serve.access import Doorkeeper, add_token, read_tokens, revoke_token, tokens_file
from tasks.serve.app import serve as run
from tasks.serve.limits import Limits
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf
from tests.serve.conftest import ANSWERING, RETRIEVAL, Serve, Served

TIDE = {"query": "spring tide"}


def test_a_server_without_tokens_answers_its_own_machine(served: Served, stocked: Shelf) -> None:
    assert served.post("/search", json=TIDE).json()["hits"]


def test_a_page_that_renames_this_machine_is_refused(served: Served) -> None:
    answer = served.get("/v1/vector_stores", headers={"Host": "evil.example"})
    assert answer.status_code == 400


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_other_machines_are_not_served_without_a_token(database: Settings, host: str) -> None:
    with pytest.raises(Fatal, match="openbook tokens add"):
        run(database, RETRIEVAL, ANSWERING, Limits(), host=host, port=0, announce=lambda *_: None)


@pytest.mark.parametrize(
    "path", ["/v1/vector_stores", "/v1/vector_stores/default/files", "/metrics"]
)
def test_with_a_token_made_nobody_reads_without_one(
    served: Served, stocked: Shelf, path: str
) -> None:
    token = served.token()
    assert served.get(path).status_code == 401
    assert served.get(path, token="ob-" + "x" * 43).status_code == 401
    assert served.get(path, headers={"Authorization": f"Basic {token}"}).status_code == 401
    assert served.get(path, token=token).status_code == 200


def test_a_refused_token_is_told_how_to_get_one_in_openais_error(served: Served) -> None:
    served.token()
    answer = served.post("/search", json=TIDE)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
    assert "openbook tokens add" in error["message"]


def test_a_revoked_token_is_refused_at_once_and_the_door_stays_locked(served: Served) -> None:
    token = served.token()
    assert served.get("/v1/vector_stores", token=token).status_code == 200
    revoke_token(tokens_file(served.settings), "ann")
    assert served.get("/v1/vector_stores", token=token).status_code == 401
    assert served.get("/v1/vector_stores").status_code == 401
    tokens_file(served.settings).unlink()
    assert served.get("/v1/vector_stores").status_code == 401


def test_a_broken_file_of_tokens_admits_nobody_and_is_not_named(served: Served) -> None:
    token = served.token()
    tokens_file(served.settings).write_text("[{", encoding="utf-8")
    for _ in range(2):
        answer = served.get("/v1/vector_stores", token=token)
        assert answer.status_code == 500
        assert "tokens.json" not in answer.text
    assert served.get("/health").status_code == 503


def test_collections_outside_a_token_do_not_exist_for_it(served: Served, stocked: Shelf) -> None:
    stocked.put("secret.txt", "The spring tide is secret.", source="b", collection="secret")
    token = served.token(collections=["default"])
    known = served.get("/v1/vector_stores", token=token).json()["data"]
    assert [store["id"] for store in known] == ["default"]
    for path, body in (
        ("/v1/vector_stores/{}/search", TIDE),
        ("/search", {**TIDE, "collection": "{}"}),
    ):
        answers = []
        for name in ("secret", "absent"):
            sent = {key: value.format(name) for key, value in body.items()}
            answer = served.post(path.format(name), token=token, json=sent)
            answers.append((answer.status_code, answer.text.replace(name, "")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    files = served.get("/v1/vector_stores/secret/files", token=token)
    assert files.status_code == 404


def test_only_a_hash_of_the_secret_is_kept_where_others_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "home" / "tokens.json"
    secret = add_token(file, "ann", principals=["ann"], collections=None)
    assert len(secret) > 40
    assert secret not in file.read_text(encoding="utf-8")
    assert secret.removeprefix("ob-") not in file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_means_its_own_principals_and_collections(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    ann = add_token(file, "ann", principals=["ann", "group:sales"], collections=["a"])
    everyone = add_token(file, "public", principals=[], collections=None)
    doorkeeper = Doorkeeper(file)
    found = doorkeeper.admit(ann)
    assert found is not None
    assert (found.principals, found.collections) == (("ann", "group:sales"), ("a",))
    public = doorkeeper.admit(everyone)
    assert public is not None
    assert (public.principals, public.collections) == ((), None)
    assert doorkeeper.admit(ann[:-1]) is None
    assert doorkeeper.admit("") is None
    assert doorkeeper.admit("\ud800") is None


def test_a_name_is_given_once_and_an_unknown_one_is_not_revoked(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    add_token(file, "ann", principals=[], collections=None)
    with pytest.raises(Rejected, match="revoke ann"):
        add_token(file, "ann", principals=[], collections=None)
    with pytest.raises(Rejected, match="no token 'ben'"):
        revoke_token(file, "ben")
    assert [token.name for token in read_tokens(file)] == ["ann"]


@pytest.mark.parametrize(
    "change",
    [
        lambda entries: {},
        lambda entries: None,
        lambda entries: ["ann"],
        lambda entries: [{"name": "ann"}],
        lambda entries: [{**entries[0], "principals": "ann"}],
        lambda entries: [{**entries[0], "collections": [1]}],
        lambda entries: [*entries, {**entries[0], "sha256": None}],
    ],
)
def test_a_file_that_says_less_than_it_must_is_refused_whole(
    tmp_path: Path, change: Callable[[Any], Any]
) -> None:
    file = tmp_path / "tokens.json"
    add_token(file, "ann", principals=["ann"], collections=None)
    entries = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(change(entries)), encoding="utf-8")
    with pytest.raises(Fatal, match="Mend the file"):
        read_tokens(file)


def test_a_token_made_before_the_server_locks_its_door_from_the_start(serve: Serve) -> None:
    add_token(tokens_file(serve.settings), "ann", principals=None, collections=None)
    assert serve().get("/v1/vector_stores").status_code == 401
