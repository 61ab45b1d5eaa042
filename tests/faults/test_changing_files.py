"""What others do to the folder and to the book while a run is at work."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest

from tasks.retrieve.search import search
from tasks.settings import Settings
from tests.faults import folder
from tests.faults.conftest import Lab, meanwhile

ONE_BY_ONE = {"OPENBOOK_BATCH_FILES": "1"}


class Background:
    """Does something over and over, in a thread, for the length of the block."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._repeat)
        self.error: BaseException | None = None
        self.times = 0

    def _repeat(self) -> None:
        try:
            while not self._over.is_set():
                self._act()
                self.times += 1
        except BaseException as error:
            self.error = error

    def __enter__(self) -> Background:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self.error:
            raise self.error


def test_a_reader_sees_each_document_old_or_new_never_neither_never_both(
    lab: Lab, record_property: pytest.RecordProperty
) -> None:
    names = [f"{n:02}.md" for n in range(12)]

    def write_all(generation: int) -> None:
        for n, name in enumerate(names):
            mark = f"mark{1000 * generation + n}"
            folder.write(lab.drop, name, f"# Page {n}\n\n{folder.paragraph(mark)}\n")

    write_all(1)
    assert lab.ingest().error is None, lab.output()
    settings = Settings.load(lab.environment)
    last = dict.fromkeys(names, 1)
    with lab.connect() as connection:
        connection.autocommit = True

        def look() -> None:
            hits = search("heron silver fish", k=50, settings=settings, connection=connection)
            assert Counter(hit.path for hit in hits) == Counter(names)
            for hit in hits:
                (mark,) = folder.marks(hit.text)
                generation = int(mark.removeprefix("mark")) // 1000
                assert generation >= last[hit.path], "a reader was sent back in time"
                last[hit.path] = generation

        look()
        with Background(look) as reader:
            for generation in (2, 3, 4):
                write_all(generation)
                assert lab.ingest(environment=ONE_BY_ONE).error is None, lab.output()
        look()
    assert set(last.values()) == {4}
    assert reader.times > 10
    record_property("looks of a reader during three runs", reader.times)


@pytest.mark.faults
def test_a_file_replaced_without_pause_is_stored_as_it_was_at_one_moment(lab: Lab) -> None:
    written: dict[bytes, set[str]] = {}
    marks = count(1000)

    def replace() -> None:
        text = folder.page("Busy", [f"mark{next(marks)}" for _ in range(40)])
        written[hashlib.sha256(text.encode()).digest()] = folder.marks(text)
        folder.write(lab.drop, ".next", text).rename(lab.drop / "busy.md")
        time.sleep(0.002)

    folder.write(lab.drop, "calm.md", folder.page("Calm", ["mark1"]))
    with Background(replace):
        for _ in range(3):
            assert lab.ingest(environment=ONE_BY_ONE).error is None, lab.output()
            lab.assert_sound()
    lab.assert_recovers(folder.readable(lab.drop))
    with lab.connect() as connection:
        contents = connection.execute("select sha256, text from contents").fetchall()
    for sha256, text in contents:
        assert folder.marks(text) == written.get(bytes(sha256), {"mark1"})


def test_a_file_that_grows_while_it_is_read_is_read_again(lab: Lab) -> None:
    expected = folder.begin(lab.drop)
    path = lab.drop / "tides.md"
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    lab.endpoint.then(meanwhile(lambda: path.write_text(whole)))
    assert lab.ingest(environment=ONE_BY_ONE).error is None, lab.output()
    lab.assert_sound()
    lab.assert_recovers(expected)


@pytest.mark.faults
def test_files_changed_in_the_middle_of_a_run_are_caught_by_the_next(lab: Lab) -> None:
    lab.fall_behind()

    def change() -> None:
        folder.write(lab.drop, "breeze.md", folder.page("Breeze", ["mark50"]))
        folder.write(lab.drop, "tides.md", folder.page("Tides", ["mark1", "mark51"]))
        (lab.drop / "sedge.md").unlink()
        (lab.drop / "peat.md").rename(lab.drop / "rush.md")

    lab.endpoint.then(meanwhile(change))
    outcome = lab.ingest(environment=ONE_BY_ONE)
    assert outcome.error is None, lab.output()
    assert {"sedge.md", "tides.md"}.isdisjoint(
        one["path"] for one in outcome.reports[0]["rejected"]
    )
    lab.assert_sound()
    lab.assert_recovers(folder.readable(lab.drop) | {"moss.md": {"mark8"}})


@pytest.mark.faults
def test_a_folder_that_vanishes_in_the_middle_of_a_run_removes_nothing(lab: Lab) -> None:
    expected = lab.fall_behind()
    aside = lab.drop.with_name("aside")
    lab.endpoint.then(meanwhile(lambda: lab.drop.rename(aside)))
    lab.ingest(environment=ONE_BY_ONE)
    lab.assert_sound()
    assert "is not a folder" in str(lab.ingest().error)
    with lab.connect() as connection:
        found = folder.marks(str(connection.execute("select body from passages").fetchall()))
    assert {"mark8", "mark6"} <= found
    aside.rename(lab.drop)
    lab.assert_recovers(expected)


@pytest.mark.faults
@pytest.mark.parametrize("days", [-1, 1], ids=["a day slow", "a day fast"])
def test_a_clock_that_is_wrong_hides_no_edit(days: int, lab: Lab) -> None:
    path = folder.write(lab.drop, "tides.md", folder.page("Tides", ["mark1"]))
    stamp = time.time() + days * 86400
    os.utime(path, (stamp, stamp))
    assert lab.ingest().error is None, lab.output()
    folder.write(lab.drop, "tides.md", folder.page("Tides", ["mark2"]))
    os.utime(path, (stamp, stamp))
    lab.assert_recovers({"tides.md": {"mark2"}})
