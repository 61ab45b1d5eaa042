"""Lets `python -m flows.cli` run the command."""

from flows.cli import main

main()
