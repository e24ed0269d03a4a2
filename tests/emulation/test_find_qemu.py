"""Which QEMU is chosen; stand-ins answer the three questions that finding asks."""

from pathlib import Path

import pytest

from edgeprune.emulation import Qemu, Unavailable, build_plugin, fetch_qemu, find_qemu
from edgeprune.emulation.apt import PrivateApt
from edgeprune.errors import StageFailure

ANSWERS = """#!/bin/sh
case "$*" in
  -version) echo "qemu-arm version {version} (Some Linux 1:{version}+dfsg-1)" ;;
  "-cpu help") printf 'Available CPUs:\\n  cortex-a7\\n  cortex-a53\\n'; exit 1 ;;
  -help) printf 'usage: qemu\\n{plugin}-strace  QEMU_STRACE\\n' ;;
esac
"""


def stand_in(path: Path, version: str, *, plugins: bool) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ANSWERS.format(version=version, plugin="-plugin  QEMU_PLUGIN\\n" if plugins else ""))
    path.chmod(0o755)
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setenv("EDGEPRUNE_QEMU_DIR", str(tmp_path / "named"))
    monkeypatch.setenv("EDGEPRUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return {
        "EDGEPRUNE_QEMU_DIR": tmp_path / "named" / "qemu-arm",
        "cache": tmp_path / "cache" / "qemu" / "root" / "usr" / "bin" / "qemu-arm",
        "PATH": tmp_path / "path" / "qemu-arm",
    }


def found() -> Qemu:
    qemu = find_qemu("qemu-arm")
    assert isinstance(qemu, Qemu)
    return qemu


def test_the_named_directory_comes_first_then_the_cache_then_path(places: dict[str, Path]) -> None:
    for version, (source, path) in enumerate(reversed(places.items()), start=7):
        stand_in(path, f"{version}.2.1", plugins=True)
        qemu = found()
        assert (qemu.source, qemu.path, qemu.version, qemu.major) == (source, path, f"{version}.2.1", version)
        assert qemu.cpus == ("cortex-a7", "cortex-a53")


def test_an_unpacked_copy_brings_its_libraries(places: dict[str, Path]) -> None:
    libraries = places["cache"].parents[1] / "lib" / "x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    stand_in(places["cache"], "7.2.0", plugins=True)
    assert found().environment() == {"LD_LIBRARY_PATH": str(libraries)}


def test_a_cpu_it_does_not_know_and_a_broken_one_are_said(places: dict[str, Path]) -> None:
    named = stand_in(places["EDGEPRUNE_QEMU_DIR"], "7.2.0", plugins=True)
    cached = places["cache"]
    cached.parent.mkdir(parents=True)
    cached.write_text("#!/bin/sh\necho 'libcapstone.so.4: cannot open shared object file' >&2; exit 127\n")
    cached.chmod(0o755)
    places["PATH"].parent.mkdir()
    missing = find_qemu("qemu-arm", cpu="cortex-a55")
    assert isinstance(missing, Unavailable)
    assert missing.reason.startswith(
        f"{named} (7.2.0) does not know -cpu cortex-a55; "
        f"{cached} does not start: libcapstone.so.4: cannot open shared object file"
    )
    assert missing.mend.startswith("run `python -m edgeprune.emulation`")


def test_commands_put_the_cpu_and_the_plugin_before_the_guest(places: dict[str, Path]) -> None:
    path = stand_in(places["PATH"], "7.2.0", plugins=True)
    command = found().command(["/g", "--x"], cpu="cortex-a7", plugin=Path("/p.so"), options={"out": "/a,b"})
    assert command == [str(path), "-cpu", "cortex-a7", "-plugin", "/p.so,out=/a,,b", "/g", "--x"]


def test_without_plugins_there_is_nothing_to_build(places: dict[str, Path]) -> None:
    stand_in(places["PATH"], "10.0.2", plugins=False)
    refused = build_plugin(found())
    assert isinstance(refused, Unavailable)
    assert "(10.0.2) was built without plugins" in refused.reason


def test_without_apt_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEPRUNE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = fetch_qemu()
    assert isinstance(refused, Unavailable)
    assert refused.reason == "this machine has no apt-get and no dpkg to fetch QEMU with"


def test_a_failing_download_leaves_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("apt-get", "dpkg"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\necho 'E: Unable to locate package qemu-user' >&2\nexit 100\n")
        program.chmod(0o755)
    monkeypatch.setenv("EDGEPRUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    refused = fetch_qemu()
    assert isinstance(refused, Unavailable)
    assert refused.reason == "apt cannot resolve qemu-user: E: Unable to locate package qemu-user"
    assert list((tmp_path / "cache" / "qemu").iterdir()) == []


def test_only_what_the_machine_lacks_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(
        "#!/bin/sh\necho 'Inst libcapstone4 (4.0 Debian:12 [amd64])'\n"
        "echo 'Inst libc6 [2.36] (2.37 Debian:12 [amd64])'\necho 'Inst qemu-user (7.2 Debian:12 [amd64])'\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    private = PrivateApt(tmp_path / "private")
    private.prepare()
    assert private.not_installed("qemu-user") == ["libcapstone4", "qemu-user"]


def test_packages_of_another_architecture_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "apt-get"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 100\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    apt = PrivateApt(tmp_path / "private", "deb [signed-by=/none] http://none.invalid/ x main\n", "arm64")
    with pytest.raises(StageFailure):
        apt.prepare()
    configuration = (tmp_path / "private" / "apt.conf").read_text()
    assert 'APT::Architecture "arm64";' in configuration
    assert 'APT::Architectures { "arm64"; };' in configuration
