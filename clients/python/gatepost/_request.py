"""Requests as a policy function sees them."""

from __future__ import annotations

import os
import stat
from typing import Any, Dict, Mapping, Optional

from .wire import WireError, b64


class ContentError(OSError):
    """The content of a message could not be had. Left uncaught, it becomes a temporary failure."""


def raw(fields: Mapping[str, Any], name: str) -> bytes:
    """The exact bytes of the client-supplied string `name` in `fields`.

    Bytes that are not UTF-8 appear as U+FFFD in fields[name]; this gives what the client sent.
    Raises KeyError when there is no such field.
    """
    if name + "_b64" in fields:
        return b64(fields[name + "_b64"])
    value = fields[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return value.encode("utf-8")


def mailbox(fields: Mapping[str, Any]) -> str:
    """"local@domain" in lower case with quoting removed, for comparisons and keys; "" for the null sender.

    `fields` is an object with "local" and "domain", such as request.args at mail and rcpt,
    request.context["mail"], or an entry of request.context["recipients"].
    """
    local, domain = str(fields.get("local", "")), str(fields.get("domain", ""))
    return (f"{local}@{domain}" if domain else local).lower()


class Request:
    """One question of the gateway, or the notification of a disconnect.

    hook         "connect", "ehlo", "starttls", "secure", "auth", "mail", "rcpt", "data", "message" or
                 "disconnect"
    session      id of the SMTP connection, 20 characters
    transaction  id of the mail transaction, None outside one
    id, key      number on this channel; idempotency key (None in a disconnect notification)
    attempt      1; 2 when the same question (the same key) was on a connection that was lost
    deadline_ms  milliseconds left for the answer when the gateway wrote the request, or None
    args         what this hook is about:
                   ehlo        verb, name
                   auth        mechanism, user, maybe authzid (whom to act as), and password (PLAIN, LOGIN)
                               or token (XOAUTH2, OAUTHBEARER). Keep both out of logs
                   mail        address, local, domain, params
                   rcpt        the same, index (from 1), accepted (recipients accepted so far)
                   data        recipients (how many)
                   message     size in octets, body (use content())
                   disconnect  reason, commands, messages, errors
    context      what is known so far; an unknown fact is an absent key:
                   client      ip, port, maybe name and name_verified (by the DNS), maybe proxy (the
                               load balancer: ip, port, tls, authority, ...)
                   listener    name, ip, port
                   helo        verb, name
                   tls         version, cipher, bits, maybe sni, maybe peer (the client's certificate:
                               verified, subject, issuer, fingerprint)
                   auth        mechanism, user: who has logged in
                   mail        address, local, domain, params
                   recipients  a list of such objects; only at data and message
    message      the whole JSON object as received

    params is a list of [name, value] pairs, the value None when there is none. To test a policy
    function by itself, build one: Request({"hook": "mail", "args": {...}, "context": {...}}).
    """

    def __init__(self, message: Mapping[str, Any], spool: Optional[str] = None) -> None:
        self.message = message
        self.hook: str = message["hook"]
        self.id: Optional[int] = message.get("id")
        self.key: Optional[str] = message.get("key")
        self.session: str = message.get("session", "")
        self.transaction: Optional[str] = message.get("transaction")
        self.attempt: int = message.get("attempt", 1)
        self.deadline_ms: Optional[int] = message.get("deadline_ms")
        self.args: Dict[str, Any] = message.get("args", {})
        self.context: Dict[str, Any] = message.get("context", {})
        self._spool = spool

    def __repr__(self) -> str:
        return f"<gatepost.Request {self.key or self.hook + ' ' + self.session}>"

    @property
    def client_ip(self) -> Optional[str]:
        """The client's address, or None when it is not known."""
        ip = self.context.get("client", {}).get("ip")
        return ip if isinstance(ip, str) else None

    @property
    def mailbox(self) -> str:
        """At mail the sender, at rcpt the recipient: see the function mailbox()."""
        return mailbox(self.args)

    @property
    def sender(self) -> Optional[str]:
        """The sender of the transaction as mailbox() gives it: "" if null, None if there is none yet."""
        if self.hook == "mail":
            return mailbox(self.args)
        return mailbox(self.context["mail"]) if "mail" in self.context else None

    def raw(self, name: str) -> bytes:
        """The exact bytes the client sent for a field of args, such as raw("address").

        A dotted name means the context: raw("helo.name"), raw("mail.address"), raw("tls.sni").
        Raises KeyError when there is no such field.
        """
        fields: Any = self.args
        *path, last = name.split(".")
        if path:
            fields = self.context
            for part in path:
                fields = fields[part]
        return raw(fields, last)

    @property
    def body_mode(self) -> str:
        """How the message came: "none", "headers", "inline" or "path". "none" outside the message hook."""
        mode = self.args.get("body", {}).get("mode", "none") if self.hook == "message" else "none"
        return str(mode)

    @property
    def headers_trunc(self) -> Optional[int]:
        """In mode "headers": the full length in octets of headers that were cut, else None."""
        value = self.args.get("body", {}).get("headers_trunc")
        return value if isinstance(value, int) else None

    def content(self) -> Optional[bytes]:
        """The exact octets of the message whatever the mode: None in "none", the header section in "headers".

        In mode "path" this reads the file, at once and whole; from an async function, large
        messages are better read with `await asyncio.to_thread(request.content)`. The file is
        there only until the answer is given. Raises ContentError when the content cannot be had
        or does not have the announced size.
        """
        mode = self.body_mode
        if mode == "none":
            return None
        body = self.args["body"]
        try:
            if mode == "headers":
                return b64(body.get("headers_b64"))
            if mode == "inline":
                data = b64(body.get("data_b64"))
            elif mode == "path":
                data = _read(self._spool, body.get("path"))
            else:
                raise ContentError(f"unknown body mode {mode!r}")
        except WireError as error:
            raise ContentError(str(error)) from None
        if len(data) != self.args.get("size"):
            raise ContentError(f"the message has {len(data)} octets instead of {self.args.get('size')}")
        return data


def _read(spool: Optional[str], path: object) -> bytes:
    """Read `path` below the spool, and nothing that lies outside it."""
    if not spool or not os.path.isabs(spool):
        raise ContentError("the gateway named no spool directory")
    if not isinstance(path, str) or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ContentError(f"unsafe path {path!r}")
    full = os.path.join(spool, path)
    if os.path.realpath(full) != os.path.join(os.path.realpath(spool), path):
        raise ContentError(f"{path!r} is or passes a symbolic link")
    try:
        fd = os.open(full, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ContentError(f"{path!r} is not a regular file")
            return file.read()
    except ContentError:
        raise
    except OSError as error:
        raise ContentError(error.errno, error.strerror, full) from error
