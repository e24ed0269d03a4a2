"""What a tuning record is valid for: records of two descriptors never mix."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import tvm

from edgeprune.errors import UserError
from edgeprune.lowering import tvm_target
from edgeprune.target import Target
from edgeprune.tuning.estimated_time import model_key

FILE = "descriptor.json"
_FORMAT = 2


@dataclass(frozen=True)
class Descriptor:
    """All that decides how fast generated code is: CPU as LLVM sees it, threads, and the TVM that generated it.

    ``core_model`` is empty where times were measured on the device. Where they were estimated, from cycles by a model
    of its core at its clock, it is a content key of the model and the clock.
    """

    triple: str
    cpu: str
    attributes: tuple[str, ...]
    float_abi: str
    threads: int
    tvm: str
    core_model: str = ""
    format: int = _FORMAT

    @property
    def provenance(self) -> Literal["measured", "estimated"]:
        """Return what the records' times are."""
        return "estimated" if self.core_model else "measured"

    @property
    def key(self) -> str:
        """Return the content key, 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @classmethod
    def read(cls, directory: Path) -> Descriptor:
        """Return whose records lie in ``directory``.

        Raises:
            UserError: there is no descriptor, or it is of another version of edgeprune.
        """
        path = directory / FILE
        try:
            return cls.parse(path.read_bytes(), str(path))
        except OSError as error:
            raise UserError(f"{path}: not a descriptor of tuning records ({error.strerror})") from None

    @classmethod
    def parse(cls, content: bytes, name: str) -> Descriptor:
        """Return the descriptor in a file's ``content``, which an error calls ``name``.

        Raises:
            UserError: it is none, or of another version of edgeprune.
        """
        try:
            found = json.loads(content)
            if found["format"] != _FORMAT:
                raise UserError(f"{name}: written by another version of edgeprune; remove this directory")
            descriptor = cls(**(found | {"attributes": tuple(found["attributes"])}))
            # It names a directory, and comes from other machines.
            if not re.fullmatch(r"[\w.+-]*", descriptor.cpu, re.ASCII):
                raise ValueError(f"a CPU called {descriptor.cpu!r}")
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{name}: not a descriptor of tuning records ({error})") from None
        return descriptor

    def directory(self, root: Path) -> Path:
        """Return where records of this descriptor lie under ``root``."""
        return root / f"{self.cpu}-{self.key}"

    def stamp(self, directory: Path) -> None:
        """Claim ``directory`` for this descriptor, or check that it was claimed for the same.

        Raises:
            UserError: the records in ``directory`` were measured for another CPU, thread count or TVM version.
        """
        path = directory / FILE
        if not path.exists():
            directory.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(FILE + ".unfinished")
            unfinished.write_text(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n", encoding="utf-8")
            unfinished.replace(path)
            return
        self._check(path)

    def _check(self, path: Path) -> None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: not a descriptor of tuning records ({error}); remove this directory") from None
        wanted = json.loads(json.dumps(asdict(self)))
        if not isinstance(found, dict) or found.keys() != wanted.keys():
            raise UserError(f"{path}: not a descriptor of tuning records; remove this directory")
        differing = [key for key in sorted(wanted | found) if wanted.get(key) != found.get(key)]
        if differing:
            pairs = ", ".join(f"{key} {found.get(key)!r} (here {wanted.get(key)!r})" for key in differing)
            raise UserError(f"{path}: these records are of another device: {pairs}; move this directory away")


def siblings(one: Descriptor, other: Descriptor) -> bool:
    """Return whether both run the same instructions and are of one TVM: what is fast on one is a good first guess."""
    return one.key != other.key and (one.triple, one.tvm) == (other.triple, other.tvm)


def require_same_code(found: Descriptor, wanted: Descriptor, name: str) -> None:
    """Refuse schedules that were searched for another CPU; threads, and how times were found, change no code.

    Raises:
        UserError: those called ``name`` are of ``found``, another CPU or TVM than ``wanted``.
    """
    keys = ("triple", "cpu", "attributes", "float_abi", "tvm")
    differing = [key for key in keys if getattr(found, key) != getattr(wanted, key)]
    if differing:
        pairs = ", ".join(f"{key} {getattr(found, key)!r} (here {getattr(wanted, key)!r})" for key in differing)
        raise UserError(f"{name}: tuned for another device: {pairs}; tune for this one")


def describe(target: Target) -> Descriptor:
    """Return the descriptor of ``target`` as this TVM generates code for it, with ``native`` resolved to the CPU."""
    resolved = tvm_target(target)
    attributes = resolved.attrs
    return Descriptor(
        triple=str(attributes.get("mtriple", "")),
        cpu=str(attributes.get("mcpu", "")),
        attributes=tuple(str(attribute) for attribute in attributes.get("mattr", ())),
        float_abi=str(attributes.get("mfloat-abi", "")),
        threads=int(attributes.get("num-cores", 1)),
        tvm=str(tvm.__version__),
        core_model=model_key(target) if target.emulated else "",
    )
