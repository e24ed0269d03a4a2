"""A real sshd on loopback for an unprivileged user, with a host key, a port and a configuration of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import pytest

# Root's tests log in as this user, whom CI makes; anybody else's as themselves.
BOARD_USER = "edgeprune-board"
_SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Sshd:
    """Start it with `start`, cut everybody off with `kill`, start it again; ``config`` is for ``ssh -F``."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="sshd-"))
        self.user = _board_user()
        self.port = free_port()
        self.config = self.root / "ssh_config"
        for key in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.root / key], check=True)
        self._write()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *settings: str) -> None:
        """Start it with ``settings`` before its own."""
        command = [_SSHD, "-D", "-e", "-f", str(self.root / "sshd_config")]
        command += [word for setting in settings for word in ("-o", setting)]
        who = None if self.user.pw_uid == os.getuid() else self.user.pw_uid
        groups = None if who is None else []
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, user=who, group=who and self.user.pw_gid, extra_groups=groups, stderr=log
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self.root / "log").read_text())

    def kill(self) -> None:
        """Kill the listener and everyone's connection, as a board that loses its power does."""
        if self._process is None:
            return
        mine = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        for process in mine:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() == "sshd":
                    process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.root)

    def _write(self) -> None:
        locks = self.root / "locks"
        locks.mkdir()
        locks.chmod(0o777)
        user_key, host_key = self.root / "user_key", self.root / "host_key"
        (self.root / "authorized_keys").write_text((self.root / "user_key.pub").read_text())
        settings = {
            "Port": self.port, "ListenAddress": "127.0.0.1", "HostKey": host_key, "UsePAM": "no", "StrictModes": "no",
            "AuthorizedKeysFile": self.root / "authorized_keys", "PidFile": "none", "PasswordAuthentication": "no",
            "SetEnv": f"EDGEPRUNE_LOCK_DIRECTORY={locks}",
        }  # fmt: skip
        lines = [f"{key} {value}" for key, value in settings.items()]
        (self.root / "sshd_config").write_text("\n".join([*lines, ""]))
        public = " ".join((self.root / "host_key.pub").read_text().split()[:2])
        (self.root / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}\n")
        self.config.write_text(
            f"Host board\n HostName 127.0.0.1\n Port {self.port}\n User {self.user.pw_name}\n"
            f" IdentityFile {user_key}\n IdentitiesOnly yes\n UserKnownHostsFile {self.root / 'known_hosts'}\n"
        )
        self.root.chmod(0o755)
        os.chown(host_key, self.user.pw_uid, self.user.pw_gid)


def require_sshd() -> None:
    """Skip where there is no sshd, or nobody to log in as."""
    for program in ("ssh", _SSHD, "ssh-keygen", "flock"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on this machine (Debian: openssh-server, openssh-client, util-linux)")
    if _board_user().pw_shell.endswith(("nologin", "false")):
        pytest.skip(f"the user {_board_user().pw_name} cannot log in")


def _board_user() -> pwd.struct_passwd:
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    try:
        return pwd.getpwnam(BOARD_USER)
    except KeyError:
        pytest.skip(f"root cannot be the unprivileged user: useradd --create-home --shell /bin/sh {BOARD_USER}")
