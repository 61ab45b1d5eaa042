"""Which deployments there are to be: those of `deployments/prefect.yaml`, some once a source.

Knows nothing of a server; `flows/register.py` brings one in step with this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml
from psycopg import Connection

from tasks.errors import Fatal
from tasks.evaluate.golden.store import golden_sets
from tasks.ingest.runs import sources
from tasks.settings import Settings

FILE = Path(__file__).resolve().parent.parent / "deployments" / "prefect.yaml"
_FORBIDDEN = re.compile(r"[/%&<>]+")


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment as the file has it; `entrypoint` is `module:flow`."""

    name: str
    entrypoint: str
    work_pool: Mapping[str, Any]
    description: str = ""
    tags: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    schedules: Sequence[Mapping[str, Any]] = ()
    concurrency_limit: Mapping[str, Any] | None = None


def deployments(connection: Connection, settings: Settings) -> list[Deployment]:
    """The deployments of the settings' file, those of `each` for every row of what they are for.

    Raises Fatal for a file that cannot be used, naming the deployment at fault.
    """
    file = settings.deployments or FILE
    content = _read(file)
    given = [_deployment(file, entry) for entry in content.get("deployments") or []]
    for kind, entries in (content.get("each") or {}).items():
        if kind not in _ROWS:
            raise Fatal(
                f"{file}: `each` names {kind!r}", f"It knows {', '.join(_ROWS)}; see its head."
            )
        for row in _ROWS[kind](connection, settings):
            given += [_deployment(file, _filled(entry, row)) for entry in entries]
    return list(_named_apart(given))


def _named_apart(given: Sequence[Deployment]) -> Iterator[Deployment]:
    """The same with a number behind the name of each that has another's."""
    taken: set[tuple[str, str]] = set()
    for one in given:
        name, number = one.name, 2
        while (one.entrypoint, name) in taken:
            name, number = f"{one.name}-{number}", number + 1
        taken.add((one.entrypoint, name))
        yield replace(one, name=name)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Fatal(
            f"{file} cannot be read: {error.strerror}", "Set OPENBOOK_DEPLOYMENTS to a file."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Fatal(f"{file} is no YAML: {error}", "Correct it there.") from None
    if not isinstance(content, dict):
        raise Fatal(f"{file} holds no `deployments`", f"See {FILE} for how one looks.")
    return content


def _deployment(file: Path, entry: Mapping[str, Any]) -> Deployment:
    known = {one.name for one in fields(Deployment)}
    missing = {"name", "entrypoint", "work_pool"} - entry.keys()
    if wrong := sorted(missing | (entry.keys() - known)):
        name = f"{entry.get('entrypoint', '?')} {entry.get('name', '?')}"
        what = "lacks" if missing else "has an unknown key"
        raise Fatal(f"{file}: the deployment {name} {what} {', '.join(wrong)}", "Correct it there.")
    return Deployment(**entry)


def _filled(value: Any, row: Mapping[str, str]) -> Any:
    """The entry with the row's values in place of their names in braces."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: row.get(found[1], found[0]), value)
    if isinstance(value, Mapping):
        filled = {key: _filled(one, row) for key, one in value.items()}
        if "entrypoint" in filled:  # Prefect allows fewer characters in a name than we do
            filled["name"] = _FORBIDDEN.sub("-", filled["name"]).strip("-") or "unnamed"
        return filled
    if isinstance(value, list):
        return [_filled(one, row) for one in value]
    return value


def _sources(connection: Connection, _settings: Settings) -> Iterator[dict[str, str]]:
    for source in sources(connection):
        yield {"name": source.name, "root": source.root}


def _golden_sets(connection: Connection, _settings: Settings) -> Iterator[dict[str, str]]:
    for one in golden_sets(connection):
        if one["judged"] and one["collection"]:  # what search can be asked
            yield {"name": one["name"]}


def _datasets(_connection: Connection, settings: Settings) -> Iterator[dict[str, str]]:
    return _specs(settings.home / "specs")


def _retraining(_connection: Connection, settings: Settings) -> Iterator[dict[str, str]]:
    return _specs(settings.home / "retrain")


def _specs(folder: Path) -> Iterator[dict[str, str]]:
    for spec in sorted(folder.glob("*")):
        if spec.suffix in {".yaml", ".yml", ".json"}:
            yield {"name": spec.stem, "root": str(spec)}


def _conversations(_connection: Connection, settings: Settings) -> Iterator[dict[str, str]]:
    folder = settings.home / "conversations"
    if folder.is_dir():
        yield {"name": folder.name, "root": str(folder)}


_ROWS = {
    "source": _sources,
    "golden_set": _golden_sets,
    "dataset": _datasets,
    "retraining": _retraining,
    "conversations": _conversations,
}
