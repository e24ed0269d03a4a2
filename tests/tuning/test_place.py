"""A place whose board is still being opened when the run ends, or cannot be opened at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgeprune.errors import StageFailure
from edgeprune.measuring.local_transport import LocalTransport
from edgeprune.target import find_target
from edgeprune.toolchain import toolchain_for
from edgeprune.tuning.board import Board
from edgeprune.tuning.place import Place

_LONG = 60.0


class Closable(LocalTransport):
    """This machine as a board that remembers whether it was let go of."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = threading.Event()

    def close(self) -> None:
        super().close()
        self.closed.set()


class Opener:
    """Opens a board once it is allowed to."""

    def __init__(self, directory: Path) -> None:
        self.asked, self.allowed, self.done = threading.Event(), threading.Event(), threading.Event()
        self.transport = Closable()
        self._directory = directory

    def board(self) -> Board:
        self.asked.set()
        assert self.allowed.wait(_LONG)
        return Board(self.transport, toolchain_for(find_target("host")), self._directory, None)

    def in_a_folder_that_is_gone(self) -> Board:
        self.board()
        (self._directory / "gone" / "board").mkdir()
        raise AssertionError("the folder is there")


@pytest.fixture
def opener(tmp_path: Path) -> Opener:
    return Opener(tmp_path)


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What threads died of."""
    found: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: found.append(repr(arguments.exc_value)))
    return found


def test_a_board_that_opens_after_the_end_is_closed_at_once(opener: Opener, complaints: list[str]) -> None:
    place = Place(opener.board, opener.done.set)
    assert opener.asked.wait(_LONG)
    place.close()
    assert not opener.transport.closed.is_set()
    opener.allowed.set()
    assert opener.transport.closed.wait(_LONG)
    assert opener.done.wait(_LONG)
    assert complaints == []


def test_a_board_that_opened_and_was_never_used_is_closed(opener: Opener) -> None:
    opener.allowed.set()
    place = Place(opener.board, opener.done.set)
    assert opener.done.wait(_LONG)
    place.close()
    assert opener.transport.closed.is_set()


def test_a_folder_that_went_with_the_run_troubles_nobody(opener: Opener, complaints: list[str]) -> None:
    place = Place(opener.in_a_folder_that_is_gone, opener.done.set)
    assert opener.asked.wait(_LONG)
    place.close()
    opener.allowed.set()
    assert opener.done.wait(_LONG)
    assert complaints == []


def test_a_folder_that_cannot_be_made_is_said(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeprune.tuning.place._PAUSE_SECONDS", 0.0)
    opener.allowed.set()
    place = Place(opener.in_a_folder_that_is_gone, opener.done.set)
    assert opener.done.wait(_LONG)
    found = place.settle()
    assert isinstance(found, StageFailure)
    assert str(found).startswith("a board cannot be opened: FileNotFoundError: ")
    assert place.state == "gone"
