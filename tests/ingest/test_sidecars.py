"""What `.openbook.yaml` files say of who may read the files beside and below them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.errors import Fatal
from tasks.ingest.scan import walk

RULES = """
readers:
  "**": [public]
  "payroll": [group:finance, ana]
  "**/*.draft.md": []
  "payroll/open/*.md": [group:staff]
"""


def readers(root: Path) -> dict[str, list[str] | None]:
    return {entry.path: entry.readers for entry in walk(root, 100)}


def put(root: Path, name: str, text: str = "text") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_last_pattern_that_matches_holds(tmp_path: Path) -> None:
    put(tmp_path, ".openbook.yaml", RULES)
    names = ("a.md", "a.draft.md", "payroll/b.md", "payroll/2026/c.md", "payroll/d.draft.md",
             "payroll/open/e.md", "payroll/open/f/g.md", "payrolls.md")  # fmt: skip
    for name in names:
        put(tmp_path, name)
    assert readers(tmp_path) == {
        "a.md": ["public"],
        "a.draft.md": [],
        "payroll/b.md": ["group:finance", "ana"],
        "payroll/2026/c.md": ["group:finance", "ana"],
        "payroll/d.draft.md": [],
        "payroll/open/e.md": ["group:staff"],
        "payroll/open/f/g.md": ["group:finance", "ana"],
        "payrolls.md": ["public"],
    }


def test_the_nearest_file_that_speaks_of_a_path_holds(tmp_path: Path) -> None:
    put(tmp_path, "a/.openbook.yaml", "readers: [public]")
    put(tmp_path, "a/b/.openbook.yaml", "readers: {'*.txt': [ana]}")
    for name in ("top.md", "a/one.md", "a/b/two.md", "a/b/three.txt"):
        put(tmp_path, name)
    assert readers(tmp_path) == {
        "top.md": None,
        "a/one.md": ["public"],
        "a/b/two.md": ["public"],
        "a/b/three.txt": ["ana"],
    }


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("readers:\n  - public\n - ana\n", 3, "expected"),
        ("readers: [a, b\n", 2, "expected"),
        ("readers: public\n", 1, "a list of users and groups is expected"),
        ("readers:\n  a: [x]\n  b: [group: finance]\n", 3, "the name of a user or group"),
        ("readers: [x, ~]\n", 1, "the name of a user or group"),
        ("readers: ['a,b']\n", 1, "the name of a user or group"),
        ("readers:\n", 1, "a list of users and groups is expected"),
        ("\nreader: [ana]\n", 2, "'reader' is not known"),
        ("readers:\n  a: [x]\n  a: [y]\n", 3, "'a' stands there twice"),
        ("readers:\n  ../up: [x]\n", 2, "a path below this folder"),
        ("readers:\n  /etc: [x]\n", 2, "a path below this folder"),
        ("- public\n", 1, "`readers:` is expected"),
        ("readers: [*nobody]\n", 1, "undefined alias"),
    ],
)
def test_a_broken_file_is_refused_by_name_and_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    file = put(tmp_path, "hr/.openbook.yaml", text)
    with pytest.raises(Fatal) as raised:
        list(walk(tmp_path, 100))
    assert raised.value.message.startswith(f"{file}, line {line}: ")
    assert problem in raised.value.message


def test_what_is_not_a_plain_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/.openbook.yaml").symlink_to(put(tmp_path, "elsewhere", "readers: [public]"))
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe/.openbook.yaml")
    (tmp_path / "large").mkdir()
    (tmp_path / "large/.openbook.yaml").write_bytes(b"#" * (1 << 21))
    for folder in ("linked", "pipe", "large"):
        with pytest.raises(Fatal, match=f"{folder}/.openbook.yaml"):
            list(walk(tmp_path / folder, 100))


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    put(tmp_path, ".openbook.yaml", "# later\n")
    put(tmp_path, "a.md")
    assert readers(tmp_path) == {"a.md": None}
