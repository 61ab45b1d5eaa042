"""The ingest flow: what a folder's history does to the book."""

from __future__ import annotations

import json
import os
import shutil
import threading
from contextlib import closing
from contextvars import copy_context

import pytest
from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact as ArtifactRecord
from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort

from flows.ingest import ingest as ingest_flow
from tasks.database import connect, hold
from tasks.errors import Fatal, Retryable
from tests.book import Book

TIDES = (
    "# Tides\n\nThe spring tide follows the new moon.\n\n# Wind\n\nThe trade wind blows steady.\n"
)


def test_a_first_run_makes_every_file_searchable(book: Book) -> None:
    book.write("sea/tides.md", TIDES)
    book.write("land/peat.txt", "Peat forms where plants rot in water.\n")
    report = book.ingest()
    assert (report["seen"], report["new"], report["rejected"]) == (2, 2, [])
    assert report["embedded"] == report["chunks"] == 3
    hit = book.search("spring tide")[0]
    assert (hit.path, hit.title, hit.text) == (
        "sea/tides.md",
        "Tides",
        "The spring tide follows the new moon.",
    )


def test_a_second_run_finds_nothing_to_do_and_writes_no_row(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    before = book.row_versions()
    report = book.ingest()
    assert report["unchanged"] == report["seen"] == 1
    assert report["embedded"] == report["chunks"] == 0
    assert book.row_versions() == before


def test_an_edit_embeds_only_the_texts_that_changed(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    book.write("tides.md", TIDES.replace("steady", "hard"))
    report = book.ingest()
    assert (report["changed"], report["embedded"], report["reused"]) == (1, 1, 1)
    assert [hit.text for hit in book.search("trade wind", mode="keyword")] == [
        "The trade wind blows hard."
    ]


def test_an_edit_that_leaves_size_and_mtime_alone_is_seen(book: Book) -> None:
    path = book.write("tides.md", TIDES)
    status = path.stat()
    book.ingest()
    book.write("tides.md", TIDES.replace("steady", "slowly"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert book.ingest()["changed"] == 1


def test_a_touched_file_is_unchanged(book: Book) -> None:
    path = book.write("tides.md", TIDES)
    book.ingest()
    os.utime(path, ns=(1, 1))
    report = book.ingest()
    assert (report["changed"], report["unchanged"], report["chunks"]) == (0, 1, 0)


@pytest.mark.parametrize("target", ["currents.md", "deep/er/tides.md"])
def test_a_renamed_or_moved_file_keeps_its_identity_and_buys_nothing(
    book: Book, target: str
) -> None:
    path = book.write("tides.md", TIDES)
    book.ingest()
    before = book.search("spring tide")[0]
    (book.drop / target).parent.mkdir(parents=True, exist_ok=True)
    path.rename(book.drop / target)
    report = book.ingest()
    assert (report["renamed"], report["new"], report["deleted"]) == (1, 0, 0)
    assert report["embedded"] == 0
    after = book.search("spring tide")[0]
    assert (after.path, after.document_id) == (target, before.document_id)


def test_a_copied_file_buys_nothing(book: Book) -> None:
    path = book.write("tides.md", TIDES)
    book.ingest()
    shutil.copy(path, book.drop / "copy.md")
    report = book.ingest()
    assert (report["new"], report["embedded"], report["reused"]) == (1, 0, 2)
    hits = book.search("spring tide", mode="keyword")
    assert {hit.path for hit in hits} == {"tides.md", "copy.md"}


def test_a_deleted_file_leaves_search_and_a_restored_one_buys_nothing(book: Book) -> None:
    path = book.write("tides.md", TIDES)
    book.write("peat.txt", "Peat forms where plants rot in water.\n")
    book.ingest()
    path.unlink()
    assert book.ingest()["deleted"] == 1
    assert "tides.md" not in {hit.path for hit in book.search("spring tide")}
    book.write("tides.md", TIDES)
    report = book.ingest()
    assert (report["new"], report["embedded"]) == (1, 0)
    assert book.search("spring tide")[0].path == "tides.md"


def test_a_reverted_file_buys_nothing(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    book.write("tides.md", TIDES.replace("steady", "hard"))
    book.ingest()
    book.write("tides.md", TIDES)
    report = book.ingest()
    assert (report["changed"], report["embedded"]) == (1, 0)


def test_one_bad_file_is_rejected_with_a_reason_and_stops_no_other(book: Book) -> None:
    book.write("broken.docx", b"PK\x03\x04 this is no archive")
    book.write("empty.md", "")
    book.write("tides.md", TIDES)
    report = book.ingest()
    assert report["new"] == 1
    rejected = {one["path"]: one["reason"] for one in report["rejected"]}
    assert set(rejected) == {"broken.docx", "empty.md"}
    assert all(rejected.values())


def test_a_rejected_file_keeps_its_last_good_version(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    book.write("tides.md", "")
    report = book.ingest()
    assert [one["path"] for one in report["rejected"]] == ["tides.md"]
    assert book.search("spring tide")[0].path == "tides.md"
    book.write("tides.md", TIDES)
    report = book.ingest()
    assert (report["rejected"], report["embedded"]) == ([], 0)


def test_links_pipes_and_unknown_formats_are_rejected_and_never_followed(book: Book) -> None:
    book.write("tides.md", TIDES)
    (book.drop / "passwd.txt").symlink_to("/etc/passwd")
    os.mkfifo(book.drop / "pipe.md")
    report = book.ingest()
    assert {one["path"] for one in report["rejected"]} == {"passwd.txt", "pipe.md"}
    assert report["new"] == 1


@pytest.mark.parametrize(
    "name", [b"new\nline.md", b"latin-\xe9.md", b"back\\slash.md", b"a" * 252 + b".md"]
)
def test_every_file_name_the_kernel_allows_is_read(book: Book, name: bytes) -> None:
    with open(os.path.join(os.fsencode(book.drop), name), "w") as file:
        file.write(TIDES)
    assert book.ingest()["new"] == 1
    assert book.ingest()["unchanged"] == 1


def test_a_folder_that_lists_empty_removes_nothing(book: Book) -> None:
    path = book.write("tides.md", TIDES)
    book.ingest()
    path.unlink()
    with pytest.raises(Fatal, match="nothing was removed"):
        book.ingest()
    assert book.search("spring tide")[0].path == "tides.md"
    assert book.ingest(allow_mass_delete=True)["deleted"] == 1


def test_a_folder_that_lost_most_of_its_files_removes_nothing(book: Book) -> None:
    paths = [book.write(f"{n}.md", f"# Note {n}\n\nIts text is {n}.\n") for n in range(12)]
    book.ingest()
    for path in paths[:8]:
        path.unlink()
    with pytest.raises(Fatal, match="8 of 12 documents are gone"):
        book.ingest()
    assert len(book.search("note", k=20, mode="keyword")) == 12


def test_one_run_a_source_works_at_a_time(book: Book) -> None:
    for n in range(40):
        book.write(f"{n}.md", f"# Note {n}\n\nIts text is {n}.\n")
    outcomes: list[object] = []

    def run() -> None:
        try:
            outcomes.append(book.ingest()["new"])
        except Retryable as error:
            outcomes.append(error.message)

    threads = [threading.Thread(target=copy_context().run, args=[run]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 40 in outcomes
    assert all(other == 0 or "is held by" in str(other) for other in outcomes if other != 40)


def test_a_run_that_died_is_marked_abandoned_and_the_next_one_carries_on(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    with book.connect() as connection:
        connection.execute("update runs set outcome = 'running', finished_at = null")
    report = book.ingest()
    assert report["outcome"] == "done"
    with book.connect() as connection:
        rows = connection.execute("select outcome from runs order by id").fetchall()
    assert rows == [("abandoned",), ("done",)]


def test_a_run_leaves_its_table_and_its_rejected_files_as_artifacts(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.write("empty.md", "")
    book.ingest()
    table = Artifact.get("ingest-drop")
    assert table is not None
    (row,) = json.loads(str(table.data))
    assert (row["seen"], row["new"], row["rejected"]) == (2, 1, 1)
    rejected = Artifact.get("ingest-drop-rejected")
    assert rejected is not None
    assert "| empty.md |" in str(rejected.data)


def test_a_run_is_named_for_what_it_did_and_one_without_work_leaves_no_page(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    pages = [one.id for one in artifacts("ingest-drop")]
    book.ingest()
    assert [one.id for one in artifacts("ingest-drop")] == pages
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC)
    names = [one.name for one in runs if one.name.startswith("drop: ")]
    assert names[:2] == ["drop: nothing new", "drop: 1 new"]
    (made,) = artifacts("ingest-drop-documents")[:1]
    assert "| tides.md | new | 2 |" in str(made.data)


def artifacts(key: str) -> list[ArtifactRecord]:
    """The artifacts of that key, the newest first."""
    with get_client(sync_client=True) as client:
        return client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])),
            sort=ArtifactSort.CREATED_DESC,
        )


def test_a_deployed_run_stands_back_where_another_holds_the_source(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "0")
    with closing(connect(book.settings, autocommit=True)) as connection:
        row = connection.execute("select id from sources").fetchone()
        assert row is not None
        with hold(connection, "ingest", row[0]):
            state = ingest_flow(folder=str(book.drop), return_state=True)
    assert state.is_cancelled()
    assert "is held by" in str(state.message)


def test_overlapping_folders_are_refused(book: Book) -> None:
    book.write("sea/tides.md", TIDES)
    book.ingest()
    with pytest.raises(Fatal, match="overlaps the source"):
        book.ingest(book.drop / "sea")
