"""Boards reached by the user's own ssh, so that the user's keys, agent, jump hosts and configuration apply."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import ExitStack

from edgeprune.errors import UserError
from edgeprune.measuring.shell_transport import ShellTransport
from edgeprune.scratch import scratch_directory
from edgeprune.target import Address

# Which ssh to call, with options: "ssh -F board.config".
SSH_VARIABLE = "EDGEPRUNE_SSH"
# A silent line is given up after 20 s; questions cannot be answered here.
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=4")
# A socket's path holds 107 bytes, of which ssh takes 17 for a name of its own.
_LONGEST_SOCKET = 88
_MENDS = {
    "Could not resolve hostname": "write the host as ssh knows it",
    "Permission denied": "ssh must get in without a question: put a key on the board (ssh-copy-id) or into the agent",
    "Host key verification failed": "log in once by hand (ssh) to accept the board's key",
    "Bad configuration option": "mend ssh's configuration",
    "Bad owner or permissions": "mend ssh's configuration",
    "Can't open user config file": f"mend {SSH_VARIABLE}",
    "Too many authentication failures": "name the key for this host in ssh's configuration",
}


class SshTransport(ShellTransport):
    """Runs programs through ssh; the connection is made once and shared where the server allows it."""

    name = "ssh"

    def __init__(self, address: Address, notify: Callable[[str], None] = lambda message: None) -> None:
        self._scratch = ExitStack()
        self._sockets = self._scratch.enter_context(scratch_directory("ssh"))
        try:
            super().__init__(address, notify)
        except BaseException:
            self._scratch.close()
            raise

    def close(self) -> None:
        """Let go of the board and end the connection."""
        super().close()
        self._scratch.close()

    def _shell(self, command: str, *, first: bool = False) -> list[str]:
        options = [word for option in (*_OPTIONS, *self._sharing(first)) for word in ("-o", option)]
        port = [] if self.address.port is None else ["-p", str(self.address.port)]
        user = [] if not self.address.user else ["-l", self.address.user]
        program = shlex.split(os.environ.get(SSH_VARIABLE, "ssh"))
        return [*program, "-T", *options, *port, *user, "--", self.address.host, command]

    def _refused(self, complaint: str) -> UserError | None:
        for sign, mend in _MENDS.items():
            if sign in complaint:
                return UserError(f"board {self.board}: {complaint}; {mend}")
        return None

    def _sharing(self, first: bool) -> list[str]:
        """The holder's connection carries the others; without its socket they make connections of their own."""
        socket = self._sockets / "ssh"
        if len(os.fsencode(socket)) > _LONGEST_SOCKET:
            return ["ControlMaster=no", "ControlPath=none"]
        return [f"ControlMaster={'yes' if first else 'no'}", f"ControlPath={socket}", "ControlPersist=no"]
