"""Keyed hashes: who said something, and whether it was stored before, without a name in sight."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from tasks.errors import Fatal
from tasks.settings import Settings

_FILE = "pseudonym.key"
_LEAST_CHARACTERS = 16


@dataclass(frozen=True, slots=True, repr=False)
class Pseudonyms:
    """Pseudonyms under one key: the same id, the same one; nobody can try without it."""

    key: bytes

    def user(self, raw: str) -> str:
        """The pseudonym of a user's id: 32 hexadecimal digits."""
        return self.hash(raw.encode(errors="replace"), b"user").hex()

    def tenant(self, raw: str) -> str:
        """The pseudonym of a tenant's id: 32 hexadecimal digits."""
        return self.hash(raw.encode(errors="replace"), b"tenant").hex()

    def hash(self, value: bytes, purpose: bytes) -> bytes:
        """16 bytes by keyed BLAKE2b (RFC 7693); those of other purposes do not compare."""
        return blake2b(value, digest_size=16, key=self.key, person=purpose).digest()


def pseudonyms(settings: Settings) -> Pseudonyms:
    """Pseudonyms under the configured key, else under the one kept in OPENBOOK_HOME.

    The kept key is made on first use. Several machines that share a database need the
    configured one. Raises Fatal for a key that is too short.
    """
    if settings.pseudonym_key is not None:
        if len(settings.pseudonym_key) < _LEAST_CHARACTERS:
            raise Fatal(
                f"OPENBOOK_PSEUDONYM_KEY has {len(settings.pseudonym_key)} characters",
                f"Give it {_LEAST_CHARACTERS} or more that nobody can guess.",
            )
        return Pseudonyms(blake2b(settings.pseudonym_key.encode()).digest())
    return Pseudonyms(_kept_key(settings.home / _FILE))


def _kept_key(file: Path) -> bytes:
    with suppress(FileNotFoundError):
        return file.read_bytes()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secrets.token_bytes(64))
        os.fsync(stream.fileno())
    with suppress(FileExistsError):
        os.link(fresh, file)  # the first of several processes wins
    fresh.unlink()
    return file.read_bytes()
