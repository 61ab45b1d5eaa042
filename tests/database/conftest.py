"""Servers of a test's own, for tests that kill, stop or spoil them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.database import connect, stop
from tasks.settings import Settings
from tests.conftest import make_short_folder


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = make_short_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def seed() -> Iterator[Path]:
    """The home of a server that has run, and is down."""
    home = make_short_folder()
    connect(Settings(home=home)).close()
    stop(Settings(home=home))
    yield home
    shutil.rmtree(home)


@pytest.fixture
def new_home(short_folder: Path) -> Iterator[Settings]:
    """Settings of an embedded server that has never run; it is stopped after the test."""
    settings = Settings(home=short_folder / "home", embedder="hashing")
    yield settings
    stop(settings)


@pytest.fixture
def embedded(new_home: Settings, seed: Path) -> Settings:
    """Settings of an embedded server that has run before; it is stopped after the test."""
    return copy_of(seed, new_home.home)


def copy_of(seed: Path, home: Path) -> Settings:
    """Settings of an embedded server at `home` that goes on where the seed's stopped."""
    subprocess.run(["cp", "--archive", seed, home], check=True)
    return Settings(home=home, embedder="hashing")
