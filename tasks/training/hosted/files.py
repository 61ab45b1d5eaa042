"""Files at a provider: each content is uploaded once, for however many runs."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import Connection

from tasks.database import hold, query
from tasks.errors import Rejected, Retryable
from tasks.training.hosted.export import TrainingFile
from tasks.training.hosted.once import buy
from tasks.training.hosted.provider import Provider

_BEING_READ = {"pending", "running", "queued", "processing"}
"""Providers that look into a file before they train on it say so by one of these."""


def upload(connection: Connection, provider: Provider, run: int, file: TrainingFile) -> str:
    """The provider's id of a file, which is uploaded if it has none.

    Raises Rejected when the run had another file for this split, or the provider cannot use it;
    Retryable while it is still reading it, or an earlier upload may still arrive.
    """
    purchase = Upload(connection, provider, run, file)
    with hold(connection, "training file", file.sha256) as held:
        if not held:
            raise Retryable(f"another run is uploading {file.path.name}", "Run it again later.")
        file_id = _recorded(connection, run, file)
        known = provider.file(file_id) if file_id else None
        if file_id is None or known is None:
            if file_id:
                purchase.withdraw()
            file_id = buy(provider, purchase)
            known = provider.file(file_id)
    status = getattr(known, "status", None)
    if status == "error":
        raise Rejected(f"{provider.url} cannot use {file.path.name}", "See what it says of it.")
    if status in _BEING_READ:
        raise Retryable(f"{provider.url} is still reading {file.path.name}", "Run it again later.")
    return file_id


def uploaded(connection: Connection, run: int) -> dict[str, str]:
    """The ids of a run's files, by split, as far as they are known."""
    rows = connection.execute(
        "select split, file_id from openbook.training_files"
        " where training_run_id = %s and file_id is not null",
        [run],
    ).fetchall()
    connection.commit()
    return dict(rows)


@dataclass(slots=True)
class Upload:
    """The purchase of a file's place at a provider."""

    connection: Connection
    provider: Provider
    run: int
    file: TrainingFile

    @property
    def name(self) -> str:
        """What is bought, for messages."""
        return f"the file {self.file.path.name}"

    def find(self) -> str | None:
        """A usable file of that content, told by its name, which has the hash, and its size."""
        for one in self.provider.files():
            same = one.filename == self.file.name and one.bytes == self.file.bytes
            if same and one.purpose == "fine-tune" and one.status not in ("error", "deleted"):
                return one.id
        return None

    def sent(self) -> float | None:
        """Seconds since the last intent, of any run, that came to no id."""
        row = self.connection.execute(query("training_file_sent"), self._key).fetchone()
        self.connection.commit()
        return None if row is None else float(row[0])

    def intend(self) -> None:
        """Leave the file's row without an id."""
        self.connection.execute(query("training_file_intend"), self._key)
        self.connection.commit()

    def send(self) -> str:
        """Upload it."""
        with self.file.path.open("rb") as content:
            return self.provider.upload(self.file.name, content).id

    def record(self, bought: str) -> None:
        """Give the file's row its id."""
        self.connection.execute(query("training_file_record"), {**self._key, "file_id": bought})
        self.connection.commit()

    def withdraw(self) -> None:
        """Take the row back."""
        self.connection.execute(query("training_file_withdraw"), self._key)
        self.connection.commit()

    @property
    def _key(self) -> dict[str, object]:
        return {
            "run": self.run,
            "split": self.file.split,
            "sha256": bytes.fromhex(self.file.sha256),
        }


def _recorded(connection: Connection, run: int, file: TrainingFile) -> str | None:
    row = connection.execute(
        "select encode(sha256, 'hex'), file_id from openbook.training_files"
        " where training_run_id = %s and split = %s",
        [run, file.split],
    ).fetchone()
    connection.commit()
    if row is None:
        return None
    if row[0] != file.sha256:
        raise Rejected(
            f"the run was begun with another {file.split} file than {file.path}",
            "Begin another run for it.",
        )
    return None if row[1] is None else str(row[1])
