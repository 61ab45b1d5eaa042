"""Answers for RAFT written by a configured model; each is paid for once."""

from __future__ import annotations

import openai

from tasks.errors import Fatal, Retryable
from tasks.settings import Settings

_ASKED = (
    "Answer the question from the passage alone. First copy the sentences that the answer rests "
    "on, word for word, each between ##begin_quote## and ##end_quote##. Then write ##Answer: and a "
    "complete answer of at most three sentences.\n\nPassage:\n{passage}\n\nQuestion: {question}"
)
_SECONDS = 120.0


class AnswerWriter:
    """Asks a chat model of any OpenAI-compatible endpoint."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is sent yet. Raises Fatal when no model is configured."""
        if not settings.answer_model:
            raise Fatal(
                "raft.answers is model, and none is configured",
                "Set OPENBOOK_ANSWER_MODEL, and OPENBOOK_ANSWER_URL or OPENBOOK_ANSWER_KEY; or "
                "write answers: log.",
            )
        if not settings.answer_key and settings.answer_url is None:
            raise Fatal("There is no key for OpenAI", "Set OPENBOOK_ANSWER_KEY.")
        self.model = settings.answer_model
        self._client = openai.OpenAI(
            base_url=settings.answer_url or "https://api.openai.com/v1",
            api_key=settings.answer_key or "none",
            timeout=_SECONDS,
            max_retries=2,
        )

    def write(self, question: str, passage: str) -> str:
        """The model's words. Raises Retryable or Fatal as the endpoint answers."""
        try:
            reply = self._client.chat.completions.create(
                model=self.model,
                messages=[
                    {"role": "user", "content": _ASKED.format(passage=passage, question=question)}
                ],
                temperature=0,
            )
        except (
            openai.AuthenticationError,
            openai.PermissionDeniedError,
            openai.NotFoundError,
        ) as e:
            raise Fatal(
                f"{self.model} refuses: {e.message}", "Correct OPENBOOK_ANSWER_*, then go on."
            ) from None
        except openai.OpenAIError as error:
            raise Retryable(
                f"{self.model} does not answer: {error}", "Curate again; what was written is kept."
            ) from None
        return reply.choices[0].message.content or "" if reply.choices else ""
