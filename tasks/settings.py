"""The only reader of the environment: `OPENBOOK_*` variables, else a `.env` file in the folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from dotenv import dotenv_values

from tasks.errors import Fatal

_LEAST_CHUNK_TOKENS = 32
LOGS = ("text", "json")
RERANKERS = ("off", "late")
TASK_RUNNERS = ("thread", "process", "dask", "ray")
EMBEDDERS = ("minilm", "openai", "hashing")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured; each field is the variable `OPENBOOK_<FIELD>`."""

    home: Path = Path.home() / ".openbook"
    """Where the embedded servers, the model cache and staged files live."""
    database_url: str | None = field(default=None, repr=False)
    """A PostgreSQL 15+ with pgvector 0.8.4+; unset: the embedded server under `home`."""
    search_url: str | None = field(default=None, repr=False)
    """Where searches read: a hot standby or a pooler; unset: the database itself."""
    embedder: str = "minilm"
    """`minilm` (offline), `openai` (any OpenAI-compatible endpoint) or `hashing` (tests only)."""
    embedding_model: str = "text-embedding-3-small"
    """The model name sent to the endpoint; only for `openai`."""
    embedding_url: str | None = None
    """The endpoint's base URL, such as `http://host:8000/v1`; unset: OpenAI's own."""
    embedding_key: str | None = field(default=None, repr=False)
    """The endpoint's key; unset: `OPENAI_API_KEY`, for OpenAI's own endpoint alone."""
    embedding_dimensions: int | None = None
    """Ask the endpoint for shortened vectors of this many dimensions; unset: the model's own."""
    reranker: str = "off"
    """What puts the best hits in order: `off`, `late`, a cross-encoder's folder, or a URL."""
    rerank_hits: int = 10
    """How many of the best hits are reranked."""
    rerank_model: str | None = None
    """The model name sent to the rerank endpoint; unset: none is sent."""
    rerank_key: str | None = field(default=None, repr=False)
    """The rerank endpoint's key."""
    chunk_tokens: int = 256
    """The largest chunk, in the embedding model's tokens, title and section path included."""
    batch_files: int = 200
    """How many files one task run takes."""
    task_runner: str = "thread"
    """Where batches run: `thread`, `process`, `dask` or `ray`."""
    cluster_address: str | None = None
    """The Dask scheduler or Ray head; unset: a cluster of this machine, for the run alone."""
    parse_workers: int = os.cpu_count() or 1
    """How many parser processes run side by side."""
    parse_seconds: float = 60.0
    """The longest that one file may take to parse."""
    parse_megabytes: int = 2048
    """The most memory that one parser process may take."""
    file_megabytes: int = 512
    """The largest file that is read; larger ones are rejected."""
    max_delete_share: float = 0.5
    """A run stops before it removes more than this share of a source's documents."""
    context_model: str | None = None
    """The chat model that says of each chunk where it stands in its document; unset: none does."""
    context_url: str | None = None
    """Its endpoint's base URL; unset: OpenAI's own."""
    context_key: str | None = field(default=None, repr=False)
    """The endpoint's key; unset: `OPENAI_API_KEY`, for OpenAI's own endpoint alone."""
    answer_model: str | None = None
    """The chat model that answers questions and writes RAFT datasets' answers; unset: none does."""
    answer_url: str | None = None
    """Its endpoint's base URL; unset: OpenAI's own."""
    answer_key: str | None = field(default=None, repr=False)
    """The endpoint's key; unset: `OPENAI_API_KEY`, for OpenAI's own endpoint alone."""
    answer_window: int = 8192
    """How many tokens it reads and writes at once."""
    train_url: str | None = None
    """The base URL of a provider that trains, for the backend `openai`; unset: OpenAI's own."""
    train_key: str | None = field(default=None, repr=False)
    """The provider's key; unset: `OPENAI_API_KEY`, for OpenAI's own endpoint alone."""
    judge_model: str | None = None
    """The chat model that compares answers for `openbook evaluate --judge`; unset: none does."""
    judge_url: str | None = None
    """Its endpoint's base URL; unset: OpenAI's own."""
    judge_key: str | None = field(default=None, repr=False)
    """The endpoint's key; unset: `OPENAI_API_KEY`, for OpenAI's own endpoint alone."""
    tokens: Path | None = None
    """The file of who may ask `serve`; unset: `tokens.json` in `home`."""
    deployments: Path | None = None
    """The file of deployments that `deploy` and `up` register; unset: deployments/prefect.yaml."""
    behind_hours: float = 24.0
    """How far a source may be behind, or a file wait, before `status` calls it a problem."""
    logs: str = "text"
    """How `serve` and flows started by hand log: `text`, or `json`, a line each with run ids."""
    retention_days: float = 90.0
    """How long what readers no longer see stays searchable as of a past time."""
    pseudonym_key: str | None = field(default=None, repr=False)
    """The secret that pseudonyms of users and tenants are made with; unset: one kept in `home`."""
    conversation_days: float | None = None
    """How long a conversation is kept after its last message; unset: for ever."""

    def reading(self) -> Settings:
        """These settings for who only searches: their database is the one of `search_url`."""
        return replace(self, database_url=self.search_url) if self.search_url else self

    @property
    def database_variable(self) -> str:
        """The variable that names the configured database of these settings."""
        searches = self.search_url is not None and self.search_url == self.database_url
        return f"OPENBOOK_{'SEARCH' if searches else 'DATABASE'}_URL"

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from `environ`, or from the process environment over `./.env`.

        Raises Fatal for a value that cannot be read, naming its variable.
        """
        if environ is None:
            environ = variables()
        given = {
            name: convert(f"OPENBOOK_{name.upper()}", value)
            for name, convert in _CONVERTERS.items()
            if (value := environ.get(f"OPENBOOK_{name.upper()}"))
        }
        for asked in ("embedding", "context", "answer", "train", "judge"):
            if f"{asked}_url" not in given:  # OpenAI's key is for nobody else
                given.setdefault(f"{asked}_key", environ.get("OPENAI_API_KEY") or None)
        settings = cls(**given)  # type: ignore[arg-type]
        least = _LEAST_CHUNK_TOKENS * (2 if settings.context_model else 1)
        if settings.chunk_tokens < least:
            raise Fatal(
                f"OPENBOOK_CHUNK_TOKENS is {settings.chunk_tokens}",
                f"Set it to {least} or more: a context and a body must have room.",
            )
        if settings.task_runner not in TASK_RUNNERS:
            raise Fatal(
                f"OPENBOOK_TASK_RUNNER is {settings.task_runner!r}",
                f"Set it to one of {', '.join(TASK_RUNNERS)}.",
            )
        if settings.logs not in LOGS:
            raise Fatal(
                f"OPENBOOK_LOGS is {settings.logs!r}", f"Set it to one of {', '.join(LOGS)}."
            )
        if settings.embedder not in EMBEDDERS:
            raise Fatal(
                f"OPENBOOK_EMBEDDER is {settings.embedder!r}",
                f"Set it to one of {', '.join(EMBEDDERS)}.",
            )
        return settings


def variables() -> dict[str, str]:
    """The process environment over `./.env`, as a process in another folder is to be given it."""
    dotenv = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    environ = {**dotenv, **os.environ}
    for field_name in (
        "home",
        "reranker",
        "deployments",
    ):  # which may be paths relative to this folder
        name = f"OPENBOOK_{field_name.upper()}"
        if value := environ.get(name):
            environ[name] = str(_CONVERTERS[field_name](name, value))
    return environ


def _text(_name: str, value: str) -> object:
    return value


def _path(_name: str, value: str) -> object:
    return Path(value).expanduser().absolute()


def _reranker(name: str, value: str) -> object:
    if value in RERANKERS or value.startswith(("http://", "https://")):
        return value
    folder = Path(value).expanduser().absolute()
    if not folder.is_dir():
        raise Fatal(
            f"{name} is {value!r}",
            f"Set it to {', '.join(RERANKERS)}, the folder of a cross-encoder, or a URL.",
        )
    return str(folder)


def _integer(name: str, value: str) -> object:
    try:
        number = int(value)
    except ValueError:
        raise Fatal(f"{name} is {value!r}", "Set it to a whole number.") from None
    if number < 1:
        raise Fatal(f"{name} is {value!r}", "Set it to 1 or more.")
    return number


def _number(name: str, value: str) -> object:
    try:
        number = float(value)
    except ValueError:
        raise Fatal(f"{name} is {value!r}", "Set it to a number.") from None
    if not 0 <= number < float("inf"):
        raise Fatal(f"{name} is {value!r}", "Set it to a number from 0.")
    return number


_CONVERTERS = {
    "home": _path,
    "database_url": _text,
    "search_url": _text,
    "embedder": _text,
    "embedding_model": _text,
    "embedding_url": _text,
    "embedding_key": _text,
    "embedding_dimensions": _integer,
    "reranker": _reranker,
    "rerank_hits": _integer,
    "rerank_model": _text,
    "rerank_key": _text,
    "chunk_tokens": _integer,
    "batch_files": _integer,
    "task_runner": _text,
    "cluster_address": _text,
    "parse_workers": _integer,
    "parse_seconds": _number,
    "parse_megabytes": _integer,
    "file_megabytes": _integer,
    "max_delete_share": _number,
    "context_model": _text,
    "context_url": _text,
    "context_key": _text,
    "answer_model": _text,
    "answer_url": _text,
    "answer_key": _text,
    "answer_window": _integer,
    "train_url": _text,
    "train_key": _text,
    "judge_model": _text,
    "judge_url": _text,
    "judge_key": _text,
    "tokens": _path,
    "deployments": _path,
    "behind_hours": _number,
    "logs": _text,
    "retention_days": _number,
    "pseudonym_key": _text,
    "conversation_days": _number,
}


@cache
def current() -> Settings:
    """The process's settings, read once."""
    return Settings.load()
