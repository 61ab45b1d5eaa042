"""From the command line to a version, its card, its files, and back when a user is forgotten."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.cli import main
from tests.book import Book
from tests.datasets.conftest import Log


def openbook(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def as_json(*arguments: str) -> Any:
    result = openbook(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def spec(folder: Path, text: str = "") -> str:
    path = folder / "support.yaml"
    path.write_text(f"name: support\nkind: sft\n{text}", encoding="utf-8")
    return str(path)


def artifact(key: str) -> str:
    async def read() -> str:
        async with get_client() as client:
            found = await client.read_artifacts(
                artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
            )
            return str(max(found, key=lambda one: str(one.created)).data)

    return asyncio.run(read())


def test_a_spec_becomes_a_version_with_a_card_and_files(book: Book, tmp_path: Path) -> None:
    with book.connect() as connection:
        log = Log(connection, book.settings)
        log.grow(30)
        (named,) = log.grow(1, external_id="call-9")
        log.say(log.text(), "I'm sorry, but I can't help with that.")
    path = spec(tmp_path)
    plan = as_json("curate", path, "--plan")
    assert as_json("datasets") == []
    report = as_json("curate", path)
    assert {**plan, "version": 1, "created": True} == report
    assert report["splits"].keys() == {"train", "validation", "test"}
    assert "refusal" in openbook("curate", path).output
    assert [one["version"] for one in as_json("datasets")] == [1]
    assert as_json("curate", "why", "call-9")[0]["conversation_id"] == named
    assert "in " in openbook("curate", "why", "call-9").output
    assert as_json("datasets", "show", "support")["funnel"][-1]["examples"] == 31
    assert "refusal" in openbook("datasets", "show", "support@1").output
    manifest = as_json("datasets", "export", "support")
    assert (Path(manifest["folder"]) / "train.jsonl").is_file()
    as_json("curate", spec(tmp_path, "balance: {per_tag: 9}\n"))
    assert as_json("datasets", "diff", "support@1", "support@2")["kept"] == 31
    assert "balance.per_tag" in openbook("datasets", "diff", "support@1", "support@2").output
    card = artifact("dataset-support")
    pictures = re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", card)
    assert len(pictures) >= 3
    assert all(base64.b64decode(one).startswith(b"<svg") for one in pictures)


def test_a_trigger_explains_itself_either_way(book: Book, tmp_path: Path) -> None:
    policy = "{new_examples: 5, min_judgements: 1, cooldown_hours: 0, max_age_days: 9}"
    path = spec(tmp_path, f"trigger: {policy}\n")
    assert as_json("curate", path, "--if-due")["version"] is None
    with book.connect() as connection:
        log = Log(connection, book.settings)
        log.grow(12)
    first = as_json("curate", path, "--if-due")
    assert (first["version"], first["trigger"]["due"]) == (1, True)
    idle = as_json("curate", path, "--if-due")
    assert (idle["version"], idle["trigger"]["due"]) == (None, False)
    assert any(
        "0 new or changed conversations, 5 are enough" in one for one in idle["trigger"]["reasons"]
    )
    with book.connect() as connection:
        new = Log(connection, book.settings).grow(4)
    assert not as_json("curate", path, "--if-due")["trigger"]["due"]
    with book.connect() as connection:
        log = Log(connection, book.settings)
        log.judge(new[0], "thumb", -1)
    disliked = as_json("curate", path, "--if-due")
    assert disliked["trigger"]["reasons"] == [
        "100% of 1 judgements since are negative, 20% of 1 or more are enough"
    ]
    cooling = spec(tmp_path, "trigger: {cooldown_hours: 1}\n")
    assert "cooldown" in openbook("curate", cooling, "--if-due").output


def test_a_forgotten_user_leaves_the_versions_and_the_files(book: Book, tmp_path: Path) -> None:
    with book.connect() as connection:
        log = Log(connection, book.settings)
        log.grow(20)
        log.grow(2, user_pseudonym="p1")
    as_json("curate", spec(tmp_path))
    folder = Path(as_json("datasets", "export", "support")["folder"])
    assert as_json("forget", "--user", "p1")["exports"] == [str(folder)]
    assert not (folder / "manifest.json").exists()
    (row,) = as_json("datasets")
    assert (row["forgotten_examples"], row["tainted_at"] is not None) == (2, True)
    assert "tainted" in openbook("datasets").output


def test_what_is_wrong_is_said_in_a_sentence(book: Book, tmp_path: Path) -> None:
    wrong = openbook("curate", spec(tmp_path, "qualty: {}\n"), "--json")
    assert wrong.exit_code == 1
    assert "line 3" in json.loads(wrong.stdout)["error"]
    assert openbook("curate").exit_code == 2
    assert openbook("curate", "why").exit_code == 2
    assert openbook("datasets", "show", "nothing").exit_code == 1
    assert openbook("curate", "why", "nothing").exit_code == 1
