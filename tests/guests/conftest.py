"""A Debian root to work on: a copy of the base in the project's own cache folder."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.guests.debian import GuestUnavailable, clone_root, make_root
from infra.local.places import GUEST, LOCAL


@pytest.fixture(scope="session")
def base() -> Path:
    try:
        return make_root(GUEST, print)
    except GuestUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def root(base: Path) -> Iterator[Path]:
    """A fresh copy."""
    with copy_of(base) as copy:
        yield copy


@pytest.fixture(scope="module")
def shared_root(base: Path) -> Iterator[Path]:
    """One copy for tests that bring packages and an archive of their own."""
    with copy_of(base) as copy:
        yield copy


@contextmanager
def copy_of(base: Path) -> Iterator[Path]:
    # Not under the system's temporary folder: that is often mounted without devices, which a root needs.
    folder = Path(tempfile.mkdtemp(prefix="guest-test-", dir=LOCAL))
    try:
        yield clone_root(base, folder / "root")
    finally:
        shutil.rmtree(folder)
