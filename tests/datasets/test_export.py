"""Exported files: what providers take, byte for byte the same, and gone when they must be."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.errors import LockNotAvailable

from tasks.database import connect
from tasks.datasets.export import export
from tasks.datasets.stale import remove_stale
from tasks.datasets.validate import chat_faults
from tasks.datasets.versions import find_version
from tasks.errors import Rejected
from tests.datasets.conftest import Log


def lines(folder: Path, split: str) -> list[dict[str, object]]:
    text = (folder / f"{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def test_each_split_is_a_file_and_the_manifest_names_them_all(log: Log, tmp_path: Path) -> None:
    log.grow(40)
    log.say('Say "ü\n\t\\ \u2028 \x01"', 'Well: "a,b\\n",\r\n')
    outcome = log.curate("quality: {min_tokens: 1}\n")
    manifest = export(log.connection, log.settings, "support", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == json.loads(
        json.dumps(manifest, default=str)
    )
    for entry in manifest["files"]:
        content = (tmp_path / "out" / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert content.count(b"\n") == entry["examples"] == outcome.decision.splits[entry["split"]]
    bodies = [
        body for split in ("train", "validation", "test") for body in lines(tmp_path / "out", split)
    ]
    assert all(chat_faults(body) == [] for body in bodies)
    assert sorted(map(str, bodies)) == sorted(map(str, log.bodies()))
    assert manifest["content_sha256"] == outcome.decision.content_sha256.hex()


def test_the_same_version_gives_the_same_bytes(log: Log, tmp_path: Path) -> None:
    log.grow(30)
    log.curate()
    one, other = (
        export(log.connection, log.settings, "support@1", tmp_path / name) for name in "ab"
    )
    assert one == other


def test_a_spec_may_ask_for_the_format_of_hugging_face(log: Log, tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"n": 1}'}}
    log.say(
        log.text(),
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": "One.", "tool_call_id": "c1"},
        {"role": "assistant", "content": 'It is "one".\n'},
    )
    spec = "quality: {min_tokens: 1}\nsplit: {train: 1.0, validation: 0.0, test: 0.0}\n"
    plain = log.curate(spec)
    asked = log.curate(spec + "format: hf-messages\n")
    assert asked.version == 2
    assert asked.decision == plain.decision
    manifest = export(log.connection, log.settings, "support", tmp_path / "out")
    assert (manifest["format"], manifest["problems"]) == ("hf-messages", [])
    (example,) = lines(tmp_path / "out", "train")
    (body,) = log.bodies()
    body["messages"][1]["tool_calls"][0]["function"]["arguments"] = {"n": 1}
    assert example == body


def test_pairs_in_the_format_of_hugging_face_have_a_prompt_and_two_answers(
    log: Log, tmp_path: Path
) -> None:
    said = log.say(log.text(), "Forty.")
    log.judge(said, "correction", ordinal=2, alternative="Forty-two.")
    log.curate(
        "format: hf-messages\nquality: {min_tokens: 1}\n"
        "split: {train: 1.0, validation: 0.0, test: 0.0}\n",
        kind="preference",
    )
    export(log.connection, log.settings, "support", tmp_path / "out")
    (example,) = lines(tmp_path / "out", "train")
    (body,) = log.bodies()
    assert example == {
        "prompt": body["input"]["messages"],
        "chosen": [{"role": "assistant", "content": "Forty-two."}],
        "rejected": [{"role": "assistant", "content": "Forty."}],
    }


def test_parquet_holds_the_lineage(log: Log, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    log.grow(30)
    log.curate()
    export(log.connection, log.settings, "support", tmp_path / "out", "parquet")
    rows = parquet.read_table(tmp_path / "out" / "train.parquet").to_pylist()
    assert {row["conversation_id"] for row in rows} == {
        one for one, split in log.splits().items() if split == "train"
    }
    assert all(hashlib.sha256(row["body"].encode()).hexdigest() == row["sha256"] for row in rows)
    assert rows[0]["ordinals"] == [1, 2]


def test_too_small_a_file_is_named_as_a_problem(log: Log, tmp_path: Path) -> None:
    log.grow(3)
    log.curate()
    assert (
        "10 at least"
        in export(log.connection, log.settings, "support", tmp_path / "o")["problems"][0]
    )


def test_a_folder_with_other_files_is_refused_and_untouched(log: Log, tmp_path: Path) -> None:
    log.grow(3)
    log.curate()
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Rejected, match="other files"):
        export(log.connection, log.settings, "support", tmp_path)
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["thesis.txt"]


def test_what_is_forgotten_leaves_versions_and_files_and_marks_them(
    log: Log, tmp_path: Path
) -> None:
    kept = log.grow(20)
    secret = log.say("the word is xyzzyplugh " + log.text(), log.text())
    log.curate()
    export(log.connection, log.settings, "support", tmp_path / "out")
    log.curate(f"source: {{filter: {{conversation_id: {{lt: {secret}}}}}}}\n")
    log.connection.execute("select openbook.forget_conversations(%s, 'conversation')", [[secret]])
    assert remove_stale(log.connection, log.settings) == ([str(tmp_path / "out")], [])
    assert not any((tmp_path / "out").iterdir())
    first = find_version(log.connection, "support@1")
    assert first["tainted_at"] is not None
    assert first["forgotten_examples"] == 1
    assert find_version(log.connection, "support@2")["tainted_at"] is None
    for table in ("examples", "dataset_exclusions", "dataset_versions"):
        held = log.connection.execute(f"select t::text from {table} t").fetchall()
        assert "xyzzyplugh" not in str(held)
    assert set(log.splits(1)) == set(kept)
    again = export(log.connection, log.settings, "support@1", tmp_path / "out")
    assert sum(entry["examples"] for entry in again["files"]) == 20
    log.connection.execute("select openbook.forget_conversations(%s, 'conversation')", [[secret]])
    assert find_version(log.connection, "support@1")["forgotten_examples"] == 1


def forget(log: Log, *conversations: int) -> None:
    log.connection.execute(
        "select openbook.forget_conversations(%s, 'conversation')", [list(conversations)]
    )
    log.connection.commit()


def ask_golden(log: Log, question: str, conversation: int) -> None:
    log.connection.execute(
        "with s as (insert into golden_sets (name) values ('task') returning id)"
        " insert into golden_questions (golden_set_id, question, conversation_id)"
        " select s.id, %s, %s from s",
        [question, conversation],
    )


@pytest.mark.parametrize("kept", [True, False])
def test_a_forgotten_conversations_golden_question_leaves_versions_and_files(
    log: Log, tmp_path: Path, kept: bool
) -> None:
    log.grow(12)
    question = 'Is "xyzzyplugh"\n\tü \x01 a word? ' + log.text()
    secret = log.say(question, log.text())
    ask_golden(log, question, secret)
    log.curate()
    out = tmp_path / "out"
    export(log.connection, log.settings, "support", out)
    assert "xyzzyplugh" in (out / "golden.jsonl").read_text()
    if not kept:
        log.connection.execute("delete from golden_questions")
    forget(log, secret)
    assert remove_stale(log.connection, log.settings) == ([str(out)], [])
    version = find_version(log.connection, "support@1")
    assert version["tainted_at"] is not None
    assert (version["forgotten_examples"], version["splits"].get("golden", 0)) == (1, 0)
    for table in ("examples", "golden_questions", "golden_origins"):
        assert "xyzzyplugh" not in str(
            log.connection.execute(f"select t::text from {table} t").fetchall()
        )
    assert log.connection.execute("select count(*) from golden_origins").fetchone() == (0,)
    again = export(log.connection, log.settings, "support@1", out)
    assert "golden.jsonl" not in [one["file"] for one in again["files"]]


def test_who_forgets_during_an_export_waits_and_then_removes_it(log: Log, tmp_path: Path) -> None:
    ids = log.grow(12)
    log.curate()
    out = tmp_path / "out"
    log.connection.execute(
        "create function brake() returns trigger language plpgsql as $$ begin"
        " perform pg_advisory_xact_lock(42); return new; end $$;"
        "create trigger brake before update on dataset_exports"
        " for each row execute function brake()"
    )
    log.connection.commit()
    with (
        ThreadPoolExecutor() as pool,
        connect(log.settings) as writing,
        connect(log.settings) as brake,
    ):
        brake.execute("select pg_advisory_xact_lock(42)")
        written = pool.submit(export, writing, log.settings, "support", out)
        wait_until(log, "advisory")
        log.connection.execute("set local lock_timeout = '200ms'")
        with pytest.raises(LockNotAvailable):
            forget(log, *ids)
        log.connection.rollback()
        brake.rollback()
        written.result(20)
        log.connection.execute("drop trigger brake on dataset_exports")
        forget(log, *ids)
    assert remove_stale(log.connection, log.settings) == ([str(out)], [])
    assert not any(out.iterdir())


def wait_until(log: Log, event: str) -> None:
    """Wait until a session of this database waits for a lock of that kind."""
    for _ in range(1000):
        log.connection.rollback()
        if log.connection.execute(
            "select 1 from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock' and wait_event = %s",
            [event],
        ).fetchone():
            log.connection.rollback()
            return
        time.sleep(0.01)
    raise AssertionError(f"nobody waits for a lock of the kind {event}")


def test_files_of_other_installations_are_named_and_ones_own_are_known_by_more_than_the_host(
    log: Log, tmp_path: Path
) -> None:
    ids = log.grow(12)
    log.curate()
    mine, theirs = (replace(log.settings, home=tmp_path / name) for name in ("mine", "theirs"))
    export(log.connection, mine, "support", tmp_path / "a")
    export(log.connection, theirs, "support", tmp_path / "b")
    log.connection.execute("update dataset_exports set host = 'a-container-of-yesterday'")
    forget(log, ids[0])
    removed, (left,) = remove_stale(log.connection, mine)
    assert removed == [str(tmp_path / "a")]
    assert (left.host, left.folder) == ("a-container-of-yesterday", str(tmp_path / "b"))
    assert (tmp_path / "b" / "manifest.json").exists()
    assert remove_stale(log.connection, theirs) == ([str(tmp_path / "b")], [])
    assert remove_stale(log.connection, mine) == ([], [])
