"""The ASGI app: its routes, what stands before them, and running it until it is told to end."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware
from uvicorn.config import LOGGING_CONFIG

from tasks.database import Pool
from tasks.errors import Fatal
from tasks.serve import answers, own, page, vector_stores
from tasks.serve.access import Doorkeeper, tokens_file
from tasks.serve.desk import Desk
from tasks.serve.errors import explain_errors
from tasks.serve.heads import bounded_heads
from tasks.serve.library import Answering, Library, Retrieval
from tasks.serve.limits import BoundedBodies, Limits, Rate, Turns, Writing
from tasks.serve.listen import address, listen
from tasks.serve.log import log_json
from tasks.serve.metrics import Measured, Metrics
from tasks.serve.probe import Probe
from tasks.settings import Settings


def create_app(
    settings: Settings,
    retrieval: Retrieval,
    answering: Answering,
    limits: Limits,
    doorkeeper: Doorkeeper,
) -> FastAPI:
    """The app for one book. It opens its connections when they are first needed."""
    pool = Pool(
        settings.reading(),
        limits.concurrency,
        seconds=limits.seconds,
        application_name="openbook serve",
    )
    probe = Probe(settings, limits)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.desk = Desk(
            library=Library(settings, retrieval, pool, answering),
            doorkeeper=doorkeeper,
            limits=limits,
            rate=Rate(limits.rate),
            turns=Turns(limits),
            probe=probe,
            metrics=metrics,
            writing=Writing(limits.concurrency),
        )
        yield
        pool.close()
        probe.close()

    app = FastAPI(
        title="Openbook",
        version=version("openbook"),
        description="Search in a folder of documents that is kept up to date.",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    explain_errors(app, limits.seconds)
    app.include_router(vector_stores.router)
    app.include_router(own.router)
    app.include_router(answers.router)
    app.include_router(page.router)
    app.add_middleware(BoundedBodies, limits=limits)
    if not doorkeeper.locked:
        # A web page whose name was made to mean this machine shall not read the book.
        app.add_middleware(
            TrustedHostMiddleware,
            allowed_hosts=["localhost", "127.0.0.1", "[::1]"],
            www_redirect=False,
        )
    app.add_middleware(Measured, metrics=metrics)
    return app


def serve(
    settings: Settings,
    retrieval: Retrieval,
    answering: Answering,
    limits: Limits,
    *,
    host: str,
    port: int,
    announce: Callable[[str, bool], None],
) -> None:
    """Answer requests until SIGTERM or Ctrl-C, then finish the ones that were begun.

    `announce` is called with the address and whether tokens are asked for, once connections are
    accepted. Raises Fatal when the address is in use, and when it can be reached from other
    machines although there is no token.
    """
    file = tokens_file(settings)
    doorkeeper = Doorkeeper(file)
    if not (doorkeeper.locked or _is_loopback(host)):
        raise Fatal(
            f"{host} can be reached from other machines, and there is no token",
            "Make one for each caller with `openbook tokens add NAME`, or serve on 127.0.0.1.",
        )
    app = create_app(settings, retrieval, answering, limits, doorkeeper)
    listener = listen(host, port)
    with listener:
        announce(address(host, listener.getsockname()[1]), doorkeeper.locked)
        if settings.logs == "json":
            log_json()
        server = uvicorn.Server(configuration(app, limits, settings.logs))
        # uvicorn ends in order at these signals, and then raises them again: that is all they do.
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, lambda *_: None)
        server.run(sockets=[listener])


def configuration(app: FastAPI, limits: Limits, logs: str = "text") -> uvicorn.Config:
    """How uvicorn runs the app; where logs are JSON, its own go where all others do."""
    return uvicorn.Config(
        app,
        http=bounded_heads(limits.seconds),
        log_level="warning",
        access_log=False,
        log_config=LOGGING_CONFIG if logs == "text" else None,
        server_header=False,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
