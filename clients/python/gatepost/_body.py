"""The message as a service gets it: one way to read it, whatever the mode."""

from __future__ import annotations

import io
import os
import stat
import threading
from typing import Any, BinaryIO, Mapping, Optional

from ._line import WireError, b64


class ContentError(OSError):
    """The content of a message could not be had. Left uncaught, it becomes a temporary failure."""


class Body:
    """The message of a request at the message hook.

    mode      "none", "headers", "inline", "path" or "fd": how it came, see Service(body=...)
    size      octets of the whole message, None outside the message hook
    complete  whether open() and read() give the whole message

    "inline", "path" and "fd" give the whole message, "headers" its header section with the empty
    line that ends it. In "none", and outside the message hook, reading raises ContentError.
    The octets are those of the client.

    Open it before the function returns. What open() gave can be read longer, and is the caller's to
    close. After the answer (or the cancellation) open() raises ContentError.
    """

    def __init__(self, fields: Mapping[str, Any], size: Optional[int], spool: Optional[str], descriptor: Optional[int]) -> None:
        self.mode = str(fields.get("mode", "none"))
        self.size = size
        self._fields = fields
        self._spool = spool
        self._descriptor = descriptor
        self._lock = threading.Lock()  # a plain function runs in a thread, and its request may end meanwhile

    @property
    def complete(self) -> bool:
        return self.mode in ("inline", "path", "fd")

    @property
    def headers_trunc(self) -> Optional[int]:
        """In mode "headers": the full length in octets of headers that were cut, else None."""
        value = self._fields.get("headers_trunc")
        return value if isinstance(value, int) else None

    def open(self) -> BinaryIO:
        """A binary file to read the message from, at its start. In "path" and "fd" its fileno() can be passed on.

        In "path" and "fd" reading waits for the disk: from an async function do it with
        asyncio.to_thread(). Raises ContentError when the message cannot be had, or does not have the announced size.
        """
        try:
            if self.mode == "headers":
                return io.BytesIO(b64(self._fields.get("headers_b64")))
            if self.mode == "inline":
                data = b64(self._fields.get("data_b64"))
                self._check_size(len(data))
                return io.BytesIO(data)
        except WireError as error:
            raise ContentError(str(error)) from None
        if self.mode == "path":
            return self._checked(_open_below(self._spool, self._fields.get("path")))
        if self.mode == "fd":
            with self._lock:
                if self._descriptor is None:
                    raise ContentError("there is no descriptor: the request is over, or the gateway sent none")
                return self._checked(os.dup(self._descriptor))
        raise ContentError('there is no content: register the message hook, with Service(body=["path"]) or another mode')

    def read(self) -> bytes:
        """All that open() gives. Raises ContentError."""
        try:
            with self.open() as file:
                return file.read()
        except ContentError:
            raise
        except OSError as error:
            raise ContentError(error.errno, error.strerror) from error

    def _check_size(self, size: int) -> None:
        if size != self.size:
            raise ContentError(f"the message has {size} octets instead of {self.size}")

    def _checked(self, descriptor: int) -> BinaryIO:
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ContentError("the message is not a regular file")
            self._check_size(status.st_size)
        except BaseException:
            os.close(descriptor)
            raise
        return io.BufferedReader(_File(descriptor))

    def close(self) -> None:
        """The request is over: the gateway's descriptor is given back."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


class _File(io.RawIOBase):
    """Reads a descriptor at a position of its own: one that was passed or duplicated shares its position with others."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self.closed:
            raise ValueError("the file is closed")
        return self._descriptor

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self.fileno(), [buffer], self._position)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self.fileno()).st_size}[whence]
        if base + offset < 0:
            raise ValueError("negative position")
        self._position = base + offset
        return self._position

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


def _open_below(spool: Optional[str], path: object) -> int:
    """Opens `path` below the spool, and nothing that lies outside it."""
    if not spool or not os.path.isabs(spool):
        raise ContentError("the gateway named no spool directory")
    if not isinstance(path, str) or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ContentError(f"unsafe path {path!r}")
    full = os.path.join(spool, path)
    if os.path.realpath(full) != os.path.join(os.path.realpath(spool), path):
        raise ContentError(f"{path!r} is or passes a symbolic link")
    try:
        return os.open(full, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ContentError(error.errno, error.strerror, full) from error
