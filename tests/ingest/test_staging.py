"""Copies of files lie in folders that their run holds, and that nobody else sweeps."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tasks.ingest.read import staging

DAYS = 2 * 24 * 3600


def backdate(folder: Path) -> None:
    stamp = time.time() - DAYS
    os.utime(folder, (stamp, stamp))


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / "staging" / "left"
    left.mkdir(parents=True)
    (left / "copy.md").write_text("words")
    backdate(left)
    with staging(tmp_path) as own:
        assert list((tmp_path / "staging").iterdir()) == [own]
    assert list((tmp_path / "staging").iterdir()) == []


def test_what_a_run_is_at_work_on_stays_however_old_a_clock_makes_it(tmp_path: Path) -> None:
    with staging(tmp_path) as first:
        (first / "copy.md").write_text("words")
        backdate(first)
        with staging(tmp_path):
            pass
        assert (first / "copy.md").read_text() == "words"


def test_what_another_run_is_about_to_lock_stays(tmp_path: Path) -> None:
    fresh = tmp_path / "staging" / "fresh"
    fresh.mkdir(parents=True)
    with staging(tmp_path):
        assert fresh.exists()
