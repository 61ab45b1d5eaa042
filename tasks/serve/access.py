"""Who asks: bearer tokens, and what each of them may see."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from tasks.errors import Fatal, Rejected
from tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """What one caller may see.

    `principals` are the users and groups whose documents it sees, beside public ones; None: what
    the server's own login sees. `collections` are the ones that exist for it; None: all.
    """

    name: str
    principals: tuple[str, ...] | None
    collections: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: the sha256 of the secret, never the secret."""

    name: str
    sha256: str
    principals: tuple[str, ...] | None
    collections: tuple[str, ...] | None
    created_at: str

    @property
    def access(self) -> Access:
        """What its bearer may see."""
        return Access(self.name, self.principals, self.collections)


ANYONE = Access("anyone", principals=None, collections=None)
"""Who asks a server that has no tokens, and is therefore reached from its own machine alone."""


def tokens_file(settings: Settings) -> Path:
    """Where the tokens are kept."""
    return settings.tokens or settings.home / "tokens.json"


def read_tokens(file: Path) -> list[Token]:
    """The tokens in the file, none where there is no file. Raises Fatal for a broken one."""
    try:
        entries = json.loads(file.read_bytes())
        if not isinstance(entries, list):
            raise ValueError("it holds no list")  # noqa: TRY004 (as any other broken file)
        return [
            Token(
                name=_text(entry["name"]),
                sha256=_text(entry["sha256"]),
                principals=_names(entry["principals"]),
                collections=_names(entry["collections"]),
                created_at=_text(entry["created_at"]),
            )
            for entry in entries
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Fatal(
            f"the tokens in {file} cannot be read: {error!r}",
            "Mend the file, or remove it and give out new tokens with `openbook tokens add`.",
        ) from None


def add_token(
    file: Path,
    name: str,
    *,
    principals: Iterable[str] | None,
    collections: Iterable[str] | None,
) -> str:
    """Keep a new token; its secret, which is nowhere else. Raises Rejected for a name in use."""
    kept = read_tokens(file)
    if any(token.name == name for token in kept):
        raise Rejected(
            f"there is a token {name!r} already",
            f"Choose another name, or end that one: `openbook tokens revoke {name}`.",
        )
    secret = "ob-" + secrets.token_urlsafe(32)
    token = Token(
        name=name,
        sha256=_digest(secret),
        principals=None if principals is None else tuple(principals),
        collections=None if collections is None else tuple(collections),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    _write(file, [*kept, token])
    return secret


def revoke_token(file: Path, name: str) -> None:
    """End a token, for running servers as well. Raises Rejected for an unknown name."""
    kept = read_tokens(file)
    left = [token for token in kept if token.name != name]
    if len(left) == len(kept):
        raise Rejected(f"there is no token {name!r}", "`openbook tokens list` names them.")
    _write(file, left)


class Doorkeeper:
    """Tells who asks, by the tokens that the file holds at the moment.

    Without any token, everyone is `ANYONE`. Once a token was seen, a token is asked for, whatever
    becomes of the file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()
        self._seen: tuple[int, int, int] | None = None
        self._tokens: list[Token] = []
        self.locked = False
        self.refresh()

    def admit(self, secret: str | None) -> Access | None:
        """What the bearer of the secret may see; None: nothing, as the token is unknown."""
        self.refresh()
        if not self.locked:
            return ANYONE
        digest = _digest(secret or "")
        found = [token for token in self._tokens if hmac.compare_digest(token.sha256, digest)]
        return found[0].access if found else None

    def refresh(self) -> None:
        """Read the file again if it is another; raises Fatal for a broken one."""
        try:
            status = self._file.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        except FileNotFoundError:
            seen = None
        with self._lock:
            if seen != self._seen:
                self._tokens = []  # a file that cannot be read admits nobody
                self._tokens = read_tokens(self._file)
                self._seen = seen
            self.locked = self.locked or bool(self._tokens)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004
    return value


def _names(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list of names")  # noqa: TRY004
    return tuple(_text(name) for name in value)


def _write(file: Path, tokens: list[Token]) -> None:
    """Replace the file whole, so that a server never reads half of it; nobody else can read it."""
    entries: list[Mapping[str, object]] = [asdict(token) for token in tokens]
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, fresh = tempfile.mkstemp(dir=file.parent, prefix=".tokens-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(entries, stream, indent=2)
        Path(fresh).replace(file)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
