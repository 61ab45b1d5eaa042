"""The one tree of errors. Each message says what happened, where, and what to do."""

from __future__ import annotations


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
    """One input (a file, a text, a line) cannot be used; the others go on."""


class Retryable(OpenbookError):
    """The same call may succeed later: a busy server, a dropped connection, a file still written."""


class Fatal(OpenbookError):
    """Nothing further can succeed until someone acts: a wrong setting, missing rights, no quota."""
