"""Keep folders searchable within seconds: look at them all the time, ingest when one changed.

`openbook up --watch` runs this in a process of its own, in which models and parsers stay loaded.
Looking is cheap and works on every file system; the flow does what a scheduled run does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from prefect import tags

from flows.ingest import ingest
from tasks.errors import OpenbookError, Retryable
from tasks.ingest.watch import fingerprint
from tasks.settings import Settings, current

_PAUSE_SECONDS = 0.5
_LOOK_SHARE = 0.1
"""The most of a processor that looking takes."""
_LONGEST_WAIT = 300.0


def watch(folders: Sequence[Path]) -> None:
    """Look and ingest until the process is told to end."""
    settings = current()
    seen: dict[Path, object] = {}
    due = dict.fromkeys(folders, 0.0)
    wait = dict.fromkeys(folders, 1.0)
    while True:
        started = time.monotonic()
        for folder in folders:
            now = _look(folder, settings)
            if now != seen.get(folder) and time.monotonic() >= due[folder]:
                if _ingest(folder):
                    seen[folder], wait[folder] = now, 1.0
                else:
                    due[folder] = time.monotonic() + wait[folder]
                    wait[folder] = min(_LONGEST_WAIT, 2 * wait[folder])
        took = time.monotonic() - started
        time.sleep(max(_PAUSE_SECONDS, took / _LOOK_SHARE))


def _look(folder: Path, settings: Settings) -> object:
    try:
        return fingerprint(folder, settings.file_megabytes << 20)
    except (OSError, OpenbookError) as error:
        return str(error)  # which the flow explains


def _ingest(folder: Path) -> bool:
    """Run the flow; whether it has nothing left to do until the folder changes again."""
    try:
        with tags("openbook"):  # by which automations know a run of ours
            report = ingest(folder=str(folder))
    except Exception as error:  # such as Prefect's server being away; others go on
        click.echo(f"{folder}: {error or type(error).__name__}", err=True)
        return isinstance(error, OpenbookError) and not isinstance(error, Retryable)
    return not report["pending"]


if __name__ == "__main__":
    watch([Path(folder) for folder in sys.argv[1:]])
