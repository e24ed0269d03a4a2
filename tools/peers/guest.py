"""What runs inside the emulator: one engine loads a prepared network and marks one inference for the counting plugin.

    python guest.py ENGINE PREPARED SIGNATURE.json INPUTS.npz OUTPUTS.npz

The mark is a system call that no kernel knows, as the benchmark executable makes it. One inference before it warms up
what runs once.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import sys
from pathlib import Path

import numpy as np

from peers.engine import ENGINES, Signature

_REGION = 0x45505231


def main() -> None:
    """Run the engine that the arguments name."""
    engine_name, prepared, signature_file, inputs_file, outputs_file = sys.argv[1:]
    signature = Signature(**json.loads(Path(signature_file).read_text()))
    engine = importlib.import_module(ENGINES[engine_name]).load(Path(prepared), signature, 1)
    with np.load(inputs_file) as stored:
        engine.set_inputs([stored[str(index)] for index in range(len(stored.files))])
    engine.infer()
    mark = ctypes.CDLL(None).prctl
    mark.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    mark(_REGION, 1, 0, 0, 0)
    engine.infer()
    mark(_REGION, 0, 0, 0, 0)
    found = signature.shaped(engine.outputs())
    np.savez(outputs_file, **{str(index): value for index, value in enumerate(found)})
    print(engine.version, file=sys.stderr)


if __name__ == "__main__":
    main()
