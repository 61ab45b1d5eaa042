"""The command line: what it prints for programs, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click import Command, Group
from click.testing import CliRunner, Result
from prefect.settings import PREFECT_API_URL, temporary_settings
from psycopg.conninfo import make_conninfo

from flows.cli import main
from flows.cli.group import SECTIONS
from flows.server import server_url
from tasks.settings import current
from tests.book import Book

TIDES = (
    "# Tides\n\nThe spring tide follows the new moon.\n\n# Wind\n\nThe trade wind blows steady.\n"
)


def openbook(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def as_json(*arguments: str) -> Any:
    result = openbook(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_ingest_reports_counts_costs_and_rejected_files(book: Book) -> None:
    book.write("tides.md", TIDES)
    report = as_json("ingest", str(book.drop))
    counts = {name: report[name] for name in ("seen", "new", "changed", "renamed", "deleted")}
    assert counts == {"seen": 1, "new": 1, "changed": 0, "renamed": 0, "deleted": 0}
    assert (report["unchanged"], report["rejected"], report["usd"]) == (0, [], 0)
    assert report["chunks"] == report["embedded"] + report["reused"] == 2
    assert report["run_id"] > 0
    assert report["tokens"] > 0
    assert report["seconds"] > 0


def test_ingest_without_a_path_takes_every_known_folder(book: Book) -> None:
    book.write("tides.md", TIDES)
    as_json("ingest", str(book.drop))
    assert as_json("ingest")["unchanged"] == 1


def test_a_folder_that_cannot_be_used_is_named_and_the_others_go_on(book: Book) -> None:
    gone = book.drop.parent / "a folder that goes"
    gone.mkdir()
    as_json("ingest", str(gone))
    as_json("ingest", str(book.drop), "--collection", "tides")
    gone.rmdir()
    book.write("tides.md", TIDES)
    result = openbook("ingest", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["new"] == 1
    (failed,) = report["failed"]
    assert failed["folder"] == str(gone)
    assert "is not a folder" in failed["error"]
    assert failed["error"] in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--language", "klingon", "'klingon' is no language"),
        ("--language", "german", "language english"),
        ("--collection", "other", "collection default"),
    ],
)
def test_what_a_folder_cannot_be_is_said_and_leaves_nothing(
    book: Book, option: str, value: str, complaint: str
) -> None:
    if "is no" not in complaint:
        as_json("ingest", str(book.drop))
    result = openbook("ingest", str(book.drop), option, value)
    assert result.exit_code == 1
    assert complaint in result.stderr
    with book.connect() as connection:
        names = connection.execute("select name from collections where name <> 'default'")
        assert names.fetchall() == []


def test_every_command_has_help_and_all_that_report_have_json() -> None:
    for words, command in commands(main):
        help_text = openbook(*words, "--help")
        assert help_text.exit_code == 0
        without = isinstance(command, Group) and not command.invoke_without_command
        if not without and words not in (["sql"], ["mcp"]):
            assert "--json" in help_text.output, words


def test_help_lists_every_command_under_one_title_with_its_whole_sentence() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(main.commands)
    text = openbook("--help").output
    for name in listed:
        assert f"\n  {name} " in text
    assert "..." not in text.partition("\nDocuments:")[2].replace('"select ..."', "")
    assert "..." not in openbook("golden", "--help").output.partition("\nCommands:")[2]


def commands(group: Group) -> Iterator[tuple[list[str], Command]]:
    """Each command below the group, with the words that name it."""
    for name, command in group.commands.items():
        yield [name], command
        if isinstance(command, Group):
            yield from (([name, *words], below) for words, below in commands(command))


def test_a_rejected_file_is_named_and_the_exit_code_is_1(book: Book) -> None:
    book.write("empty.md", "")
    result = openbook("ingest", str(book.drop), "--json")
    assert result.exit_code == 1
    (rejected,) = json.loads(result.stdout)["rejected"]
    assert rejected["path"] == "empty.md"
    assert rejected["reason"]
    assert "empty.md" in openbook("ingest").output


def test_files_rejected_for_one_reason_stand_together(book: Book) -> None:
    for number in range(7):
        book.write(f"empty {number}.md", "")
    book.write("archive.zip", "PK")
    told = openbook("plan", str(book.drop)).output
    assert told.count("The file is empty") == 1
    assert "rejected 7 files: The file is empty" in told
    assert "\n    empty 4.md\n" in told
    assert "empty 5.md" not in told
    assert "… and 2 more: openbook plan --json" in told
    assert "rejected archive.zip: " in told


def test_a_plan_says_what_a_run_would_do_and_changes_nothing(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.write("empty.md", "")
    before = book.row_versions()
    made = as_json("plan", str(book.drop))
    assert (made["seen"], made["pending"], made["chunks"], made["embed"]) == (2, 2, 2, 2)
    assert [one["path"] for one in made["rejected"]] == ["empty.md"]
    assert book.row_versions() == before
    assert as_json("sources") == []


def test_a_plan_after_a_run_buys_only_what_is_new(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    assert as_json("plan")["pending"] == 0
    book.write("tides.md", TIDES.replace("steady", "hard"))
    book.write("copy.md", TIDES)
    made = as_json("plan")
    assert (made["pending"], made["read"], made["chunks"], made["embed"]) == (2, 1, 4, 1)
    report = book.ingest()
    assert (report["chunks"], report["embedded"]) == (4, 1)


def test_search_prints_hits_with_their_places(book: Book) -> None:
    book.write("sea/tides.md", TIDES)
    book.ingest()
    hits = as_json("search", "spring tide", "-k", "1")
    assert {name: hits[0][name] for name in ("rank", "path", "title", "section", "page")} == {
        "rank": 1,
        "path": "sea/tides.md",
        "title": "Tides",
        "section": None,
        "page": None,
    }
    assert {"text", "document_id", "chunk_id", "keyword_rank", "dense_rank"} <= hits[0].keys()
    assert "sea/tides.md" in openbook("search", "spring tide").output


def test_a_search_where_no_documents_are_says_where_some_are(book: Book) -> None:
    assert "Begin with: openbook ingest FOLDER" in openbook("search", "tide").stderr
    assert "No folder is known yet" in openbook("status").output
    book.write("tides.md", TIDES)
    as_json("ingest", str(book.drop), "--collection", "sea")
    assert "--collection takes another: sea." in openbook("search", "tide").stderr
    assert "There are: default, sea." in openbook("search", "tide", "--collection", "no").stderr


def test_a_search_that_chose_no_collection_says_which_others_there_are(book: Book) -> None:
    for collection in ("default", "sea"):
        book.write(f"{collection}/tides.md", TIDES)
        as_json("ingest", str(book.drop / collection), "--collection", collection)
    hint = "Searched default alone; --collection takes another: sea."
    assert hint in openbook("search", "tide").stderr
    assert hint not in openbook("search", "tide", "--json").stderr
    assert hint not in openbook("search", "tide", "--collection", "default").stderr


def test_a_time_that_is_not_kept_or_still_to_come_is_said(book: Book) -> None:
    before = openbook("search", "tide", "--as-of", "2001-01-01", "--json")
    assert (json.loads(before.stdout), before.exit_code) == ([], 0)
    assert "kept for 90 days" in before.stderr
    to_come = openbook("search", "tide", "--as-of", "2999-01-01")
    assert (to_come.exit_code, "still to come" in to_come.stderr) == (1, True)


def test_search_takes_a_filter_and_refuses_what_is_none(book: Book) -> None:
    book.write("sea/tides.md", TIDES)
    book.write("land/tides.md", TIDES)
    book.ingest()
    chosen = '{"path": {"prefix": "land/"}}'
    hits = as_json("search", "spring tide", "--mode", "keyword", "--filter", chosen)
    assert {hit["path"] for hit in hits} == {"land/tides.md"}
    assert (
        "No document in default has frmat"
        in openbook("search", "tide", "--where", "frmat = 'md' and format = 'md'").stderr
    )
    assert "may leave no document" in openbook("search", "tide", "--where", "format = 'x'").stderr
    assert openbook("search", "tide", "--filter", "{").exit_code == 2
    assert openbook("search", "tide", "--filter", '{"path": {"near": 1}}').exit_code == 1


def test_search_goes_on_from_a_hit(book: Book) -> None:
    book.write("sea/tides.md", TIDES)
    book.write("land/moss.md", "# Moss\n\nMoss needs no tide, but water all the same.\n")
    book.ingest()
    (hit,) = as_json(
        "search", "tide", "--where", "path like 'sea/%'", "--group", "--neighbours", "2"
    )
    assert hit["path"] == "sea/tides.md"
    assert [near["distance"] for near in hit["neighbours"]] == [1]
    around = openbook("search", "spring tide", "-k", "1", "--neighbours", "1").stdout
    assert "\n    (+1) " in around
    assert as_json("search", "tide", "--mode", "keyword", "-k", "1", "--page", "2")[0]["rank"] == 2
    assert as_json("search", "tide", "--as-of", "2001-01-01") == []
    assert openbook("search", "tide", "--as-of", "soon").exit_code == 2
    refused = openbook("search", "tide", "--where", "path like 'sea/%'; drop table documents")
    assert refused.exit_code == 1
    assert "at character 18" in refused.output
    chunk = str(hit["chunk_id"])
    like = {other["chunk_id"]: other["path"] for other in as_json("more-like", chunk)}
    assert "land/moss.md" in like.values()
    assert hit["chunk_id"] not in like
    found = as_json("why", "tide path:land/", chunk)
    assert found["reason"] == "it does not meet all demands"
    assert found["demands"][0]["met"] is False
    told = openbook("why", "spring tide", chunk).output
    assert "a hit" in told
    assert told.index("words  ") < told.index("tide: ") < told.index("meaning ")
    assert openbook("why", "tide", "999999").exit_code == 1


def test_a_question_about_a_document_that_is_not_there_is_named(book: Book, tmp_path: Path) -> None:
    book.write("tides.md", "The spring tide follows the new moon.\n")
    book.ingest()
    file = tmp_path / "golden.yaml"
    file.write_text(
        "- {question: When, sources: [tides.md]}\n- {question: Why, sources: [tide.md]}\n"
    )
    into = ("--set", "sea", "--collection", "default")
    assert as_json("golden", "import", str(file), *into)["unknown_sources"] == ["tide.md"]
    result = openbook("golden", "add", "Who?", "--source", "tidse.md", *into)
    assert "no document is tidse.md" in result.output
    assert "tide.md" not in result.output


def test_a_file_without_a_usable_question_makes_no_golden_set(book: Book, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no JSON\n" * 30)
    result = openbook("golden", "import", str(file), "--set", "sea")
    assert result.exit_code == 1
    assert result.stderr.count("it is no JSON") == 20
    assert "… and 10 more" in result.stderr
    assert as_json("golden", "list") == []


def test_what_search_asked_once_sql_knows(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    openbook("search", "wind over the sea")
    with book.connect() as connection:
        notices: list[str] = []
        connection.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
        statement = "select dense_rank from openbook.search(%s)"
        known = connection.execute(statement, ["wind over the sea"]).fetchall()
        assert known[0][0] is not None
        assert notices == []
        unknown = connection.execute(statement, ["wind on the hills"]).fetchall()
    assert [rank for (rank,) in unknown] == [None] * len(unknown)
    assert "keywords alone" in notices[0]


def test_an_error_is_a_sentence_and_the_exit_code_is_1(book: Book) -> None:
    result = openbook("ingest", str(book.drop / "absent"), "--json")
    assert result.exit_code == 1
    assert "is not a folder" in json.loads(result.stdout)["error"]
    assert "Traceback" not in result.output
    assert openbook("ingest").exit_code == 1  # no folder is known yet


def test_wrong_arguments_are_told_before_a_prefect_server_starts(
    book: Book, tmp_path: Path
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("name: x\nkin: sft\n")
    with temporary_settings({PREFECT_API_URL: None}):
        assert "is not a folder" in openbook("ingest", str(tmp_path / "absent")).stderr
        assert "unknown key 'kin'" in openbook("curate", str(spec)).stderr
        assert server_url(current()) is None


def test_no_provider_is_asked_when_it_ends_a_model_that_another_serves(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    as_json("models", "register", "own", "--model", "m", "--url", "http://127.0.0.1:9/v1")
    assert as_json("models", "ends")["ending"] == []


def test_errors_name_the_way_out(book: Book) -> None:
    assert "stand behind --" in openbook("search", "-water warranty").stderr
    asked = ("models", "register", "small@1", "--model", "m", "--url", "http://127.0.0.1:9/v1")
    assert "the next version of small" in openbook(*asked).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["search"],
        ["search", "x", "--mode", "y"],
        ["why", "x", str(2**63)],
        ["principals", "set", "postgres", "\udcff"],
    ],
)
def test_wrong_usage_has_the_exit_code_2(book: Book, arguments: list[str]) -> None:
    assert openbook(*arguments).exit_code == 2


def test_status_shows_sources_rejected_files_and_models(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.write("empty.md", "")
    book.ingest()
    answer = openbook("status", "--json")
    status = json.loads(answer.stdout)
    assert (answer.exit_code, status["problems"]) == (1, ["1 file is rejected"])
    (source,) = status["sources"]
    assert 0 <= source["behind_seconds"] < 300
    assert (source["current"], source["rejected"], source["chunks"]) == (1, 1, 2)
    assert [one["path"] for one in status["rejected"]] == ["empty.md"]
    assert [model["name"] for model in status["models"]] == ["hashing-256"]
    assert "drop" in openbook("status").output


def test_status_names_what_someone_has_to_look_after_and_its_exit_code_says_so(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    status = as_json("status")
    assert (status["problems"], status["usd"]) == (
        [],
        {"documents": 0, "reembedding": 0, "training": 0},
    )
    with book.connect() as connection:
        connection.execute(
            """
            insert into runs (source_id, outcome, error)
            select id, 'failed', 'no disk' from sources;
            update documents set status = 'pending', checked_at = now() - interval '1 hour';
            insert into chat_models (name, version, base, stage, retires_on, tainted_at)
            values ('support', 2, 'small', 'serving', current_date, now());
            insert into training_runs
                (run_key, backend, method, dataset_sha256, base, state, job_id, usd)
            values ('run-1', 'openai', 'sft', '', 'small', 'running', 'ftjob-1', 2.5);
            """
        )
    shown = openbook("status")
    assert shown.exit_code == 1
    for line in (
        "model support@2: serves answer until",
        "training run-1 of small: running since",
        "30 days cost $0.00 for documents, $0.00 for reembedding, $2.50 for training",
        "problem: drop: the last run failed: no disk",
        "problem: support@2 serves, and what it was trained on was forgotten",
        "problem: support@2 serves, and its provider has shut it down",
    ):
        assert line in shown.output
    (source,) = json.loads(openbook("status", "--json").stdout)["sources"]
    assert source["lag_seconds"] >= 3600


def test_the_other_commands_answer_programs_too(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    assert [source["root"] for source in as_json("sources")] == [str(book.drop)]
    assert as_json("models")["embedding"][0]["covered"] == 2
    assert as_json("verify") == {"mended": {}, "failed": [], "found": {}}
    assert as_json("migrate", "--check") == {"pending": []}
    assert as_json("migrate")["applied"] == []
    forgotten = openbook("forget", "tides.md", "--json")
    assert json.loads(forgotten.stdout)["removed"]["tides.md"]["documents"] == 1
    assert f"{book.drop / 'tides.md'} still lies there" in forgotten.stderr
    assert openbook("sql", "--dsn").output.strip() == book.settings.database_url


def test_psql_is_given_the_password_where_no_other_process_reads_it(book: Book) -> None:
    address = make_conninfo(book.settings.database_url or "", password="hush-hush")
    told = subprocess.run(
        [sys.executable, "-m", "flows.cli", "sql", "-Atc",
         "\\! tr '\\0' ' ' < /proc/$PPID/cmdline; echo; echo password is $PGPASSWORD"],
        env={**os.environ, "OPENBOOK_DATABASE_URL": address},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    arguments, environment = told.splitlines()
    assert "dbname=" in arguments
    assert "hush-hush" not in arguments
    assert environment == "password is hush-hush"


def test_maintenance_by_hand_needs_no_source(book: Book) -> None:
    assert as_json("verify", "--repair") == {"mended": {}, "failed": [], "found": {}}
    assert as_json("maintain")["mended"] == {}
    assert "nothing differed" in openbook("maintain", "--retention-days", "0").output


def test_verify_names_what_differs_and_the_exit_code_is_1(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    book.write("wind.md", TIDES)
    result = openbook("verify")
    assert result.exit_code == 1
    assert "wind.md" in result.output
    assert openbook("verify", "--repair").exit_code == 0


def test_reembed_says_the_price_first(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    assert as_json("reembed", "--plan") == {
        "model": "hashing-256",
        "texts": 0,
        "tokens": 0,
        "usd": 0,
    }
    assert "hashing-256: 0 texts to embed, 0 tokens, about $0.00" in openbook("reembed").output


def test_a_model_that_serves_cannot_be_dropped(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    assert openbook("models", "drop", "hashing-256").exit_code == 1
    with book.connect() as connection:
        connection.execute("select openbook.add_model('b', 2, 512)")
    assert as_json("models", "drop", "b") == {"model": "b", "dropped": 0}
