"""The cache of compiled code on disk: one file a kernel, checked before it is used.

The key is a hash of the kernel's text, the processor and the versions of the compiler. A file holds the hash of its
contents in front; one that is damaged, truncated or foreign does not match and is compiled again, never trusted.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from pathlib import Path

from chainrule import settings

_DIGEST = 32


def make_key(*parts: str) -> str:
    """A name for compiled code: a hash of all it was made from."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


@functools.cache
def compiler_version() -> str:
    """A hash of the compiler's own sources and of LLVM's version, so that a change of either misses the cache."""
    import llvmlite

    package = Path(__file__).resolve().parent.parent
    digest = hashlib.blake2b(llvmlite.__version__.encode(), digest_size=16)
    for folder in ("compiler", "ops", "graph", "runtime"):
        for path in sorted((package / folder).rglob("*.py")):
            stat = path.stat()
            digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()


def load(key: str) -> bytes | None:
    """The compiled code of this key, or None."""
    folder = settings.cache_folder()
    if folder is None:
        return None
    try:
        contents = (folder / key[:2] / key).read_bytes()
    except OSError:
        return None
    digest, code = contents[:_DIGEST], contents[_DIGEST:]
    return code if code and hashlib.blake2b(code, digest_size=_DIGEST).digest() == digest else None


def store(key: str, code: bytes) -> None:
    """Keep compiled code; a folder that cannot be written to is no error."""
    folder = settings.cache_folder()
    if folder is None:
        return
    target = folder / key[:2] / key
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.blake2b(code, digest_size=_DIGEST).digest() + code)
            os.replace(name, target)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
