"""TVM's own RPC server of the wheel for 64-bit ARM, under QEMU's user mode: a board of another CPU on this machine.

    python tools/emulated_rpc_server.py --port 9090
    edgeprune targets check rpi3@rpc://127.0.0.1:9090

Its session starts processes of its own, so that Linux must know what to do with programs for ARM: QEMU is registered
for them (binfmt_misc) in a user namespace that ends with the server; nobody else on this machine sees it, and no root
is needed (Linux 6.7 or newer). Python for ARM and the wheels are unpacked once into edgeprune's cache (350 MB). The
server takes a minute to start. Its board computes right answers and lends no times: `edgeprune measure` refuses them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from peers.arm_python import ArmPython, fetch_arm_python, unpack_wheels
from peers.engine import Refused

from edgeprune.cache import cache_directory
from edgeprune.emulation import Qemu, Unavailable, find_qemu

_BESIDE_TVM = ("psutil", "cloudpickle", "tornado", "ml_dtypes", "typing_extensions")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TVM_NUM_THREADS")
# An ELF file of 64 bits for AArch64, executable or position independent (Linux, Documentation/admin-guide/binfmt-misc).
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
# An interrupt ends the server, and with the first process of its namespace everything in that; so does SIGKILL.
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child")
_REGISTER = """\
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && printf %s "$1" > /proc/sys/fs/binfmt_misc/register || exit 1
shift
exec "$@"
"""


def main() -> None:
    """Become the server; arguments beyond ``--cpu`` and ``--port`` are its own (``--tracker``, ``--key``)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9090)
    parser.add_argument("--cpu", default="cortex-a53", help="what QEMU emulates [cortex-a53]")
    given, own = parser.parse_known_args()
    if shutil.which("unshare") is None:
        sys.exit("unshare is not on this machine (Debian: util-linux)")
    qemu = find_qemu("qemu-aarch64", cpu=given.cpu)
    if isinstance(qemu, Unavailable):
        sys.exit(f"{qemu.reason}; {qemu.mend}")
    try:
        python, packages = fetch_arm_python("aarch64"), _fetch_tvm()
    except Refused as refusal:
        sys.exit(str(refusal))
    server = [str(python.interpreter), "-m", "tvm.exec.rpc_server", "--host", "127.0.0.1"]
    server += ["--port", str(given.port), "--port-end", str(given.port + 1), *own]
    entry = f":edgeprune-aarch64:M::{_MAGIC}:{_MASK}:{_write_interpreter(qemu, given.cpu, python)}:"
    environment = os.environ | dict.fromkeys(_THREADS, "1") | {"PYTHONPATH": str(packages)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    os.execvpe(_NAMESPACE[0], [*_NAMESPACE, "sh", "-c", _REGISTER, "sh", entry, *server], environment)


def _fetch_tvm() -> Path:
    """Return the directory of TVM's packages for ARM, of the versions installed here."""
    pinned = [f"{name}=={version(name)}" for name in ("apache-tvm", "apache-tvm-ffi", "numpy")]
    place = cache_directory("arm-python") / f"tvm-{version('apache-tvm')}"
    if not place.is_dir():
        with tempfile.TemporaryDirectory(dir=place.parent, prefix="fetch-") as scratch:
            made = Path(scratch) / "packages"
            unpack_wheels("aarch64", (*pinned, *_BESIDE_TVM), Path(scratch) / "wheels", made)
            made.rename(place)
    return place


def _write_interpreter(qemu: Qemu, cpu: str, python: ArmPython) -> Path:
    """Write what Linux starts in place of a program for ARM; the program must not see QEMU's own libraries."""
    libraries = " ".join(f"{name}='{value}'" for name, value in qemu.environment().items())
    command = f"'{qemu.path}' -cpu {cpu} -L '{python.root}' -U LD_LIBRARY_PATH"
    path = cache_directory("arm-python") / f"interpreter-{cpu}"
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(f'#!/bin/sh\nexec env {libraries} {command} "$@"\n')
    partial.chmod(0o755)
    partial.replace(path)
    return path


if __name__ == "__main__":
    main()
