"""The one tree of errors. Each message says what happened, where, and what to do."""

from __future__ import annotations

from typing import Literal


class OpenbookError(Exception):
    """Base of every error that Openbook raises on purpose.

    `remedy` is the sentence that tells the reader what to do next; it is shown after the message.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[type[OpenbookError], tuple[str, str]]:
        return type(self), (self.message, self.remedy)


class Rejected(OpenbookError):
    """One input (a file, a text, a line) cannot be used; the others go on.

    `retry` says when the same input is worth another try: `never` (until it changes), `later` (with
    a growing pause: the parser was killed, say) or `always` (something on this machine is missing).
    """

    retry: Literal["never", "later", "always"] = "never"


class Killed(Rejected):
    """Reading the input was ended for the time, memory or output that it took, or it crashed."""

    retry = "later"


class MissingTool(Rejected):
    """The input needs a program that is not installed; the remedy names it."""

    retry = "always"


class Retryable(OpenbookError):
    """The same call may succeed later: a busy server, a lost connection, a file still written."""


class Fatal(OpenbookError):
    """Nothing can succeed until someone acts: a wrong setting, missing rights, no quota."""
