"""Test a policy without a gateway and without sockets.

    from gatepost.testing import Session

    def test_blocked_sender():
        session = Session(service, client_ip="203.0.113.10")
        answer = session.mail("spam@example.net")
        assert (answer.verdict, answer.code) == ("reject", 550)

A session plays one SMTP client against a gatepost.Service, as a gateway with this policy alone would: it
makes the requests, remembers what the policy keeps, its labels and standing answers, checks the answers by
the gateway's rules, and makes the edits. It has no timeouts and does not check the client's SMTP.

Works with pytest, unittest or nothing. Use AsyncSession in tests that are coroutines.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Coroutine, Optional, TypeVar

from ._answer import Answer
from ._facts import Octets, Params
from ._play import Play, Refused

__all__ = ["Answer", "AsyncSession", "Refused", "Session"]

_T = TypeVar("_T")
_local = threading.local()


def _run(step: Coroutine[Any, Any, _T]) -> _T:
    """All sessions of a thread share a loop, for policies that have things bound to one."""
    loop: Optional[asyncio.AbstractEventLoop] = getattr(_local, "loop", None)
    if loop is None or loop.is_closed():
        loop = _local.loop = _Loop()
    try:
        return loop.run_until_complete(step)
    finally:
        step.close()


class _Loop(asyncio.SelectorEventLoop):
    """Nobody can say which session is the last, so it closes itself."""

    def __del__(self, _warn: Any = None) -> None:
        if not self.is_closed() and not self.is_running():
            self.close()


class Session(Play):
    """One SMTP client against a policy.

    service         the gatepost.Service to test
    client_ip       the client's address (None: it came over a Unix socket), client_port its port
    client_name     its name in the DNS, client_name_verified whether that leads back to the address
    proxy           facts of a load balancer, such as {"ip": "192.0.2.1", "port": 4711}
    listener        the name of the listener
    tls             TLS from the first octet. Otherwise starttls() begins it
    sni             the server name that the client asks for in the TLS handshake
    peer            the client's certificate: {"verified": True, "subject": ..., "issuer": ..., "fingerprint": ...}
    policy          the name of the service in the gateway's configuration
    body            the body mode to use, one of the service's. None: the first that fits, as a gateway chooses
    labels          labels of services asked before
    grants          what the operator grants, such as ["bypass"]
    delivers        the policy answers for the messages: its accept at message needs ref
    deadline_ms     in requests. Nothing ends when it is over
    extend_ms       how much more time the operator allows, 0 for none

    Each step is a method that returns an Answer. A step that is left out is done when a later one needs it: connect, secure
    and ehlo before mail, data before message. When it is refused then, Refused is raised. A
    function that raises an exception, or answers what the gateway would not take, makes the step
    raise it: a gateway would log that and answer tempfail. A step that no client could take raises RuntimeError.

    Plain functions run in the calling thread. Addresses, names and messages are str or bytes: bytes
    that are not UTF-8 arrive as from a real client.
    """

    def connect(self) -> Answer:
        """The client connects."""
        return _run(self.step_connect())

    def secure(self) -> Answer:
        """The TLS handshake is done: after starttls(), or with tls=True before connect()."""
        return _run(self.step_secure())

    def ehlo(self, name: Octets = "mail.example.net", *, verb: str = "EHLO") -> Answer:
        """EHLO, HELO or LHLO."""
        return _run(self.step_ehlo(name, verb=verb))

    def starttls(self) -> Answer:
        """STARTTLS, and when it is accepted the handshake. Then secure() and ehlo() come again."""
        return _run(self.step_starttls())

    def auth(
        self, user: Octets, password: Optional[Octets] = None, *, token: Optional[Octets] = None,
        mechanism: str = "", authzid: Optional[Octets] = None,
    ) -> Answer:  # fmt: skip
        """AUTH with a password (mechanism PLAIN) or a token (XOAUTH2). Under TLS only."""
        return _run(self.step_auth(user, password, token=token, mechanism=mechanism, authzid=authzid))

    def mail(self, address: Octets, *, params: Params = ()) -> Answer:
        """MAIL FROM. "" is the null sender. params: such as [("SIZE", "100"), ("SMTPUTF8", None)]."""
        return _run(self.step_mail(address, params=params))

    def rcpt(self, address: Octets, *, params: Params = ()) -> Answer:
        """RCPT TO. It may be refused, and another one follow."""
        return _run(self.step_rcpt(address, params=params))

    def data(self) -> Answer:
        """DATA, before the message."""
        return _run(self.step_data())

    def message(self, content: Octets) -> Answer:
        """The whole message, and the end of the transaction. In str each line end becomes CRLF; bytes go as they are."""
        return _run(self.step_message(content))

    def rset(self) -> None:
        """RSET: the transaction ends without a message."""
        _run(self.step_rset())

    def disconnect(self, reason: str = "") -> None:
        """The connection ends. reason: as in the protocol, default "quit", or "policy" after a refusal that closed it."""
        _run(self.step_disconnect(reason))


class AsyncSession(Play):
    """Session for coroutines: `answer = await session.mail("alice@example.net")`. All else is the same."""

    connect = Play.step_connect
    secure = Play.step_secure
    ehlo = Play.step_ehlo
    starttls = Play.step_starttls
    auth = Play.step_auth
    mail = Play.step_mail
    rcpt = Play.step_rcpt
    data = Play.step_data
    message = Play.step_message
    rset = Play.step_rset
    disconnect = Play.step_disconnect
