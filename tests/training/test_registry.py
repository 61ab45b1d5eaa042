"""The registry: one model serves a task, and never one that must not."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from psycopg import Connection

from tasks.conversations.forget import forget_conversation
from tasks.conversations.pseudonyms import pseudonyms
from tasks.database import connect
from tasks.errors import Fatal, OpenbookError, Retryable
from tasks.settings import Settings
from tasks.training.registry import (
    Candidate,
    Registered,
    chat_models,
    check_artifact,
    find_model,
    learned,
    model_of,
    place,
    promote,
    register,
    rollback,
    serving,
    serving_model,
)

SERVED = Candidate("helm", "tiny", endpoint_model="helm", endpoint_url="http://127.0.0.1:1/v1")


def registered(connection: Connection, **changes: object) -> Registered:
    return register(connection, replace(SERVED, **changes))  # type: ignore[arg-type]


def serve(connection: Connection, model: Registered) -> None:
    now = serving(connection)
    promote(connection, model, now.id if now else None)


def serving_name(connection: Connection) -> str | None:
    now = serving(connection)
    return now.called if now else None


@pytest.fixture
def version(connection: Connection) -> int:
    """A version of a dataset with one example, of the conversation `c-1`."""
    row = connection.execute(
        """
        with said as (
            insert into conversations (external_id, model) values ('c-1', 'm') returning id
        ), example as (
            insert into examples (recipe, conversation_id, state, sha256, text_sha256, tokens,
                                  turns, words, signature, body)
            select 'r', id, '', 'a', 'a', 1, 1, '', '', '{}' from said returning id
        ), dataset as (
            insert into datasets (name, kind) values ('support', 'sft') returning id
        ), version as (
            insert into dataset_versions (dataset_id, number, spec, spec_sha256, code_version,
                                          content_sha256, examples, tokens, tokenizer, tokens_exact,
                                          model)
            select id, 1, '{}', '', '1', 'c', 1, 1, 't', true, 'm' from dataset returning id
        ), listed as (
            insert into dataset_examples (version_id, example_id, split)
            select version.id, example.id, 'train' from version, example
        )
        select id from version
        """
    ).fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])


def forget(connection: Connection, database: Settings) -> None:
    forget_conversation(connection, pseudonyms(database), "c-1")


def test_versions_count_within_a_name(connection: Connection) -> None:
    assert [registered(connection).called for _ in range(2)] == ["helm@1", "helm@2"]
    assert registered(connection, name="keel").called == "keel@1"
    assert find_model(connection, "helm").version == 2
    assert find_model(connection, "helm@1").version == 1
    for unknown in ("sail", "helm@3", "helm@x"):
        with pytest.raises(Fatal, match="no model"):
            find_model(connection, unknown)


def test_a_training_makes_one_model_however_often_it_is_registered(connection: Connection) -> None:
    (run,) = connection.execute(
        "insert into training_runs (run_key, backend, method, dataset_sha256, base)"
        " values ('k', 'local', 'sft', '', 'tiny') returning id"
    ).fetchone() or (0,)
    first = registered(connection, training_run_id=run)
    assert registered(connection, training_run_id=run) == first
    assert chat_models(connection) == [first]


def test_one_model_serves_and_the_one_before_it_can_serve_again(connection: Connection) -> None:
    one, two, three = (registered(connection) for _ in range(3))
    for model in (one, two, three):
        serve(connection, model)
    assert [model.stage for model in chat_models(connection)] == ["retired", "retired", "serving"]
    rollback(connection, three.id)
    assert serving_name(connection) == "helm@2"
    rollback(connection, two.id)
    assert serving_name(connection) == "helm@1"
    rollback(connection, one.id)
    assert serving(connection) is None
    with pytest.raises(Fatal, match="nothing before it"):
        rollback(connection, None)
    assert [
        row[0] for row in connection.execute("select action from analytics.promotions order by 1")
    ] == ["promote"] * 3 + ["rollback"] * 3


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(
    connection: Connection, database: Settings
) -> None:
    before = registered(connection)
    serve(connection, before)
    rivals = [registered(connection) for _ in range(4)]
    connection.commit()
    start, told = threading.Barrier(len(rivals)), []

    def compete(model: Registered) -> None:
        with closing(connect(database)) as own:
            start.wait()
            try:
                promote(own, model, before.id)
                own.commit()
            except Retryable as error:
                told.append(error.message)

    threads = [threading.Thread(target=compete, args=[model]) for model in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == len(rivals) - 1
    assert all("another change came first" in sentence for sentence in told)
    assert sum(model.stage == "serving" for model in chat_models(connection)) == 1


def test_who_answers_is_the_serving_model_else_the_configured_one(
    connection: Connection, database: Settings
) -> None:
    assert serving_model(connection, database) is None
    configured = replace(database, answer_model="big", answer_url="http://127.0.0.1:2/v1")
    asked = serving_model(connection, configured)
    assert asked is not None
    assert (asked.name, asked.model, asked.url, asked.id) == (
        "big", "big", "http://127.0.0.1:2/v1", None,
    )  # fmt: skip
    model = registered(connection, settings={"window": 4096})
    serve(connection, model)
    asked = serving_model(connection, configured)
    assert asked is not None
    assert (asked.name, asked.model, asked.url, asked.id, asked.window) == (
        "helm@1", "helm", "http://127.0.0.1:1/v1", model.id, 4096,
    )  # fmt: skip


def test_a_model_that_no_server_has_is_promoted_once_it_is_served(connection: Connection) -> None:
    model = registered(connection, endpoint_model=None, endpoint_url=None)
    with pytest.raises(Fatal, match="helm@1 is not served yet"):
        promote(connection, model, None)
    promote(connection, place(connection, model, "lora", None), None)
    assert serving_name(connection) == "helm@1"


def test_a_model_that_its_provider_shut_down_is_not_promoted(connection: Connection) -> None:
    with pytest.raises(Fatal, match="shut down"):
        promote(connection, registered(connection, retires_on=date(2026, 1, 14)), None)


def test_an_altered_adapter_is_not_promoted(connection: Connection, tmp_path: Path) -> None:
    weights = tmp_path / "adapter.safetensors"
    weights.write_text("weights")
    content = json.dumps(
        {"files": [{"file": weights.name, "sha256": hashlib.sha256(b"weights").hexdigest()}]}
    )
    manifest = tmp_path / "manifest.json"
    manifest.write_text(content)
    model = registered(
        connection,
        artifact=str(tmp_path),
        artifact_sha256=hashlib.sha256(content.encode()).digest(),
        host=socket.gethostname(),
    )
    check_artifact(model)
    weights.write_text("other weights")
    with pytest.raises(Fatal, match=r"adapter.safetensors is altered"):
        promote(connection, model, None)
    manifest.write_text(content.replace("adapter", "another"))
    with pytest.raises(Fatal, match=r"manifest.json was altered"):
        promote(connection, model, None)
    manifest.unlink()
    with pytest.raises(Fatal, match="cannot be read"):
        promote(connection, model, None)


def test_a_file_that_was_altered_since_it_was_registered_is_not_promoted(
    connection: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "adapter.gguf"
    file.write_bytes(b"adapter")
    model = place(connection, registered(connection), str(file), "offline")
    assert model.as_json()["served_sha256"] == hashlib.sha256(b"adapter").hexdigest()
    check_artifact(model)
    file.write_bytes(b"another")
    with pytest.raises(Fatal, match=r"adapter.gguf was altered"):
        promote(connection, model, None)
    promote(connection, place(connection, model, str(file), "offline"), None)


def test_forgetting_marks_the_models_trained_on_it_and_those_made_from_them(
    connection: Connection, database: Settings, version: int
) -> None:
    trained = registered(connection, dataset_version_id=version)
    further = registered(connection, name="keel", base="helm", endpoint_model="keel")
    other = registered(connection, name="sail", endpoint_model="sail")
    serve(connection, trained)
    forget(connection, database)
    assert [(model.name, model.stage, model.tainted_at is not None) for model in
            chat_models(connection)] == [
        ("helm", "serving", True), ("keel", "tainted", True), ("sail", "candidate", False),
    ]  # fmt: skip
    serve(connection, other)
    assert model_of(connection, trained.id).stage == "tainted"
    for model in (trained, further):
        with pytest.raises(Fatal, match="forgotten"):
            serve(connection, model)
    with pytest.raises(Fatal, match="forgotten"):
        rollback(connection, other.id)
    assert registered(connection, dataset_version_id=version).stage == "tainted"


def test_what_is_made_from_a_model_that_learned_what_was_forgotten_is_tainted_whenever_it_comes(
    connection: Connection, database: Settings, version: int
) -> None:
    registered(
        connection, dataset_version_id=version, artifact="/adapters/helm", artifact_sha256=b"helm"
    )
    forget(connection, database)
    (run,) = connection.execute(
        "insert into training_runs (run_key, backend, method, dataset_sha256, base)"
        " values ('k', 'openai', 'sft', '', 'helm') returning id"
    ).fetchone() or (0,)
    made = [
        registered(connection, name="named", base="helm", endpoint_model="named"),
        registered(connection, name="placed", base="/adapters/helm", endpoint_model="placed"),
        registered(connection, name="dated", base="helm-2026", training_run_id=run),
        registered(connection, name="merged", base="/merged", base_artifacts=[b"x", b"helm"]),
        registered(connection, name="further", base="named", endpoint_model="further"),
        registered(connection, name="again", base="helm"),
    ]
    assert {model.stage for model in made} == {"tainted"}
    for model in made:
        with pytest.raises(Fatal, match="forgotten"):
            promote(connection, model, None)
    assert registered(connection, name="other", endpoint_model="other").stage == "candidate"


def test_forgetting_reaches_what_was_made_from_a_merged_or_renamed_base(
    connection: Connection, database: Settings, version: int
) -> None:
    trained = registered(connection, dataset_version_id=version, artifact_sha256=b"helm")
    (run,) = connection.execute(
        "insert into training_runs (run_key, backend, method, dataset_sha256, base)"
        " values ('k', 'openai', 'sft', '', 'helm') returning id"
    ).fetchone() or (0,)
    merged = registered(
        connection, name="keel", base="/m", base_artifacts=[b"helm"], endpoint_model="keel"
    )
    dated = registered(
        connection, name="mast", base="helm-2026", training_run_id=run, endpoint_model="mast"
    )
    last = registered(connection, name="sail", base="keel", endpoint_model="sail")
    assert [learned(connection, model) for model in (trained, merged, dated, last)] == [
        [version]
    ] * 4
    forget(connection, database)
    assert {model.stage for model in chat_models(connection)} == {"tainted"}


def test_a_registration_and_a_forgetting_at_once_leave_no_unmarked_model(
    connection: Connection, database: Settings, version: int
) -> None:
    registered(connection, dataset_version_id=version)
    connection.commit()
    forgetting = threading.Thread(target=forget, args=[connection, database])
    with closing(connect(database)) as own:
        with own.transaction():
            further = registered(own, name="keel", base="helm", endpoint_model="keel")
            forgetting.start()
            forgetting.join(0.3)
            assert forgetting.is_alive()
        forgetting.join()
        assert model_of(own, further.id).stage == "tainted"


@pytest.mark.parametrize("first", ["forget", "promote"])
def test_a_promotion_and_a_forgetting_at_once_leave_no_unmarked_serving_model(
    connection: Connection, database: Settings, version: int, first: str
) -> None:
    model = registered(connection, dataset_version_id=version)
    connection.commit()
    outcome: list[OpenbookError | None] = []

    def promote_apart() -> None:
        with closing(connect(database)) as own:
            try:
                promote(own, model, None)
                own.commit()
                outcome.append(None)
            except OpenbookError as error:
                outcome.append(error)

    other = threading.Thread(target=promote_apart)
    with closing(connect(database)) as own, own.transaction():
        if first == "promote":
            promote(own, model, None)
            other = threading.Thread(target=forget, args=[connection, database])
        else:
            forget(own, database)
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join()
    connection.commit()
    after = model_of(connection, model.id)
    assert after.tainted_at is not None
    assert after.stage == ("serving" if first == "promote" else "tainted")
    assert (not outcome) if first == "promote" else isinstance(outcome[0], Fatal)
