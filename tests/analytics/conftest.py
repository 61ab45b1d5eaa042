"""Analysts are real logins, over documents put straight into the database."""

from tests.security.conftest import enter, shelf

__all__ = ["enter", "shelf"]
