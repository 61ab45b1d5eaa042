"""Who may read a file: what `.openbook.yaml` files in the folder say, over the source's readers.

    readers: [public]               # of everything in this folder and below

    readers:                        # or by path, relative to this folder
      "**": [public]
      "payroll": [group:finance, ana]
      "**/*.draft.md": []           # nobody but the owner

`*` and `?` stand for characters of one name, `**` for any number of folders; what matches a folder
holds for all below it. Of the patterns in one file the last that matches holds, and of the files
the nearest one that has a pattern for the path.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tasks.errors import Fatal
from tasks.records import encode_path

NAME = b".openbook.yaml"
_MAX_BYTES = 1 << 20
_REMEDY = "Put it right, then run again; until then nothing of the source is changed."


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One `.openbook.yaml`: the folder that it stands in, and its patterns with their readers."""

    folder: str
    rules: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]


def readers_of(path: str, sidecars: Sequence[Sidecar]) -> list[str] | None:
    """The readers of the file, by sidecars from the outermost in; None where none says anything."""
    for sidecar in reversed(sidecars):
        below = unicodedata.normalize("NFC", path[len(sidecar.folder) :].lstrip("/"))
        for pattern, readers in reversed(sidecar.rules):
            if pattern.fullmatch(below):
                return list(readers)
    return None


def read_sidecar(root: bytes, folder: bytes) -> Sidecar:
    """The sidecar in a folder below the root; raises Fatal, with its line, for a broken one."""
    file = os.path.join(root, folder, NAME)
    where = encode_path(file)
    try:
        document = yaml.compose(_text(file, where), Loader=yaml.SafeLoader)
        rules = () if document is None else tuple(_rules(document, where))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}, line {mark.line + 1}" if mark else where
        raise Fatal(f"{place}: {error.problem or error.context}", _REMEDY) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise Fatal(f"{where} is not YAML ({error})", _REMEDY) from None
    return Sidecar(encode_path(folder), rules)


def _text(file: bytes, where: str) -> str:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Fatal(f"{where} is not a regular file", _REMEDY)
            content = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise Fatal(f"{where} cannot be read ({error.strerror})", _REMEDY) from None
    if len(content) > _MAX_BYTES:
        raise Fatal(f"{where} has more than {_MAX_BYTES:,} bytes", _REMEDY)
    return content.decode()


def _rules(document: Node, where: str) -> Iterator[tuple[re.Pattern[str], tuple[str, ...]]]:
    for name, value in _pairs(document, where):
        if name.value != "readers":
            raise _fault(where, name, f"{name.value!r} is not known; there is `readers`")
        if isinstance(value, MappingNode):
            for pattern, names in _pairs(value, where):
                yield _pattern(pattern, where), _names(names, where)
        else:
            yield re.compile(".*", re.DOTALL), _names(value, where)


def _pairs(node: Node, where: str) -> Iterator[tuple[ScalarNode, Node]]:
    if not isinstance(node, MappingNode):
        raise _fault(where, node, "`readers:` is expected, with a list of users and groups")
    seen = set()
    for name, value in node.value:
        if not isinstance(name, ScalarNode) or name.tag == "tag:yaml.org,2002:merge":
            raise _fault(where, name, "a name or a pattern is expected")
        if name.value in seen:
            raise _fault(where, name, f"{name.value!r} stands there twice")
        seen.add(name.value)
        yield name, value


def _names(node: Node, where: str) -> tuple[str, ...]:
    if not isinstance(node, SequenceNode):
        raise _fault(where, node, "a list of users and groups is expected, such as [ana, public]")
    for name in node.value:
        known = isinstance(name, ScalarNode) and name.tag != "tag:yaml.org,2002:null"
        if not known or not name.value.strip() or "," in name.value:
            raise _fault(where, name, "the name of a user or group is expected")
    return tuple(dict.fromkeys(name.value.strip() for name in node.value))


def _pattern(node: ScalarNode, where: str) -> re.Pattern[str]:
    glob = unicodedata.normalize("NFC", node.value).rstrip("/")
    *folders, last = glob.split("/")
    if not last or {"", ".", ".."} & {*folders, last}:
        raise _fault(where, node, "a path below this folder is expected")
    parts = ["(?:[^/]+/)*" if name == "**" else f"{_name(name)}/" for name in folders]
    parts.append(".+" if last == "**" else f"{_name(last)}(?:/.*)?")
    return re.compile("".join(parts), re.DOTALL)


def _name(glob: str) -> str:
    return re.escape(glob).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")


def _fault(where: str, node: Node, problem: str) -> Fatal:
    return Fatal(f"{where}, line {node.start_mark.line + 1}: {problem}", _REMEDY)
