"""Archives: files of named members, written whole or not at all, each member checked against its checksum when read.

A file is written beside its target, flushed, and put in its place in one move, then the folder is flushed: whatever
happens in between, a power cut included, a reader finds the old file or the new one.

    open beside it ─► write ─► flush ─► the old file's permissions ─► rename ─► flush the folder

An archive is a zip without compression. Variables are members in the safetensors format; nothing in one is code.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import FileError
from chainrule.graph.variable import Variable
from chainrule.interop import safetensors
from chainrule.naming import free_name

UNFINISHED = ".unfinished"
"""How the names of files end that are being written, or were when the process was killed."""

_NO_FOLDER_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # file systems that know no such thing


def write_file(path: Any, contents: bytes, keep: Any = None) -> None:
    """Put `contents` in the place of a file, whole or not at all.

    Args:
        path: of the file; a link is followed, and stays one.
        keep: where the file that was there goes, if it is to be kept.

    Raises:
        FileError: where the disk is full or the folder may not be written to; the old file stays.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}{UNFINISHED}")
    placed = False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_flushed(beside, contents)
        if target.is_file():
            os.chmod(beside, target.stat().st_mode & 0o777)
            if keep is not None:
                os.replace(target, keep)
        os.replace(beside, target)
        placed = True
        _flush_folder(target.parent)
    except OSError as error:
        kept = "the file is written, but may not outlast a power cut" if placed else "the old file is as it was"
        raise FileError(
            "the file could not be written",
            where=str(path),
            expected="a folder with room and permission",
            got=error.strerror or str(error),
            fix=f"free some space or choose another folder; {kept}",
        ) from None
    finally:
        if not placed:
            with contextlib.suppress(OSError):
                os.unlink(beside)


def _write_flushed(path: Path, contents: bytes) -> None:
    """A new file that is on the disk when this returns."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, 0o666)
    try:
        left = memoryview(contents)
        while left:
            left = left[os.write(handle, left[: 1 << 30]) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    """Make a rename in this folder outlast a power cut."""
    if os.name == "nt":  # a folder cannot be opened there, and the system orders renames itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_FLUSH:
            raise
    finally:
        os.close(handle)


def remove_unfinished(folder: Any) -> None:
    """Delete what killed processes left half written in a folder that belongs to this process alone."""
    for path in Path(folder).glob(f".*{UNFINISHED}"):
        with contextlib.suppress(OSError):
            path.unlink()


def write_archive(path: Any, members: Mapping[str, bytes], keep: Any = None) -> None:
    """Write an archive; see `write_file`. Equal members are equal files: the dates in it are fixed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, contents in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), contents)
    write_file(path, buffer.getvalue(), keep)


def read_archive(path: Any, what: str = "a model") -> dict[str, bytes]:
    """The members of an archive.

    Raises:
        FileError: where there is none, or a checksum does not hold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
                    raise zipfile.BadZipFile(f"'{entry.filename}' is compressed")
            return {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError:
        raise FileError("there is no such file", where=str(path), fix="check the path") from None
    except (
        zipfile.BadZipFile,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        struct.error,
        OverflowError,
        MemoryError,
    ) as error:
        raise FileError(
            f"this is not {what}, or it is damaged",
            where=str(path),
            expected="a file written by chainrule",
            got=str(error),
            fix="use another copy of the file",
        ) from None


# -- Variables ----------------------------------------------------------------------------------------------------


def name_variables(variables: Sequence[Variable]) -> dict[str, Variable]:
    """Variables by name, in order; a name that was there before gets a number."""
    named: dict[str, Variable] = {}
    for variable in variables:
        named[free_name(variable.name, named)] = variable
    return named


def dump_variables(variables: Sequence[Variable]) -> bytes:
    """The values of Variables as safetensors."""
    return safetensors.dump({name: variable.memory for name, variable in name_variables(variables).items()})


def check_fit(variables: Sequence[Variable], arrays: Mapping[str, np.ndarray], where: str, what: str) -> None:
    """Refuse arrays that are not one for each Variable, in order and of its shape; names may differ.

    Raises:
        FileError: with the first that does not fit.
    """
    if len(arrays) != len(variables):
        raise FileError(f"another number of {what}s", where=where, expected=len(variables), got=len(arrays))
    for variable, (name, array) in zip(variables, arrays.items(), strict=True):
        if variable.shape != array.shape:
            raise FileError(
                f"the {what} '{name}' has another shape",
                where=where,
                expected=f"{variable.name} {variable.shape}",
                got=array.shape,
            )


def assign_variables(variables: Sequence[Variable], arrays: Mapping[str, np.ndarray]) -> None:
    """Give each Variable the array of its place."""
    for variable, array in zip(variables, arrays.values(), strict=True):
        variable.assign(array)
