"""What one walk of a folder does to the documents' state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from tasks.errors import Fatal
from tasks.ingest.runs import register_source
from tasks.ingest.scan import Scan, scan, walk
from tasks.records import decode_path, encode_path


@given(st.binary(min_size=1, max_size=255))
def test_every_file_name_survives_the_database(name: bytes) -> None:
    text = encode_path(name)
    assert decode_path(text) == name
    text.encode()


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_different_names_stay_different(one: bytes, other: bytes) -> None:
    assert (encode_path(one) == encode_path(other)) == (one == other)


def test_the_walk_names_every_file_once_and_leaves_hidden_ones_out(tmp_path: Path) -> None:
    for name in ("a.md", "b/c.md", "b/d/e.md", ".git/config", "b/.hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    assert sorted(entry.path for entry in walk(tmp_path, 100)) == ["a.md", "b/c.md", "b/d/e.md"]


def test_what_must_not_be_opened_is_an_entry_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "large.md").write_bytes(bytes(101))
    problems = {entry.path: entry.problem for entry in walk(tmp_path, 100)}
    assert problems == {
        "link.md": "is a symbolic link",
        "pipe.md": "is not a regular file",
        "large.md": "has 101 bytes, over the limit of 100",
    }


class Folder:
    """A source's folder, scanned into the database; what is pending counts as read."""

    def __init__(self, connection: Connection, root: Path) -> None:
        self.connection = connection
        self.root = root
        self.source = register_source(connection, root)

    def scan(self, recipe: str = "r1", max_delete_share: float | None = 0.5) -> Scan:
        return scan(
            self.connection,
            self.source.id,
            self.root,
            recipe=recipe,
            max_bytes=1 << 20,
            max_delete_share=max_delete_share,
        )

    def settle(self) -> None:
        self.connection.execute("update documents set status = 'current' where status = 'pending'")
        self.connection.commit()

    def states(self) -> dict[str, str]:
        rows = self.connection.execute("select path, status from documents").fetchall()
        return dict(rows)


@pytest.fixture
def folder(connection: Connection, tmp_path: Path) -> Folder:
    root = tmp_path / "drop"
    root.mkdir()
    return Folder(connection, root)


def test_new_files_are_pending_until_they_are_read(folder: Folder) -> None:
    (folder.root / "a.md").write_text("one")
    assert folder.scan() == Scan(seen=1, pending=1, renamed=0, deleted=0)
    folder.settle()
    assert folder.scan() == Scan(seen=1, pending=0, renamed=0, deleted=0)


def test_another_recipe_makes_every_document_pending(folder: Folder) -> None:
    (folder.root / "a.md").write_text("one")
    folder.scan()
    folder.settle()
    assert folder.scan(recipe="r2").pending == 1


def test_equal_files_that_move_together_are_all_renames(folder: Folder) -> None:
    for name in ("a.md", "b.md", "c.md"):
        (folder.root / name).write_text("the same")
    folder.scan()
    folder.settle()
    (folder.root / "new").mkdir()
    for name in ("a.md", "b.md", "c.md"):
        (folder.root / name).rename(folder.root / "new" / name)
    assert folder.scan() == Scan(seen=3, pending=0, renamed=3, deleted=0)
    assert set(folder.states()) == {"new/a.md", "new/b.md", "new/c.md"}


def test_a_file_with_a_new_suffix_is_read_again(folder: Folder) -> None:
    path = folder.root / "a.md"
    path.write_text("# one")
    (folder.root / "b.md").write_text("two")
    folder.scan()
    folder.settle()
    path.rename(folder.root / "a.txt")
    assert folder.scan() == Scan(seen=2, pending=1, renamed=0, deleted=1)


def test_two_files_that_swap_names_are_both_read_again(folder: Folder) -> None:
    one, two = folder.root / "1.md", folder.root / "2.md"
    one.write_text("one")
    two.write_text("two")
    folder.scan()
    folder.settle()
    one.rename(folder.root / "x")
    two.rename(one)
    (folder.root / "x").rename(two)
    assert folder.scan() == Scan(seen=2, pending=2, renamed=0, deleted=0)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_nothing_is_removed_below_a_folder_that_cannot_be_listed(folder: Folder) -> None:
    (folder.root / "deep").mkdir()
    (folder.root / "deep/a.md").write_text("one")
    (folder.root / "b.md").write_text("two")
    folder.scan()
    folder.settle()
    (folder.root / "deep").chmod(0)
    try:
        assert folder.scan().deleted == 0
        assert folder.states()["deep"] == "rejected"
    finally:
        (folder.root / "deep").chmod(0o700)


def test_a_missing_folder_removes_nothing(folder: Folder) -> None:
    (folder.root / "a.md").write_text("one")
    folder.scan()
    folder.settle()
    folder.root.rename(folder.root.with_name("unmounted"))
    with pytest.raises(Fatal, match="cannot be listed"):
        folder.scan()
    folder.connection.rollback()
    assert folder.states() == {"a.md": "current"}


def test_all_documents_may_change_after_one_did(connection: Connection) -> None:
    """Rows before and after an update are not compared pair by pair."""
    connection.execute("insert into sources (collection_id, name, root) values (1, 's', '/s')")
    connection.execute(
        "insert into documents (source_id, path) select 1, n::text from generate_series(1, 30000) n"
    )
    connection.execute("update documents set attempts = 1 where path = '1'")
    connection.execute("set local statement_timeout = '20s'")
    changed = connection.execute("update documents set attempts = 2").rowcount
    assert changed == 30_000
