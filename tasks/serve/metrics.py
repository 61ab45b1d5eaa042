"""What the server counts of itself, as Prometheus reads it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasks.serve.log import REQUESTS, new_request_id, request_id


class Metrics:
    """Counters of one server; `text` is what `/metrics` answers."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "openbook_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "openbook_http_request_seconds",
            "From the request's first line to the answer's last byte.",
            ["route"],
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "openbook_http_requests_in_flight", "Requests being answered.", registry=self._registry
        )
        self.searches = Counter(
            "openbook_searches", "Searches made.", ["mode"], registry=self._registry
        )

    def text(self) -> bytes:
        """The counters in Prometheus' text format."""
        return generate_latest(self._registry)


def vitals(figures: Sequence[tuple[str, Mapping[str, str], float]] | None) -> bytes:
    """The figures of analytics.vitals in Prometheus' text format, as gauges `openbook_<name>`.

    None stands for figures that could not be read.
    """
    registry = CollectorRegistry()
    readable = Gauge(
        "openbook_vitals_readable",
        "Whether the figures of analytics.vitals could be read, which are the gauges below.",
        registry=registry,
    )
    readable.set(figures is not None)
    gauges: dict[str, Gauge] = {}
    for name, labels, value in figures or ():
        if name not in gauges:
            gauges[name] = Gauge(
                f"openbook_{name}", "See analytics.vitals.", list(labels), registry=registry
            )
        gauge = gauges[name].labels(**labels) if labels else gauges[name]
        gauge.set(value)
    return generate_latest(registry)


class Measured:
    """ASGI middleware: counts, times and logs every request by its route, not by its path.

    Each has an id, a proxy's `X-Request-ID` or a new one, which the answer repeats.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note its route, status and duration."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        identity = new_request_id(Headers(scope=scope).get("x-request-id", "").encode())
        request_id.set(identity)

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = identity
            await send(message)

        started = time.perf_counter()
        with self.metrics.in_flight.track_inprogress():
            try:
                await self.app(scope, receive, note)
            finally:
                route = getattr(scope.get("route"), "path", "unknown")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self.metrics.requests.labels(method, route, str(status)).inc()
                seconds = time.perf_counter() - started
                self.metrics.seconds.labels(route).observe(seconds)
                facts = {
                    "method": method,
                    "route": route,
                    "status": status,
                    "milliseconds": round(1000 * seconds, 1),
                    "caller": scope.get("state", {}).get("caller"),
                }
                REQUESTS.info("%s %s %d", method, route, status, extra={"facts": facts})


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
