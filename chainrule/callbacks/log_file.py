"""A file that a callback adds to as training goes on, and that is cut back when a run starts again from a backup."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from chainrule.errors import FileError


class LogFile:
    """Bytes added at the end of a file, which is opened when the first come.

    What was written after the last backup, before a run was killed, will be written again: `set_state` drops it.

    Args:
        append: whether to keep what is in the file already.
    """

    def __init__(self, path: Any, append: bool = False):
        self.path, self.append = Path(path), append
        self.file: BinaryIO | None = None
        self.size: int | None = None  # of the part that was written before a backup

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it yet."""
        return self.open().tell() == 0

    def open(self) -> BinaryIO:
        """The file, at its end."""
        if self.file is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                kept = self.append or self.size is not None
                self.file = self.path.open("r+b" if kept and self.path.exists() else "wb")
                if self.size is not None:
                    self.file.truncate(min(self.size, os.path.getsize(self.path)))
                self.file.seek(0, os.SEEK_END)
            except OSError as error:
                raise self._refused(error) from None
        return self.file

    def write(self, contents: bytes) -> None:
        """Add to the file; it can be read at once."""
        file = self.open()
        try:
            file.write(contents)
            file.flush()
        except OSError as error:
            raise self._refused(error) from None

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None

    def _refused(self, error: OSError) -> FileError:
        return FileError(
            "the file cannot be written",
            where=str(self.path),
            expected="a folder with room and permission",
            got=error.strerror or str(error),
        )

    def get_state(self) -> int | None:
        """The size to come back to; None where nothing was written."""
        return self.size if self.file is None else self.file.tell()

    def set_state(self, size: int | None) -> None:
        self.close()
        self.size = size
