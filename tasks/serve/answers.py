"""Answers over HTTP, with the caller's rights: whole, or as they come; also to OpenAI's clients."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from threading import Event, Thread
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response, StreamingResponse

from tasks.records import Answer
from tasks.serve.access import Access
from tasks.serve.desk import AtDesk, Caller, Desk
from tasks.serve.errors import Refusal

router = APIRouter()

Strategy = Literal["rag", "long-context", "none"]
_MOST_TURNS = 40


class AnswerRequest(BaseModel):
    """A question about one collection; `filter` and `predicate` are those of a search.

    `strategy` left out is the collection's own. `conversation` is that of an earlier answer to the
    same caller, and goes on. With `stream` the answer comes as server-sent events: `delta` for each
    piece, then `answer` with all of it.
    """

    model_config = ConfigDict(extra="forbid")

    question: str
    collection: str = "default"
    strategy: Strategy | None = None
    k: Annotated[int, Field(ge=1, le=100)] = 8
    filter: dict[str, Any] | None = None
    predicate: str | None = None
    conversation: str | None = None
    stream: bool = False


class ChatMessage(BaseModel):
    """A turn of a chat. A caller's instructions (`system`) are left out."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str


class ChatRequest(BaseModel):
    """A chat about the collection `model`; the last message is the question."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1000)]
    stream: bool = False


@router.post("/answer", tags=["answers"])
async def answer(body: AnswerRequest, caller: Caller, desk: AtDesk) -> Response:
    """Answer a question from the documents that the caller may read, and cite them."""
    desk.require_short(body.question)
    asked = body.model_dump(exclude={"stream", "question"})
    prepared = await desk.turns.run(
        lambda: desk.library.prepare_answer(caller, body.question, **asked)
    )
    parts = _written(
        desk, caller, prepared, collection=body.collection, conversation=body.conversation
    )
    if not body.stream:
        return JSONResponse(_told(await _whole(parts)))
    return await _events(_answer_events(parts))


@router.get("/v1/models", tags=["answers"])
async def models(caller: Caller, desk: AtDesk) -> JSONResponse:
    """What can be chatted with: the collections."""
    found = await desk.turns.run(lambda: desk.library.collections(caller))
    data = [
        {"id": one.name, "object": "model", "created": one.created_at, "owned_by": "openbook"}
        for one in found
    ]
    return JSONResponse({"object": "list", "data": data})


@router.post("/v1/chat/completions", tags=["answers"])
async def chat(body: ChatRequest, caller: Caller, desk: AtDesk) -> Response:
    """A chat that is answered from a collection, as OpenAI's clients ask it."""
    said = [one.model_dump() for one in body.messages if one.role in ("user", "assistant")]
    if not said or said[-1]["role"] != "user":
        raise Refusal(
            400, "the last message is no question", "End with one of the user.", param="messages"
        )
    question = said[-1]["content"]
    desk.require_short(question)
    prepared = await desk.turns.run(
        lambda: desk.library.prepare_answer(
            caller, question, collection=body.model, history=said[-_MOST_TURNS - 1 : -1]
        )
    )
    about = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": body.model}
    parts = _written(desk, caller, prepared, collection=body.model, conversation=None)
    if not body.stream:
        return JSONResponse({**about, **_completion(await _whole(parts))})
    return await _events(_chunks(about, parts))


async def _written(
    desk: Desk, caller: Access, prepared: Any, **about: Any
) -> AsyncIterator[str | Answer]:
    """The pieces of the answer as they come, then the answer as it was logged.

    A model may take longer than a request for anything else: a thread of its own waits for it. When
    the asker leaves, the model is left too, and what had come is logged.
    """
    loop, stop = asyncio.get_running_loop(), Event()
    parts: asyncio.Queue[str | Answer | Exception] = asyncio.Queue()

    def put(part: str | Answer | Exception) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(parts.put_nowait, part)

    def write() -> None:
        try:
            put(desk.library.write_answer(caller, prepared, hear=put, stop=stop, **about))
        except Exception as error:
            put(error)

    with desk.writing.one():
        Thread(target=write, name="openbook answer", daemon=True).start()
        try:
            while True:
                part = await parts.get()
                if isinstance(part, Exception):
                    raise part
                yield part
                if isinstance(part, Answer):
                    return
        finally:
            stop.set()


async def _whole(parts: AsyncIterator[str | Answer]) -> Answer:
    async for part in parts:
        if isinstance(part, Answer):
            return part
    raise AssertionError("an answer ends with itself")


async def _events(lines: AsyncIterator[str]) -> StreamingResponse:
    """A stream of events whose first has come: what is refused until then has its own status."""
    first = await anext(lines)

    async def all_of_them() -> AsyncIterator[str]:
        yield first
        async for line in lines:
            yield line

    return StreamingResponse(
        all_of_them(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _answer_events(parts: AsyncIterator[str | Answer]) -> AsyncIterator[str]:
    async for part in parts:
        if isinstance(part, Answer):
            yield _event(_told(part), "answer")
        else:
            yield _event({"text": part}, "delta")


async def _chunks(about: dict[str, Any], parts: AsyncIterator[str | Answer]) -> AsyncIterator[str]:
    def chunk(delta: dict[str, str], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event({**about, "object": "chat.completion.chunk", "choices": [choice], **more})

    yield chunk({"role": "assistant", "content": ""})
    async for part in parts:
        if isinstance(part, Answer):
            yield chunk({}, "stop", usage=_usage(part), openbook=_told(part))
        else:
            yield chunk({"content": part})
    yield "data: [DONE]\n\n"


def _completion(found: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": found.text}
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(found),
        "openbook": _told(found),
    }


def _usage(found: Answer) -> dict[str, int]:
    sent, said = found.input_tokens or 0, found.output_tokens or 0
    return {"prompt_tokens": sent, "completion_tokens": said, "total_tokens": sent + said}


def _told(found: Answer) -> dict[str, Any]:
    """The answer as callers see it: without the address of the model's server."""
    passages = [
        {"number": number, "cited": hit.chunk_id in found.cited, **asdict(hit)}
        for number, hit in zip(found.numbers, found.passages, strict=True)
    ]
    return {
        "question": found.question,
        "answer": found.text,
        "outcome": found.outcome,
        "reason": found.reason,
        "strategy": found.strategy,
        "model": found.model and found.model.name,
        "conversation": found.conversation,
        "passages": passages,
        "removed_citations": found.removed_citations,
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "milliseconds": {"retrieval": found.retrieval_ms, "generation": found.generation_ms},
    }


def _event(value: Any, name: str | None = None) -> str:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value, ensure_ascii=False)}\n\n"
