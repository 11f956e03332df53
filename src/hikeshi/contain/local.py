# SPDX-License-Identifier: Apache-2.0
"""What connectors to servers on this host share: running their programs, and editing their files so that none is ever half.

Far sides are believed by what they show afterwards, so nothing here takes an exit code for a proof.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hikeshi.contain.contract import ConnectorError, LaterError

#: where the programs are if PATH does not say
_USUALLY: Final = "/usr/sbin:/usr/local/sbin:/sbin:/usr/bin"
#: seconds for one program; a large mailbox on a slow disk takes a while
_PATIENCE: Final = 120


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """Its last line of complaint, else how it ended."""
        lines = self.err.strip().splitlines()
        return lines[-1] if lines else f"exit code {self.code}"


def run(program: str, *arguments: str, text: str = "") -> Said:
    """Run a program of this host to its end.

    Raises:
        ConnectorError: it is not there or cannot be run.
        LaterError: it did not end in time.

    """
    path = shutil.which(program) or shutil.which(program, path=_USUALLY)
    if path is None:
        raise ConnectorError(f"{program}: not found; run this on the mail server itself, or name it in the settings")
    try:
        done = subprocess.run(  # noqa: S603 - the server's own program, no shell; names were looked at before
            [path, *arguments],
            input=text, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False,
            timeout=_PATIENCE, env=os.environ | {"LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise LaterError(f"{program}: did not end within {_PATIENCE} s; look at the server's load and disk") from error
    except (OSError, ValueError) as error:
        raise ConnectorError(f"{path}: {error}") from error
    return Said(done.returncode, done.stdout, done.stderr)


def text_of(path: Path) -> str:
    """Give a file's text; every byte of it comes back when it is written.

    Raises:
        ConnectorError: it is not there or cannot be read.

    """
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise ConnectorError(f"{path}: {error.strerror}{_remedy(error)}") from error


def edit(path: Path, change: Callable[[str], str]) -> bool:
    """Change a file's text and say whether it is another now. Readers see the old file or the new one, whole.

    Owner and mode stay; of a link the file behind it is changed. Two who edit wait for one another.

    Raises:
        ConnectorError: it cannot be read or written.

    """
    real = Path(os.path.realpath(path))
    with _locked(real.parent):
        old = text_of(real)
        new = change(old)
        if new != old:
            _replace(real, new)
    return new != old


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.hikeshi")
    try:
        was = path.stat()
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), was.st_uid, was.st_gid)
            os.fchmod(file.fileno(), was.st_mode & 0o7777)
            file.flush()
            # Servers tell a new file by whole seconds and size, so one of the same second and size would stay unseen.
            now = max(os.fstat(file.fileno()).st_mtime, int(was.st_mtime) + 1)
            os.utime(file.fileno(), (now, now))
            os.fsync(file.fileno())
        beside.replace(path)
        _sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise ConnectorError(f"{path}: cannot be written: {error.strerror}{_remedy(error)}") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConnectorError(f"{folder}: {error.strerror}{_remedy(error)}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remedy(error: OSError) -> str:
    return "; run this with sudo" if isinstance(error, PermissionError) else ""
