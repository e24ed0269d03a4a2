"""A training phase on disk: one safetensors file that is either the old state or the new one, never half of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

_FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors, and JSON-able facts that go with them."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def below(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose name starts with ``prefix``, without it."""
        return {name.removeprefix(prefix): value for name, value in self.tensors.items() if name.startswith(prefix)}


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], fingerprint: str) -> None:
    """Write a checkpoint, replacing the one before in a single step.

    ``fingerprint`` names what the state belongs to; :func:`load_checkpoint` gives the state only for the same one.
    """
    metadata = {"format": str(_FORMAT), "fingerprint": fingerprint, "facts": json.dumps(facts)}
    # Copies, because tensors that share memory cannot be written; contiguous, because safetensors has no strides.
    owned = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as stream:
        stream.write(save(owned, metadata))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path, fingerprint: str) -> Checkpoint | None:
    """Return the checkpoint at ``path``; None if there is none, or it is unreadable or belongs to something else."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as archive:
            metadata = archive.metadata() or {}
            if metadata.get("format") != str(_FORMAT) or metadata.get("fingerprint") != fingerprint:
                return None
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118  # not a dict
    except SafetensorError:
        return None
    return Checkpoint(tensors, json.loads(metadata["facts"]))


def state_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy(force=True).tobytes())
    return digest.hexdigest()


def facts_digest(facts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON-able facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
