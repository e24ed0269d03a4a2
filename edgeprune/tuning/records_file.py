"""Tuning records as one file, to carry from machine to machine: a zip with the database's own files in it."""

from __future__ import annotations

import errno
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import tvm

from edgeprune.errors import StageFailure, UserError
from edgeprune.tuning.database import Database
from edgeprune.tuning.descriptor import FILE as DESCRIPTOR
from edgeprune.tuning.descriptor import Descriptor
from edgeprune.tuning.merge import Merged, merge

# Equal records give equal bytes, whenever they are exported.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_MOST_BYTES = 1 << 30


def export_records(source: Database, file: Path, workloads: Collection[str] | None = None) -> Merged:
    """Write the trials of ``source`` (of ``workloads`` only, if given) to ``file`` and return how many.

    An earlier export in ``file`` is replaced, whole or not at all.

    Raises:
        UserError: there are no trials to write, or ``file`` cannot be written or is something else.
        StageFailure: the disk is full.
    """
    if file.exists():
        read_descriptor(file)  # what edgeprune did not write is left alone
    with tempfile.TemporaryDirectory(prefix="edgeprune-records-") as scratch:
        copy = Path(scratch) / "records"
        merged = merge(source, Database(copy, Descriptor.read(source.directory)), workloads)
        if not merged.added:
            raise UserError(f"{source.directory}: no trials to export; 'edgeprune tune MODEL.onnx' makes them")
        unfinished = file.with_name(file.name + ".unfinished")
        try:
            _pack(copy, unfinished)
            unfinished.replace(file)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            if error.errno == errno.ENOSPC:
                raise StageFailure(f"{file}: cannot be written: {error.strerror}") from None
            raise UserError(f"{file}: cannot be written: {error.strerror}; choose another --out") from None
    return merged


def import_records(file: Path, root: Path) -> tuple[Descriptor, Merged]:
    """Add the trials in ``file`` to their device's database under ``root``; return whose they are and how many.

    Raises:
        UserError: the file is damaged, or its records were made by another TVM, whose kernels differ.
        StageFailure: the disk is full; what was added stays.
    """
    descriptor = read_descriptor(file)
    if descriptor.tvm != tvm.__version__:
        raise UserError(f"{file}: records of TVM {descriptor.tvm}; this is TVM {tvm.__version__}: tune again")
    with tempfile.TemporaryDirectory(prefix="edgeprune-records-") as scratch:
        directory = Path(scratch)
        for name, content in _entries(file).items():
            (directory / name).write_bytes(content)
        with _naming(file, directory):
            source = Database(directory, descriptor)
        if source.dropped_bytes:
            raise UserError(f"{file}: a record in it is cut off; export it again")
        return descriptor, merge(source, Database(descriptor.directory(root), descriptor))


def read_descriptor(file: Path) -> Descriptor:
    """Return whose records are in ``file``.

    Raises:
        UserError: the file is damaged.
    """
    found = _entries(file, only=DESCRIPTOR)
    if DESCRIPTOR not in found:
        raise _foreign(file, f"it has no {DESCRIPTOR}")
    return Descriptor.parse(found[DESCRIPTOR], f"{file}: {DESCRIPTOR}")


def _pack(directory: Path, file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(directory.iterdir()):
            if path.suffix in (".json", ".jsonl"):
                entry = zipfile.ZipInfo(path.name, _TIMESTAMP)
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def _entries(file: Path, only: str | None = None) -> dict[str, bytes]:
    """Return the files in ``file`` by name, without a path, which must not reach outside a directory."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise UserError(f"{file}: more than {_MOST_BYTES >> 20} MiB of records; this is no export of edgeprune")
            named = {Path(entry.filename).name: entry for entry in entries if not entry.is_dir()}
            return {name: archive.read(entry) for name, entry in named.items() if only in (None, name)}
    except OSError as error:
        raise _foreign(file, str(error.strerror)) from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _foreign(file, str(error)) from None


def _foreign(file: Path, reason: str) -> UserError:
    return UserError(f"{file}: not a file of tuning records ({reason}); 'edgeprune tune export' makes one")


@contextmanager
def _naming(file: Path, directory: Path) -> Iterator[None]:
    """Say of an error in an unpacked file which file it is in, of those that the user knows."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{file}: {str(error).replace(f'{directory}/', '')}, or export it again") from None
