"""Where batches run: threads here, processes here, or the workers of a Dask or Ray cluster.

A batch takes ids and answers nothing: what it reads and writes are the files and the database, so
that it runs wherever both can be reached, with this package installed and the same settings.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from prefect.context import refresh_global_settings_context
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from tasks.errors import Fatal
from tasks.settings import Settings

BATCHES_HERE = 2
"""How many batches this machine works on side by side: while one is parsed, one is embedded."""
_HERE = ("127.0.0.1", "localhost", "::1")
_BATCHES_AHEAD = {"thread": 4, "process": 4, "dask": 64, "ray": 64}


def batches_ahead(settings: Settings) -> int:
    """How many batches are submitted before the first of them has ended."""
    return _BATCHES_AHEAD[settings.task_runner]


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """The runner that OPENBOOK_TASK_RUNNER names, not started.

    Raises Fatal when its package is missing, and when other machines are to reach an embedded
    server, which they cannot.
    """
    address = settings.cluster_address
    if address and not settings.database_url and urlsplit(address).hostname not in _HERE:
        raise Fatal(
            f"the workers at {address} cannot reach the embedded server",
            "Set OPENBOOK_DATABASE_URL, here and for them.",
        )
    if settings.task_runner == "thread":
        return ThreadPoolTaskRunner[Any](max_workers=BATCHES_HERE)
    if settings.task_runner == "process":
        _name_server()
        return ProcessPoolTaskRunner(max_workers=BATCHES_HERE)
    if settings.task_runner == "dask":
        runner = _imported("prefect_dask", "dask").DaskTaskRunner
        if address:
            return runner(address=address)  # type: ignore[no-any-return]
        # It tells of its own comings and goings otherwise, by way of Prefect's handlers.
        logging.getLogger("distributed").setLevel(logging.ERROR)
        here = {"n_workers": BATCHES_HERE, "threads_per_worker": 1, "dashboard_address": None}
        return runner(cluster_kwargs=here)  # type: ignore[no-any-return]
    runner = _imported("prefect_ray", "ray").RayTaskRunner
    if address:
        return runner(address=address)  # type: ignore[no-any-return]
    return runner(init_kwargs={"num_cpus": BATCHES_HERE, "include_dashboard": False})  # type: ignore[no-any-return]


def _name_server() -> None:
    """Name Prefect's server in the environment too.

    The thread that forwards messages of processes knows nothing else, and would start a server.
    """
    if address := PREFECT_API_URL.value():
        os.environ["PREFECT_API_URL"] = str(address)
        refresh_global_settings_context()


def _imported(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise Fatal(
            f"OPENBOOK_TASK_RUNNER is {extra!r}, and {module} is not installed",
            f"Install it: pip install openbook[{extra}].",
        ) from None
