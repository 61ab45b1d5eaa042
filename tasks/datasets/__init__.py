"""Logged conversations to immutable dataset versions."""
