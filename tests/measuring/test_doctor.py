import json
import sys
from pathlib import Path

import pytest

from edgeprune import doctor
from edgeprune.doctor import Diagnosis, Row, examine


def rows(diagnosis: Diagnosis) -> dict[str, Row]:
    return {row.name: row for row in diagnosis.rows}


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Set what edgeprune requires and what is installed, by editing the returned versions."""
    installed: dict[str, str | None] = {
        "apache-tvm": "0.27.0.post1",
        "apache-tvm-ffi": "0.1.14.post1",
        "ziglang": "0.17.1",
    }
    wanted = ["apache-tvm==0.27.0.post1", "apache-tvm-ffi==0.1.14.post1", 'pytest>=8; extra == "dev"']
    monkeypatch.setattr(doctor, "requires", lambda package: wanted)
    monkeypatch.setattr(doctor, "_installed", installed.get)
    return installed


def test_pins_that_are_met_take_one_row(pins: dict[str, str | None]) -> None:
    assert rows(examine())["packages"] == Row("packages", "ok", "all 2 pins are met")


def test_a_newer_package_than_pinned_is_a_clash(pins: dict[str, str | None]) -> None:
    pins["apache-tvm-ffi"] = "0.2.0"
    diagnosis = examine()
    assert rows(diagnosis)["apache-tvm-ffi"] == Row(
        "apache-tvm-ffi",
        "clash",
        "0.2.0 is installed, wanted: ==0.1.14.post1",
        'pip install "apache-tvm-ffi==0.1.14.post1"',
    )
    assert "packages" not in rows(diagnosis)
    assert not diagnosis.healthy


def test_a_missing_package_is_absent(pins: dict[str, str | None]) -> None:
    pins["apache-tvm"] = None
    assert rows(examine())["apache-tvm"].state == "absent"


def test_a_package_that_overwrites_ours_is_a_clash(pins: dict[str, str | None]) -> None:
    pins["xgboost"] = "3.1.0"
    assert rows(examine())["xgboost"].detail == "overwrites files of xgboost-cpu"


def test_without_emulator_and_programs_it_is_still_healthy(
    pins: dict[str, str | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDGEPRUNE_CACHE", str(tmp_path))
    diagnosis = examine()
    found = rows(diagnosis)
    assert {found[name].state for name in ("qemu-aarch64", "qemu-arm", "ssh", "adb", "npm", "apt-get")} == {"absent"}
    assert all(row.mend for row in diagnosis.rows if row.name in ("qemu-aarch64", "ssh", "adb", "npm", "apt-get"))
    assert diagnosis.healthy
    assert json.loads(json.dumps(diagnosis.as_dict()))["healthy"] is True


def test_another_python_is_a_clash(pins: dict[str, str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 13, 1, "final", 0))
    assert rows(examine())["Python"] == Row("Python", "clash", "3.13.1", "make the environment with Python 3.11")


@pytest.mark.parametrize(("governor", "advice"), [("performance", False), ("ondemand", True)])
def test_the_governor(tmp_path: Path, governor: str, advice: bool) -> None:
    (tmp_path / "governor").write_text(f"{governor}\n")
    row = doctor._governor(tmp_path / "governor")
    assert (row.state, row.detail, bool(row.mend)) == ("ok", governor, advice)
    assert doctor._governor(tmp_path / "none").state == "absent"


@pytest.mark.slow
def test_deep_links_and_loads_for_real() -> None:
    found = rows(examine(deep=True))
    assert found["TVM"].state == "ok"
    assert found["link for rpi3"] == Row("link for rpi3", "ok", "a static program links")
    assert found["link for cortex-a7"].state == "ok"


def test_peer_engines_are_listed_and_never_required(pins: dict[str, str | None]) -> None:
    pins["MNN"] = "3.6.1"
    diagnosis = examine()
    assert rows(diagnosis)["peer engines"] == Row(
        "peer engines",
        "absent",
        "MNN 3.6.1; without openvino, ncnn, pnnx, ai-edge-litert",
        "to compare with other engines: pip install 'edgeprune[peers]'",
        required=False,
    )
    pins.update(dict.fromkeys(doctor._PEERS, "1.0"))
    assert rows(examine())["peer engines"].state == "ok"
