"""Compiled code on disk."""

import os
import sys
import tempfile
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path

# Bytes of the digest before the code: what was damaged or not written to its end is compiled anew.
DIGEST = 32
SUFFIX = ".o"
# Files that are kept; each has some ten kilobytes.
MOST = 2000


def cache_folder() -> Path:
    """The user's folder for what can be made again; ``$XDG_CACHE_HOME`` where it is set."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # A relative one is to be ignored, says the specification.
    if given.is_absolute():
        return given
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def digest(key: str, code: bytes) -> bytes:
    """What tells that a file has this code, whole, and of this key."""
    return sha256(key.encode() + code).digest()


class ObjectStore:
    """Code by key, of one processor and one version of the compiler.

    Processes may read and write at the same time: files appear whole. Where the folder cannot be
    written nothing is kept, and all else works.

    Parameters
    ----------
    kind : str
        What the code was compiled by and for.
    """

    def __init__(self, kind: str) -> None:
        self.kind = sha256(kind.encode()).hexdigest()[:16]
        self._held: dict[str, bytes] = {}

    @cached_property
    def folder(self) -> Path | None:
        """Where the files are; None if there cannot be any."""
        try:
            folder = cache_folder() / "mixedlm_pt" / self.kind
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, RuntimeError):
            return None
        return folder

    def read(self, key: str) -> bytes | None:
        """The code, or None."""
        if key not in self._held and self.folder is not None:
            with suppress(OSError):
                content = (self.folder / (key + SUFFIX)).read_bytes()
                code = content[DIGEST:]
                if digest(key, code) == content[:DIGEST]:
                    self._held[key] = code
        return self._held.get(key)

    def write(self, key: str, code: bytes) -> None:
        """Keep the code."""
        if self.folder is None:
            return
        with suppress(OSError):
            self.drop_oldest()
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
                whole = Path(file.name)
            try:
                whole.write_bytes(digest(key, code) + code)
                whole.replace(self.folder / (key + SUFFIX))
            finally:
                # What could not be written to its end, on a full disk, say.
                whole.unlink(missing_ok=True)

    def drop_oldest(self) -> None:
        """Make room for a further file."""
        assert self.folder is not None, "only called with a folder"
        files = list(self.folder.glob("*" + SUFFIX))
        if len(files) >= MOST:
            files.sort(key=lambda path: path.stat().st_mtime)
            for path in files[: MOST // 10]:
                path.unlink(missing_ok=True)
