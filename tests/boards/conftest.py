"""Real servers on loopback, each a board with a lock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boards.sshd import Sshd, require_sshd
from tests.measuring.conftest import link  # noqa: F401 - a fixture
from tools.rpc_fleet import Fleet


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run beside each other and beside real measurements; a second attempt comes soon."""
    monkeypatch.setenv("EDGEPRUNE_LOCK_DIRECTORY", str(tmp_path))
    monkeypatch.setattr("edgeprune.measuring.shell_transport._RETRY_AFTER_S", (0.1, 0.5))


@pytest.fixture(scope="session")
def sshd_server() -> Iterator[Sshd]:
    require_sshd()
    server = Sshd()
    yield server
    server.close()


@pytest.fixture
def sshd(sshd_server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A running sshd, which `ssh://board` reaches."""
    monkeypatch.setenv("EDGEPRUNE_SSH", f"ssh -F {sshd_server.config}")
    try:
        sshd_server.start()
        yield sshd_server
    finally:
        sshd_server.kill()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """TVM's servers and trackers, forked from one process that has imported TVM."""
    with Fleet(tmp_path_factory.mktemp("locks")) as servers:
        yield servers
