"""Requests as a policy function sees them."""

from __future__ import annotations

import copy
from typing import Any, Callable, Dict, List, Mapping, Optional

from ._body import Body
from ._line import b64
from ._ready import Ready
from ._shape import EXTEND_MAX


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
                   message     size in octets, body (use the property body)
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
                   labels      words of the services before (use the property labels)
    ready        what the gateway said about this connection: mode, grants, missing, ...
    body         the message, at the message hook: see Body
    message      the whole JSON object as received

    params is a list of [name, value] pairs, the value None when there is none. To test a policy
    function by itself, use gatepost.testing, or build one: Request({"hook": "mail", "args": {...}}).
    """

    def __init__(
        self,
        message: Mapping[str, Any],
        ready: Optional[Ready] = None,
        *,
        descriptor: Optional[int] = None,
        extend: Optional[Callable[[int], bool]] = None,
    ) -> None:
        """descriptor: that of mode "fd"; the body takes it over. extend: sends a progress of so many milliseconds."""
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
        self.ready = ready or Ready()
        body = self.args.get("body", {}) if self.hook == "message" else {}
        size = self.args.get("size") if self.hook == "message" else None
        self.body = Body(body, size, self.ready.spool, descriptor)
        self._extend = extend

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
    def labels(self) -> List[str]:
        """The labels that services asked before gave: for the session, and for the transaction."""
        return list(self.context.get("labels", ()))

    @property
    def keep_session(self) -> Dict[str, Any]:
        """What this policy kept for the session: accept(keep_session={...}). {} when nothing is kept.

        It is a copy: to change what is kept, give the answer a new one,
        accept(keep_session={**request.keep_session, "seen": 3}).
        """
        return self._kept("session")

    @property
    def keep_transaction(self) -> Dict[str, Any]:
        """The same for the mail transaction."""
        return self._kept("transaction")

    def _kept(self, scope: str) -> Dict[str, Any]:
        kept: Dict[str, Any] = copy.deepcopy(self.message.get("keep", {}).get(scope) or {})
        return kept

    def more_time(self, seconds: float) -> bool:
        """Ask the gateway to wait for this answer for `seconds` from now (0.001 to 3600).

        It may be called again, from async and from plain functions. True: asked. The gateway waits
        at most self.ready.extend_ms(hook) longer than deadline_ms. False: the operator allows
        no more time, or the request is over. Raises ValueError.
        """
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0.001 <= seconds <= EXTEND_MAX / 1000:
            raise ValueError(f"seconds must be a number from 0.001 to {EXTEND_MAX // 1000}, not {seconds!r}")
        if self._extend is None or not self.ready.extend_ms(self.hook):
            return False
        return self._extend(int(seconds * 1000))

    def content(self) -> Optional[bytes]:
        """body.read(), or None in mode "none"."""
        return None if self.body.mode == "none" else self.body.read()
