"""Facts in the form of a request: octets of clients, mailboxes, bodies."""

from __future__ import annotations

import base64
import os
import random
import re
import tempfile
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from ._header import header_section

Octets = Union[str, bytes]
Params = Sequence[Tuple[Octets, Optional[Octets]]]

INLINE = 65536
HEADERS = 262144
_NOT_SHOWN = re.compile("[\0\udc80-\udcff]")


def encode(value: Octets) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else bytes(value)


def base64_of(value: Octets) -> str:
    return base64.b64encode(encode(value)).decode("ascii")


def shown(value: Octets) -> Tuple[str, bool]:
    """The text of a client's octets, and whether it is exact."""
    text = encode(value).decode("utf-8", "surrogateescape")
    seen = _NOT_SHOWN.sub("\ufffd", text)
    return seen, "\ufffd" not in seen


def octets(name: str, value: Octets) -> Dict[str, str]:
    text, exact = shown(value)
    return {name: text} if exact else {name: text, name + "_b64": base64_of(value)}


def _params(params: Params) -> Dict[str, Any]:
    pairs = [[shown(name), None if value is None else shown(value)] for name, value in params]
    fields: Dict[str, Any] = {"params": [[name[0], value and value[0]] for name, value in pairs if name]}
    if not all(part is None or part[1] for pair in pairs for part in pair):
        fields["params_b64"] = [[base64_of(name), None if value is None else base64_of(value)] for name, value in params]
    return fields


def mailbox(address: Octets, params: Params = ()) -> Dict[str, Any]:
    """As the gateway takes an address apart: without the quoting of its local part."""
    whole = encode(address)
    local, at, domain = whole.rpartition(b"@")
    if not at:
        local, domain = whole, b""
    if len(local) >= 2 and local.startswith(b'"') and local.endswith(b'"'):
        local = re.sub(rb"\\(.)", rb"\1", local[1:-1], flags=re.DOTALL)
    return {**octets("address", whole), **octets("local", local), **octets("domain", domain), **_params(params)}


def identifier() -> str:
    """Like the ids of sessions and transactions: 20 characters."""
    return "".join(random.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=20))


class Content:
    """A message in one body mode: the fields of the request, and the descriptor that comes with it."""

    def __init__(self, content: bytes, mode: str, spool: Optional[str]) -> None:
        self.fields: Dict[str, Any] = {"mode": mode}
        self.descriptor: Optional[int] = None
        self._path: Optional[str] = None
        if mode == "headers":
            header = header_section(content)
            self.fields["headers_b64"] = base64_of(header[:HEADERS])
            if len(header) > HEADERS:
                self.fields["headers_trunc"] = len(header)
        elif mode == "inline":
            self.fields["data_b64"] = base64_of(content)
        elif mode == "path" and spool is not None:
            self.fields["path"] = identifier() + ".eml"
            self._path = os.path.join(spool, self.fields["path"])
            with open(self._path, "xb") as file:
                file.write(content)
        elif mode == "fd":
            with tempfile.NamedTemporaryFile() as file:
                file.write(content)
                file.flush()
                self.descriptor = os.open(file.name, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """The reply is there: the file is gone. The descriptor is its request's."""
        if self._path is not None:
            os.unlink(self._path)
