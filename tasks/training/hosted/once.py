"""Buying exactly once from a provider that keeps no count: intent first, a look before each try."""

from __future__ import annotations

from typing import Protocol

from tasks.endpoint import TryAgain
from tasks.errors import Fatal, Rejected, Retryable
from tasks.training.hosted.provider import Provider, TurnedAway


class Sought(Protocol):
    """Something that a provider may have done.

    Each method that writes commits before it returns.
    """

    @property
    def name(self) -> str:
        """What is bought, for messages."""
        ...

    def find(self) -> str | None:
        """The id of what the provider did already, whoever asked it to."""
        ...

    def sent(self) -> float | None:
        """Seconds since it may have been sent with no answer; None when it certainly was not."""
        ...

    def record(self, bought: str) -> None:
        """Write down what the provider did."""
        ...


class Purchase(Sought, Protocol):
    """Something that a provider does when it is asked, and does again when it is asked again."""

    def intend(self) -> None:
        """Write down that it is about to be sent."""
        ...

    def send(self) -> str:
        """Ask the provider, once; the id of what it did."""
        ...

    def withdraw(self) -> None:
        """Write down that the provider certainly did nothing."""
        ...


def recover(provider: Provider, sought: Sought) -> str | None:
    """The id of what was bought at any time before; None: nothing was, nor will be.

    Raises Retryable while what was sent without an answer may still arrive.
    """
    if found := sought.find():
        sought.record(found)
        return found
    seconds = sought.sent()
    if seconds is not None and seconds < provider.settles:
        raise Retryable(
            f"{sought.name} was sent {seconds:.0f} s ago, unanswered: it may still arrive",
            f"Run it again after {provider.settles - seconds:.0f} s: it is looked for first.",
        )
    return None


def buy(provider: Provider, purchase: Purchase) -> str:
    """The id of what was bought, now or at any time before.

    What was sent without an answer may still arrive: it is sent again only when the provider shows
    nothing of it although `provider.settles` seconds have passed. Raises Retryable before that, and
    when the provider has no time; Rejected or Fatal when it refuses.
    """
    tries = 0
    while True:
        if found := recover(provider, purchase):
            return found
        purchase.intend()
        try:
            bought = purchase.send()
        except TurnedAway as refusal:
            purchase.withdraw()
            tries += 1
            if not provider.wait(tries, refusal):
                raise Retryable(
                    f"{provider.url} took {purchase.name} at none of {tries} tries: {refusal}",
                    "Run it again later: nothing was bought.",
                ) from None
        except TryAgain as failure:
            raise Retryable(
                f"{purchase.name} was sent, and {provider.url} gave no answer: {failure}",
                "Run it again: it is looked for before it is sent again.",
            ) from None
        except (Rejected, Fatal):
            purchase.withdraw()
            raise
        else:
            purchase.record(bought)
            return bought
