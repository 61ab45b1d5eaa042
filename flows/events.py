"""What the flows tell Prefect of the book, so that automations and people can act on it.

Each event is about one thing, and its payload holds the figures. `deployments/automations.yaml`
says what follows from which.
"""

from __future__ import annotations

from contextlib import suppress

from prefect import get_run_logger
from prefect.events import emit_event
from prefect.exceptions import MissingContextError

DOCUMENT_PUBLISHED = "openbook.document.published"
DATASET_MADE = "openbook.dataset.made"
MODEL_PROMOTED = "openbook.model.promoted"
MODEL_RETIRES = "openbook.model.retires"
CONVERSATIONS_LOADED = "openbook.conversations.loaded"
GOLDEN_FAILED = "openbook.golden.failed"


def tell(event: str, name: str, **facts: object) -> None:
    """Send an event about the source, dataset, model or set of that name.

    Within a run, Prefect relates the event to run, flow and deployment. `facts` are JSON values:
    counts and names, never texts or secrets, since all who see the server's pages see them. What
    the server does not take is logged and not raised: an event is no part of the work. Within a run
    the event is a line of its log as well, with the run's id where logs are JSON.
    """
    with suppress(MissingContextError):
        get_run_logger().info("%s %s", event, name, extra={"event": event, "facts": facts})
    kind = event.split(".")[1]
    emit_event(
        event=event,
        resource={
            "prefect.resource.id": f"openbook.{kind}.{name}",
            "prefect.resource.name": name,
        },
        payload=facts,
    )
