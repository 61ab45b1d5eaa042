"""Make `tests/releases/<commit>.sql.gz`: that commit's code fills a database, pg_dump writes it.

The commit's code runs from a worktree of its own, with this virtual environment, on an embedded
server of its own. What it ingests is in FILES, so that a test can go on with the same folder.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tasks.database import bin_path

ROOT = Path(__file__).parents[2]
_WARRANTY = "The warranty lasts 24 months from delivery. Seals are excluded from it.\n"
FILES = {
    "pumps/storing.md": "# Storing a pump\n\nDrain it, fill it with Brinol 20, close both flanges. "
    "Turn the shaft by hand once every four weeks.\n",
    "pumps/dry-running.md": "# Dry running\n\nWithout liquid the faces of the shaft seal run hot "
    "within seconds. Helm stops the pump with ERR-1042.\n\n## Before a new start\n\n"
    "It waits for 90 seconds. Never shorten this pause by switching the mains off.\n",
    "prices.csv": "part,price\nseal kit,118.40\nshaft,402.00\nimpeller,260.75\n",
    "warranty.txt": _WARRANTY,
    "copy/warranty.txt": _WARRANTY,
    "nothing.txt": "",
}
"""What the folder held at last; nothing.txt is rejected."""
BEFORE = {"warranty.txt": "The warranty lasts 12 months from delivery.\n"}
"""What it held first: the edit is history."""
KEY = "of databases for tests alone"
SPEC = "name: support\nkind: sft\nquality: {min_tokens: 1}\n"
_SUBJECTS = ("seal", "shaft", "flange", "motor", "valve", "bearing", "filter", "gauge", "rotor")
_HABITS = ("leaks", "squeals", "sticks", "overheats")


def conversations() -> str:
    """Lines of an OpenAI chat log, each of a user of its own; no two are alike."""
    lines = []
    for number, part in enumerate(_SUBJECTS):
        for place, habit in enumerate(_HABITS):
            key = 7 * number + place
            said = [
                {"role": "user", "content": f"My {part} {habit} since {key} days, what now?"},
                {
                    "role": "assistant",
                    "content": f"Order {part} kit {key * 131} and call line {key} if it {habit}"
                    f" again after {key + 3} hours.",
                },
            ]
            lines.append(json.dumps({"id": f"c-{key}", "user": f"u{key}", "messages": said}))
    return "\n".join(lines) + "\n"


def write(folder: Path, files: dict[str, str]) -> None:
    """Write the files into the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def make(commit: str) -> Path:
    """Fill a database with the commit's code and dump it; the dump's path."""
    dump = ROOT / "tests" / "releases" / f"{commit}.sql.gz"
    with tempfile.TemporaryDirectory(prefix="openbook-release-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        code, drop = folder / "code", folder / "drop"
        _git("worktree", "add", "--detach", "--quiet", str(code), commit)
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(code),
            "OPENBOOK_HOME": str(folder / "home"),
            "OPENBOOK_EMBEDDER": "hashing",
            "OPENBOOK_PSEUDONYM_KEY": KEY,
        }

        def openbook(*arguments: str, fails: bool = False) -> str:
            command = [sys.executable, "-m", "flows.cli", *arguments]
            done = subprocess.run(
                command, cwd=folder, env=variables, capture_output=True, text=True, check=False
            )
            if done.returncode != fails:
                raise SystemExit(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
            return done.stdout.strip()

        try:
            write(drop, FILES | BEFORE)
            openbook("ingest", str(drop), fails=True)  # nothing.txt
            write(drop, FILES)
            openbook("ingest", str(drop), fails=True)
            if "24 months" not in openbook("search", "how long is the warranty?"):
                raise SystemExit(f"{commit} does not find what it ingested")
            if (code / "flows" / "curate.py").exists():
                (folder / "log.jsonl").write_text(conversations(), encoding="utf-8")
                (folder / "support.yaml").write_text(SPEC, encoding="utf-8")
                openbook("conversations", "load", str(folder / "log.jsonl"))
                openbook("curate", str(folder / "support.yaml"))
            url = openbook("sql", "--dsn")
            done = subprocess.run([bin_path("pg_dump"), url], capture_output=True, check=True)
            dump.write_bytes(gzip.compress(done.stdout, mtime=0))
        finally:
            openbook("down")
            _git("worktree", "remove", "--force", str(code))
    return dump


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", ROOT, *arguments], check=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commits", nargs="+", help="such as b544199")
    for commit in parser.parse_args().commits:
        print(make(commit))


if __name__ == "__main__":
    main()
