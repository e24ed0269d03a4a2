from pathlib import Path

import pytest

from edgeprune.doctor_boards import BoardState, look_at_boards
from tests.boards.sshd import Sshd


def states(*, deep: bool) -> dict[str, BoardState]:
    return {state.name: state for state in look_at_boards(deep=deep)}


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "camera.toml").write_text('extends = "host"\ntransport = "ssh://board"\n')
    (tmp_path / "targets" / "torn.toml").write_text('extends = "host"\ntransport = "ssh//board"\n')
    monkeypatch.chdir(tmp_path)


def test_boards_are_named_but_not_asked(camera: None) -> None:
    found = states(deep=False)
    assert found["board of camera"] == BoardState("board of camera", "ssh://board, not asked (--deep)")
    assert "torn.toml: transport: 'ssh//board' is no way to a board" in found["target torn"].detail
    assert set(found) == {"board of camera", "target torn"}


@pytest.mark.slow
def test_a_board_is_asked(camera: None, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeprune.doctor_boards.shutil.which", lambda program: None)
    assert states(deep=True)["board of camera"] == BoardState("board of camera", "ssh://board, programs run")
    sshd.kill()
    down = states(deep=True)["board of camera"]
    assert "board ssh://board?wait=2: cannot be reached" in down.detail
    assert down.mend == "edgeprune targets check camera"
