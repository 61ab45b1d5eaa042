"""Build every hostile or broken input that we know of, and read each as a run does.

python -m tests.bench.bench_hostile [WORD …]     (only inputs whose name holds one of the words)

Each goes its real way, walk, stage, capped parser process, in a process of its own: what came of
it, the wall seconds, and the most memory that the parser process and its children held.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from fpdf import FPDF
from rich.console import Console
from rich.table import Table

from tasks.errors import Rejected, Retryable
from tasks.ingest.parse import HEAD_BYTES, ParserPool, format_of
from tasks.ingest.scan import walk
from tasks.ingest.stage import stage
from tasks.records import decode_path
from tasks.settings import Settings
from tests.ingest.parse_fixtures import write_docx, write_msg, write_pdf, write_zip
from tests.ingest.test_parse_hostile import LAUGHS

MEGABYTE = 1 << 20
SAMPLE_SECONDS = 0.01
SECRET = "the secret of the host"
JAPANESE = "潮の満ち干は月の引力によって起こる。"

Make = Callable[[Path], object]


@dataclass(frozen=True)
class Input:
    """A hostile input: its name in the table, the name of its file, what makes it, its limits."""

    name: str
    file: str | bytes
    make: Make
    seconds: float = 60.0
    megabytes: int = 2048


def text(content: str | bytes) -> Make:
    """Makes a file of that content."""
    data = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(data)


def docx_with(change: Callable[[str], str]) -> Make:
    """Makes a Word document whose body is changed."""

    def make(path: Path) -> None:
        good = write_docx(path.with_name(".good.docx"))
        with ZipFile(good) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        good.unlink()
        parts["word/document.xml"] = change(parts["word/document.xml"].decode()).encode()
        write_zip(path, parts)

    return make


def declared(doctype: str, entity: str) -> Callable[[str], str]:
    """Puts a doctype in front of a Word document's body, and the entity into it."""

    def change(body: str) -> str:
        declaration, _, rest = body.partition("?>")
        return f"{declaration}?>{doctype}{rest.replace('The Aurora', entity + 'The Aurora')}"

    return change


def bomb(path: Path, megabytes: int = 1000) -> Path:
    """A Word document of one part that unpacks to so much."""
    parts = {"[Content_Types].xml": "<Types/>", "word/document.xml": b" " * (megabytes * MEGABYTE)}
    return write_zip(path, parts)


def mail_with(name: str, attachment: Callable[[Path], object]) -> Make:
    """Makes a message with that attachment."""

    def make(path: Path) -> None:
        inside = path.with_name(".attached")
        attachment(inside)
        message = EmailMessage()
        message["Subject"] = "Attached"
        message.set_content("See the attachment.")
        message.add_attachment(
            inside.read_bytes(), maintype="application", subtype="octet-stream", filename=name
        )
        inside.unlink()
        path.write_bytes(bytes(message))

    return make


def long_pdf(path: Path, pages: int = 5000) -> None:
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    for number in range(pages):
        pdf.add_page()
        pdf.cell(0, 10, f"Ship number {number} arrives.")
    pdf.output(str(path))


def picture(mode: str, side: int, kind: str) -> Make:
    """Makes a picture of so many pixels a side, all alike."""

    def make(path: Path) -> None:
        from PIL import Image

        Image.new(mode, (side, side)).save(path, kind)

    return make


def frames(path: Path) -> None:
    """A moving picture of a thousand large frames."""
    from PIL import Image

    still = [Image.new("P", (4000, 4000), n % 2) for n in range(2)]
    still[0].save(path, "gif", save_all=True, append_images=still[1:] * 500)


def huge_gif(path: Path) -> None:
    """A few bytes that claim a screen of 65,535 pixels a side."""
    size = (65535).to_bytes(2, "little") * 2
    path.write_bytes(
        b"GIF89a" + size + b"\x80\0\0\0\0\0\xff\xff\xff"
        b"," + bytes(4) + size + b"\0\x02\x02\x4c\x01\0;"
    )


def traversal_epub(path: Path) -> None:
    write_zip(
        path,
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfiles><rootfile full-path="../../../../etc/'
            'passwd"/></rootfiles></container>',
            "../../../../tmp/escaped.txt": SECRET,
        },
    )


def device(path: Path) -> None:
    os.mknod(path, 0o20644, os.makedev(1, 5))  # /dev/zero


def inputs(secret: Path) -> Iterator[Input]:
    """All of them; `secret` is a file that no document may show."""
    external = f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}">]>'
    dtd = '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/external.dtd">'
    tags = 100_000
    yield Input("pdf with a password", "a.pdf", lambda path: write_pdf(path, password="x"))
    yield Input("docx cut in half", "a.docx", lambda path: _cut(write_docx(path)))
    yield Input("zip bomb: docx of 1 GB", "a.docx", bomb)
    yield Input("zip bomb nested: in a mail", "a.eml", mail_with("b.docx", bomb))
    for kind in ("xml", "svg", "html"):
        yield Input(f"billion laughs: {kind}", f"a.{kind}", text(f"{LAUGHS}<r><p>&i; end</p></r>"))
    yield Input("billion laughs: docx", "a.docx", docx_with(declared(LAUGHS, "&i;")))
    for kind in ("xml", "svg", "html"):
        yield Input(f"XXE: {kind}", f"a.{kind}", text(f"{external}<r><p>&x; end</p></r>"))
    yield Input("XXE: docx", "a.docx", docx_with(declared(external, "&x;")))
    for kind in ("xml", "svg", "html"):
        yield Input(f"external DTD: {kind}", f"a.{kind}", text(f"{dtd}<r><p>words end</p></r>"))
    yield Input("external DTD: docx", "a.docx", docx_with(declared(dtd, "")))
    rst = f"Title\n=====\n\n.. include:: {secret}\n\n.. raw:: html\n   :file: {secret}\n\ntext\n"
    yield Input("include: rst", "a.rst", text(rst))
    yield Input("include: org", "a.org", text(f'* Title\n#+INCLUDE: "{secret}"\ntext\n'))
    yield Input("include: adoc", "a.adoc", text(f"= Title\n\ninclude::{secret}[]\n\ntext\n"))
    yield Input("include: tex", "a.tex", text(f"\\section{{T}}\\input{{{secret}}} text"))
    escape = ("../../../../tmp/escaped.txt", b"The tide turns.")
    yield Input(
        "path traversal: msg", "a.msg", lambda path: write_msg(path, "Subject", "Body.", escape)
    )
    yield Input("path traversal: epub", "a.epub", traversal_epub)
    yield Input("image bomb: png, 900 million pixels", "a.png", picture("1", 30_000, "png"))
    yield Input("image bomb: grey png, 400 million pixels", "a.png", picture("L", 20_000, "png"))
    yield Input("image bomb: gif that claims 4 billion pixels", "a.gif", huge_gif)
    yield Input("image bomb: gif of 501 frames of 16 million", "a.gif", frames)
    for kind in ("txt", "md", "html"):
        line = b"word " * (10 * MEGABYTE) + b"end"
        yield Input(f"one line of 50 MB: {kind}", f"a.{kind}", text(line))
    for kind in ("html", "xml"):
        nested = "<p>" * tags + "end" + "</p>" * tags
        yield Input(f"100,000 nested tags: {kind}", f"a.{kind}", text(nested))
    yield Input("pdf of 5,000 pages", "a.pdf", long_pdf)
    yield Input("NUL bytes in a text", "a.txt", text(b"The tide\0 turns\0 at noon.\n" * 20))
    yield Input("lone surrogates", "a.txt", text(b"The tide \xed\xa0\x80 turns.\n" * 20))
    for encoding in ("utf-16", "latin-1", "shift-jis"):
        words = JAPANESE * 5 if encoding == "shift-jis" else "Die Brötchen kühlen über Nacht. " * 9
        yield Input(encoding, "a.txt", text(words.encode(encoding)))
    yield Input(
        "pdf called .docx", "a.docx", lambda path: write_pdf(path.with_suffix(".pdf")).rename(path)
    )
    yield Input("binary called .md", "a.md", text(b"\x7fELF" + bytes(range(256)) * 400))
    yield Input("0 bytes", "a.pdf", text(b""))
    yield Input("binary junk", "a.pdf", text(hashlib.shake_256(b"junk").digest(100_000)))
    yield Input("symlink out of the folder", "a.txt", lambda path: path.symlink_to(secret))
    yield Input("named pipe", "a.txt", os.mkfifo)
    if os.geteuid() == 0:
        yield Input("device: /dev/zero", "a.txt", device)
    else:
        yield Input("unreadable file", "a.txt", lambda path: (text("words")(path), path.chmod(0)))
    yield Input("newline in the name", "a\nb.txt", text("The tide turns."))
    yield Input("name that is not UTF-8", b"tide-\xff.txt", text("The tide turns."))
    yield Input("name of 255 bytes", "t" * 251 + ".txt", text("The tide turns."))
    slow = text("a\n\n" * 2_000_000)
    yield Input("parser that hangs (limit 2 s)", "a.md", slow, seconds=2)
    yield Input("parser that eats memory (limit 256 MB)", "a.md", slow, megabytes=256)
    yield Input("parser that segfaults", "segfault.md", slow)


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


class Watch:
    """Samples the memory of the parser process and its children, for the length of the block."""

    def __init__(self, kill: bool) -> None:
        self.peak = 0
        self._kill = kill
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        started = time.monotonic()
        while not self._over.wait(SAMPLE_SECONDS):
            family = _descendants(os.getpid())
            self.peak = max(self.peak, sum(map(_resident, family)))
            if self._kill and time.monotonic() - started > 1:
                self._kill = False
                for pid in family:
                    os.kill(pid, signal.SIGSEGV)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def read(one: Input, folder: Path, settings: Settings, secret: str) -> tuple[str, float, int]:
    """Read one input in a fresh process: the outcome in words, wall seconds, bytes of memory."""
    root = folder / "root"
    root.mkdir()
    one.make(root / os.fsdecode(one.file))
    own = replace(settings, parse_seconds=one.seconds, parse_megabytes=one.megabytes)
    warm = folder / "warm.txt"
    warm.write_text("words")
    with ParserPool(own) as pool:
        pool.parse(warm, "txt")
        started = time.perf_counter()
        with Watch(kill=one.file == "segfault.md") as watch:
            outcome = _outcome(root, folder, pool, own, secret)
        seconds = time.perf_counter() - started
    return outcome, seconds, watch.peak


def _outcome(root: Path, folder: Path, pool: ParserPool, own: Settings, secret: str) -> str:
    (entry,) = walk(root, own.file_megabytes * MEGABYTE)
    if entry.problem:
        return f"rejected: {entry.problem}"
    path = Path(os.fsdecode(os.fsencode(root) + b"/" + decode_path(entry.path)))
    try:
        digest = hashlib.sha256(path.read_bytes()).digest()
        copy = stage(root, entry.path, digest, folder / "copy")
        with copy.open("rb") as file:
            format = format_of(path, file.read(HEAD_BYTES))
        document = pool.parse(copy, format)
    except (Rejected, Retryable) as error:
        return f"rejected: {error.message}"
    leaked = secret in document.text or Path("/tmp/escaped.txt").exists()
    return "LEAKED" if leaked else f"read: {len(document.text):,} characters"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only inputs whose name holds one of these")
    wanted = parser.parse_args().words
    table = Table("input", "outcome", "seconds", "peak MB")
    for column in table.columns[2:]:
        column.justify = "right"
    with TemporaryDirectory(prefix="openbook-hostile-") as name:
        base = Path(name)
        secret = base / "secret.txt"
        secret.write_text(SECRET)
        for number, one in enumerate(inputs(secret)):
            if wanted and not any(word in one.name for word in wanted):
                continue
            folder = base / str(number)
            folder.mkdir()
            settings = Settings(home=folder / "home", parse_workers=1)
            outcome, seconds, peak = read(one, folder, settings, SECRET)
            table.add_row(one.name, outcome, f"{seconds:.1f}", f"{peak / 1e6:,.0f}")
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
