"""A session against a policy, without a gateway and without sockets."""

from __future__ import annotations

import dataclasses
import inspect
import shutil
import tempfile
import weakref
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .. import wire
from .._ready import Ready
from .._request import Request
from .._service import Service
from .._verdict import Verdict, check_answer
from ._answer import OWN_REPLY, Answer, reply_to_client
from ._facts import INLINE, Content, Octets, Params, encode, identifier, mailbox, octets
from ._header import edit_message
from ._memory import Memory

TLS = {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "bits": 256}


class Refused(AssertionError):
    """A step that was only implied (such as connect before mail) was refused. `answer` is its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.hook} was refused with {answer.code} {' '.join(answer.text)}: call it to look at its answer")
        self.answer = answer


class Play:
    """What Session and AsyncSession have in common: each step as a coroutine."""

    def __init__(
        self,
        service: Service,
        *,
        client_ip: Optional[str] = "203.0.113.10",
        client_port: int = 53211,
        client_name: Optional[str] = None,
        client_name_verified: bool = True,
        proxy: Optional[Mapping[str, Any]] = None,
        listener: str = "mx",
        tls: bool = False,
        sni: Optional[Octets] = None,
        peer: Optional[Mapping[str, Any]] = None,
        policy: str = "test",
        body: Optional[str] = None,
        labels: Sequence[str] = (),
        grants: Sequence[str] = (),
        delivers: bool = False,
        deadline_ms: int = 3000,
        extend_ms: int = 60000,
    ) -> None:
        if body is not None and body not in service.body:
            raise ValueError(f"the service takes {', '.join(service.body)}, not {body!r}")
        self.session = identifier()
        self.transaction: Optional[str] = None
        self._service = service
        self._policy = policy
        self._body = body
        self._deadline_ms = deadline_ms
        self._memory = Memory(labels)
        self._context: Dict[str, Any] = {"client": {}, "listener": {"name": listener}}
        if client_ip is not None:
            self._context["client"].update(ip=client_ip, port=client_port)
            self._context["listener"].update(ip="192.0.2.25", port=25)
        if client_name is not None:
            self._context["client"].update(name=client_name, name_verified=client_name_verified)
        if proxy is not None:
            self._context["client"]["proxy"] = {"tls": False, **proxy}
        self._tls: Dict[str, Any] = dict(TLS)
        if sni is not None:
            self._tls.update(octets("sni", sni))
        if peer is not None:
            self._tls["peer"] = dict(peer)
        if tls:
            self._context["tls"] = self._tls
        options = {hook: {"deadline_ms": deadline_ms, **({"extend_ms": extend_ms} if extend_ms else {})} for hook in service._functions}
        options.update({"disconnect": {}} if "disconnect" in options else {})
        self._spool = tempfile.mkdtemp(prefix="gatepost.") if "path" in service.body else None
        if self._spool is not None:
            weakref.finalize(self, shutil.rmtree, self._spool, ignore_errors=True)
        self.ready: Dict[str, Any] = {
            "type": "ready", "version": 1, "policy": policy, "mode": "enforce", "hooks": options, "missing": [],
            "window": service._window or 1, "body": list(service.body), "spool": self._spool, "grants": list(grants),
        }  # fmt: skip
        if delivers:
            self.ready["delivers"] = True
        self._ready = Ready.of(self.ready)
        self._number = 0
        self._commands = 0
        self._messages = 0
        self._errors = 0
        self._done: List[str] = []  # the steps of the session that were accepted
        self._closed: Optional[str] = None  # why no step can follow
        self._held = False  # the session's messages are held
        self._begin(None)

    def _begin(self, transaction: Optional[str]) -> None:
        """A transaction begins, or (None) is over."""
        self._memory.end_transaction()
        self.transaction = transaction
        self._mail: Dict[str, Any] = {}
        self._recipients: List[Dict[str, Any]] = []
        self._rcpts = self._accepted = 0
        self._discarded = self._hold = self._data_done = False

    # --- the policy ---

    async def _ask(self, hook: str, args: Dict[str, Any], number: int = 0, content: Optional[Content] = None) -> Answer:
        standing = self._standing(hook)
        if standing is not None:
            return self._settle(hook, standing, Answer(hook))
        if self._ready.delivers and hook == "message" and hook not in self._service._functions and not self._is_discarded():
            return self._settle(hook, {"verdict": "tempfail", "status": "4.3.0"}, Answer(hook))  # nobody has it
        if hook not in self._service._functions or self._is_discarded() and hook in ("data", "message"):
            return self._settle(hook, {"verdict": "accept"}, Answer(hook))
        if self._discarded and hook == "rcpt":
            return self._settle(hook, {"verdict": "accept"}, Answer(hook))
        message = self._request(hook, args, number)
        more_time: List[float] = []
        verdict = await self._call(message, content, more_time)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"the function for {hook} gave no verdict, but {verdict!r}")
        reply = _over_the_wire(verdict.message(message["id"]))
        check_answer(reply, message, self._ready.grants, self._ready.delivers)
        self._memory.take(hook, reply)
        answer = Answer(hook, asked=True, request=message, reply=reply, more_time=tuple(more_time))
        return self._settle(hook, reply, answer)

    def _standing(self, hook: str) -> Optional[Dict[str, Any]]:
        """The answer that stands at this hook. None delivers a message."""
        return None if hook == "message" and self._ready.delivers else self._memory.standing(hook)

    async def _call(self, message: Dict[str, Any], content: Optional[Content], more_time: List[float]) -> Any:
        def extend(milliseconds: int) -> bool:
            more_time.append(milliseconds / 1000)
            return True

        descriptor = content.descriptor if content else None
        request = Request(message, self._ready, descriptor=descriptor, extend=extend)
        try:
            result = self._service._functions[request.hook](request)
            return await result if inspect.isawaitable(result) else result
        finally:
            request.body.close()

    def _request(self, hook: str, args: Dict[str, Any], number: int) -> Dict[str, Any]:
        context = dict(self._context)
        if self.transaction is not None and hook != "mail":
            context["mail"] = self._mail
            if hook in ("data", "message"):
                context["recipients"] = self._recipients
        if self._memory.labels():
            context["labels"] = self._memory.labels()
        message: Dict[str, Any] = {"type": "request", "hook": hook, "session": self.session, "args": args, "context": context}
        if self.transaction is not None:
            message["transaction"] = self.transaction
        if hook != "disconnect":
            about = self.transaction or self.session
            count = number if self.transaction is not None else self._commands
            self._number += 1
            key = f"{about}.{hook}{f'.{count}' if count else ''}.{self._policy}"
            message.update(id=self._number, key=key, attempt=1, deadline_ms=self._deadline_ms)
        if self._memory.keep(hook):
            message["keep"] = self._memory.keep(hook)
        return _over_the_wire(message)

    def _settle(self, hook: str, reply: Mapping[str, Any], answer: Answer) -> Answer:
        """The verdict takes effect."""
        verdict = reply["verdict"]
        if verdict == "quarantine":
            self._hold = True
            self._held = self._held or self.transaction is None
        code, status = reply_to_client(hook, reply)
        text = reply.get("text", ())
        lines = (text,) if isinstance(text, str) else tuple(text)
        if verdict == "discard":
            lines = ()  # the client must not be able to tell
        elif verdict not in ("tempfail", "reject", "disconnect") and hook not in OWN_REPLY:
            lines = lines[:1]
        answer = dataclasses.replace(
            answer, verdict=verdict, code=code, status=status, text=lines, reason=reply.get("reason"),
            labels=tuple(reply.get("labels", ())), edits=tuple(reply.get("edits", ())),
        )  # fmt: skip
        if answer.accepted:
            self._done.append(hook)
            return answer
        self._errors += 1
        if verdict == "disconnect" or code == 421 or hook in ("connect", "secure"):
            self._closed = f"the client was refused at {hook} with {code}"
            self._begin(None)
        return answer

    def _is_discarded(self) -> bool:
        return self.transaction is not None and (self._discarded or bool(self._accepted) and not self._recipients)

    # --- the steps ---

    def _check(self, step: str, possible: bool = True, why: str = "") -> None:
        if self._closed is not None:
            raise RuntimeError(f"{step} is not possible: {self._closed}")
        if not possible:
            raise RuntimeError(f"{step} is not possible: {why}")

    async def _imply(self, *steps: str) -> None:
        """Does what comes before a step and was left out."""
        for step in steps:
            if step == "secure" and "tls" not in self._context or step in self._done:
                continue
            answer = await getattr(self, "step_" + step)()
            if not answer.accepted:
                raise Refused(answer)

    async def step_connect(self) -> Answer:
        self._check("connect", "connect" not in self._done, "it was done")
        await self._imply("secure")
        return await self._ask("connect", {})

    async def step_secure(self) -> Answer:
        self._check("secure", "tls" in self._context and "secure" not in self._done, "there is no new handshake: use starttls()")
        return await self._ask("secure", {})

    async def step_ehlo(self, name: Octets = "mail.example.net", *, verb: str = "EHLO") -> Answer:
        self._check(verb)
        await self._imply("connect", "secure")
        self._commands += 1
        helo = {"verb": verb, **octets("name", name)}
        self._begin(None)
        answer = await self._ask("ehlo", helo)
        if answer.accepted:
            self._context["helo"] = helo
        return answer

    async def step_starttls(self) -> Answer:
        self._check("STARTTLS", "tls" not in self._context, "TLS is there already")
        await self._imply("connect", "ehlo")
        self._commands += 1
        self._begin(None)
        answer = await self._ask("starttls", {})
        if answer.accepted:
            self._context["tls"] = self._tls
            for fact in ("helo", "auth"):
                self._context.pop(fact, None)
            self._done.remove("ehlo")
            self._memory.secure()
        return answer

    async def step_auth(
        self, user: Octets, password: Optional[Octets] = None, *, token: Optional[Octets] = None,
        mechanism: str = "", authzid: Optional[Octets] = None,
    ) -> Answer:  # fmt: skip
        self._check("AUTH", "tls" in self._context, "it is offered under TLS only: Session(tls=True) or starttls()")
        self._check("AUTH", self.transaction is None and "auth" not in self._context, "not in a transaction, and once only")
        if (password is None) == (token is None):
            raise ValueError("AUTH needs a password or a token")
        await self._imply("connect", "secure", "ehlo")
        self._commands += 1
        who = {"mechanism": mechanism or ("XOAUTH2" if password is None else "PLAIN"), **octets("user", user)}
        args: Dict[str, Any] = dict(who)
        for name, value in (("authzid", authzid), ("password", password), ("token", token)):
            if value is not None:
                args.update(octets(name, value))
        if "auth" not in self._service._functions:
            return self._settle("auth", {"verdict": "tempfail"}, Answer("auth"))
        answer = await self._ask("auth", args)
        if answer.accepted:
            self._context["auth"] = who
        return answer

    async def step_mail(self, address: Octets, *, params: Params = ()) -> Answer:
        self._check("MAIL", self.transaction is None, "there is a sender already: use rset()")
        await self._imply("connect", "secure", "ehlo")
        self._commands += 1
        self._begin(identifier())
        self._mail = mailbox(address, params)
        answer = await self._ask("mail", self._mail)
        if not answer.accepted:
            self._begin(None)
        self._discarded = answer.verdict == "discard"
        self._edit_envelope(answer.edits)
        return answer

    async def step_rcpt(self, address: Octets, *, params: Params = ()) -> Answer:
        self._check("RCPT", self.transaction is not None and not self._data_done, "it comes after mail() and before data()")
        self._commands += 1
        self._rcpts += 1
        recipient = mailbox(address, params)
        args = {**recipient, "index": self._rcpts, "accepted": len(self._recipients)}
        answer = await self._ask("rcpt", args, self._rcpts)
        if answer.accepted:
            self._accepted += 1
            if answer.verdict != "discard":
                self._recipients.append(recipient)
        return answer

    async def step_data(self) -> Answer:
        self._check("DATA", self._accepted > 0 and not self._data_done, "it comes after rcpt(), once")
        self._commands += 1
        answer = await self._ask("data", {"recipients": len(self._recipients)})
        self._data_done = answer.accepted
        self._discarded = self._discarded or answer.verdict == "discard"
        self._edit_envelope(answer.edits)
        return answer

    async def step_message(self, content: Octets) -> Answer:
        self._check("the message", self._accepted > 0, "it comes after rcpt()")
        if not self._data_done:
            answer = await self.step_data()
            if not answer.accepted:
                raise Refused(answer)
        if isinstance(content, str):
            content = encode(content.replace("\r\n", "\n").replace("\n", "\r\n"))
        asked = "message" in self._service._functions and self._standing("message") is None and not self._is_discarded()
        body = Content(content, self._mode(len(content)), self._spool) if asked else None
        try:
            held = {"quarantine": True} if self._hold or self._held else {}
            answer = await self._ask("message", {"size": len(content), "body": body.fields if body else {}, **held}, content=body)
        finally:
            if body is not None:
                body.close()
        self._discarded = self._is_discarded() or answer.verdict == "discard"
        if answer.accepted and not self._discarded:
            self._edit_envelope(answer.edits)
            answer = dataclasses.replace(
                answer, message=edit_message(content, answer.edits), sender=self._mail["address"],
                recipients=tuple(recipient["address"] for recipient in self._recipients), quarantine=self._hold or self._held,
                ref=(answer.reply or {}).get("ref", "") if self._ready.delivers else "",
            )  # fmt: skip
            self._messages += 1
        self._begin(None)
        return answer

    async def step_rset(self) -> None:
        self._check("RSET")
        self._commands += 1
        self._begin(None)

    async def step_disconnect(self, reason: str = "") -> None:
        if self._closed == "the client has gone":
            raise RuntimeError("the session has ended already")
        self._begin(None)
        if "disconnect" in self._service._functions:
            args = {
                "reason": reason or ("quit" if self._closed is None else "policy"), "commands": self._commands,
                "messages": self._messages, "errors": self._errors,
            }  # fmt: skip
            await self._call(self._request("disconnect", args, 0), None, [])
        self._closed = "the client has gone"

    def _mode(self, size: int) -> str:
        """The mode that the test wants, or the first of the service that fits, as the gateway chooses."""
        return self._body or next(mode for mode in self._service.body if mode != "inline" or size <= INLINE)

    def _edit_envelope(self, edits: Sequence[Mapping[str, Any]]) -> None:
        dropped = {edit["index"] for edit in edits if edit["edit"] == "drop_recipient"}
        self._recipients = [recipient for place, recipient in enumerate(self._recipients, 1) if place not in dropped]
        for edit in edits:
            if edit["edit"] == "set_sender":
                self._mail = {**mailbox(edit["address"]), "params": self._mail["params"]}
            elif edit["edit"] == "add_recipient" and edit["address"] not in [item["address"] for item in self._recipients]:
                self._recipients.append(mailbox(edit["address"]))


def _over_the_wire(message: Dict[str, Any]) -> Dict[str, Any]:
    """As it arrives on the other side. Raises WireError (a ValueError) for what the protocol does not allow."""
    arrived = wire.decode(wire.encode(message))
    assert arrived is not None
    wire.check(arrived)
    return arrived


