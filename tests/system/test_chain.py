"""Several services, one verdict: what a verdict means for the services behind it, for later hooks, and for the message."""

import contextlib
import json
import os
import pathlib
import pwd
import subprocess
import time
from typing import Any, Dict, Iterator, List, Optional

from gateway import PROGRAM, Gateway, socket_folder, unittest, wait_until
from liar import Answer, Liar, Request, reply

ALL = ["connect", "ehlo", "mail", "rcpt", "data", "message"]


class World:
    """A gateway whose policies are Liars in this process. services: name -> (hooks, answer); options: name -> lines of YAML."""

    def __init__(self, folder: pathlib.Path, services: Dict[str, Any], options: Optional[Dict[str, str]] = None, **gateway: Any) -> None:
        self.liars = {name: Liar(f"{folder}/{name}.sock", hooks, answer) for name, (hooks, answer) in services.items()}
        self.gateway = Gateway(policies={name: f"{folder}/{name}.sock" for name in services}, **gateway)
        text = self.gateway.config.read_text()
        for name, lines in (options or {}).items():
            line = f"    sockets: [{folder}/{name}.sock]\n"
            assert line in text
            text = text.replace(line, line + "".join(f"    {option}\n" for option in lines.split("\n")))
        self.gateway.config.write_text(text)

    def asked(self, name: str) -> List[str]:
        return [request["hook"] for request in self.liars[name].requests]

    def requests(self, name: str, hook: str) -> List[Request]:
        return [request for request in self.liars[name].requests if request["hook"] == hook]


@contextlib.contextmanager
def world(services: Dict[str, Any], options: Optional[Dict[str, str]] = None, **gateway: Any) -> Iterator[World]:
    with socket_folder() as folder:
        made = World(folder, services, options, **gateway)
        with made.gateway:
            yield made
        for liar in made.liars.values():
            liar.close()


def accept(request: Request) -> bytes:
    return reply(request["id"])


def at(hook: str, **fields: Any) -> Answer:
    """Accepts everywhere, but at one hook answers this."""
    return lambda request: reply(request["id"], **(fields if request["hook"] == hook else {}))


def mail(gateway: Gateway, recipients: List[str] = ["bob@example.com"], sessions: int = 1) -> List[str]:  # noqa: B006
    """The replies to MAIL, each RCPT and the message, up to the first that refuses all."""
    with gateway.connect() as client:
        client.start("EHLO client")
        return transaction(client, recipients)


def transaction(client: Any, recipients: List[str] = ["bob@example.com"]) -> List[str]:  # noqa: B006
    replies = [client.say("MAIL FROM:<alice@example.net>")]
    replies += [client.say(f"RCPT TO:<{to}>") for to in recipients]
    data = client.say("DATA")
    if data[:3] != "354":
        return replies + [data]
    client.send(b"Subject: hi\r\n\r\nhi\r\n.\r\n")
    return replies + [client.reply()]


class Bypass(unittest.TestCase):
    def test_granted(self) -> None:
        with world({"a": (["rcpt"], at("rcpt", verdict="bypass")), "b": (["rcpt"], at("rcpt", verdict="reject"))}, {"a": "grants: [bypass]"}) as w:
            self.assertEqual([text[:3] for text in mail(w.gateway)], ["250", "250", "250"])
            self.assertEqual(w.asked("b"), [])
            self.assertEqual(w.liars["a"].ready["grants"], ["bypass"])

    def test_not_granted(self) -> None:
        with world({"a": (["rcpt"], at("rcpt", verdict="bypass")), "b": (["rcpt"], accept)}) as w:
            self.assertEqual(mail(w.gateway)[1][:9], "451 4.3.0")
            self.assertIn("granted", w.liars["a"].told())

    def test_never_relays(self) -> None:
        with world({"a": (["rcpt"], at("rcpt", verdict="bypass"))}, {"a": "grants: [bypass]"}) as w:
            self.assertEqual(mail(w.gateway, ["bob@elsewhere.example"])[1][:9], "550 5.7.1")


class Severity(unittest.TestCase):
    def test_a_later_service_raises(self) -> None:
        with world({"a": (["message"], at("message", verdict="quarantine")), "b": (["message"], at("message", verdict="reject"))}) as w:
            self.assertEqual(mail(w.gateway)[-1][:9], "554 5.7.1")
            self.assertEqual(w.gateway.stored(), [])

    def test_a_later_service_does_not_lower(self) -> None:
        with world({"a": (["message"], at("message", verdict="quarantine")), "b": (["message"], accept)}) as w:
            self.assertEqual(mail(w.gateway)[-1][:3], "250")
            self.assertEqual(w.gateway.stored(), [])
            self.assertEqual(len(os.listdir(w.gateway.folder / "mail" / ".Quarantine" / "new")), 1)
            self.assertTrue((w.gateway.folder / "mail" / ".Quarantine" / "maildirfolder").exists())
            self.assertTrue(w.gateway.wait_for("message")[0]["quarantine"])

    def test_discard_ends_the_chain(self) -> None:
        with world({"a": (["message"], at("message", verdict="discard")), "b": (["message"], accept)}) as w:
            self.assertRegex(mail(w.gateway)[-1], r"^250 2\.0\.0 OK id=\w{20}$")
            self.assertEqual(w.asked("b"), [])
            self.assertEqual(w.gateway.stored(), [])
            self.assertEqual(os.listdir(w.gateway.folder / "spool"), [])
            self.assertTrue(w.gateway.wait_for("message")[0]["discarded"])


class Held(unittest.TestCase):
    """Quarantine before there is a message."""

    def stored_in(self, hook: str, twice: bool = False) -> List[int]:
        with world({"a": (ALL, at(hook, verdict="quarantine"))}) as w:
            with w.gateway.connect() as client:
                client.start("EHLO client")
                for _ in range(2):
                    self.assertEqual(transaction(client)[-1][:3], "250")
            return [len(w.gateway.stored()), len(os.listdir(w.gateway.folder / "mail" / ".Quarantine" / "new"))]

    def test_session(self) -> None:
        for hook in ("connect", "ehlo"):
            self.assertEqual(self.stored_in(hook), [0, 2])

    def test_transaction_only(self) -> None:
        seen: List[str] = []

        def once(request: Request) -> bytes:
            if request["hook"] == "mail":
                seen.append(request["transaction"])
            return reply(request["id"], verdict="quarantine" if request["hook"] == "mail" and len(seen) == 1 else "accept")

        with world({"a": (ALL, once)}) as w:
            with w.gateway.connect() as client:
                client.start("EHLO client")
                for _ in range(2):
                    self.assertEqual(transaction(client)[-1][:3], "250")
            self.assertEqual(len(w.gateway.stored()), 1)


class Discarded(unittest.TestCase):
    def test_one_recipient(self) -> None:
        def eve(request: Request) -> bytes:
            return reply(request["id"], verdict="discard" if request["args"].get("local") == "eve" else "accept")

        with world({"a": (["rcpt", "message"], eve)}) as w:
            replies = mail(w.gateway, ["eve@example.com", "bob@example.com"])
            self.assertEqual([text[:3] for text in replies], ["250"] * 4)
            self.assertEqual(replies[1], replies[2])
            self.assertIn("Delivered-To: bob@example.com", text := w.gateway.stored()[0].read_text())
            self.assertNotIn("eve", text)
            self.assertEqual([r["address"] for r in w.requests("a", "message")[0]["context"]["recipients"]], ["bob@example.com"])

    def test_all_recipients(self) -> None:
        with world({"a": (["rcpt", "data", "message"], at("rcpt", verdict="discard"))}) as w:
            self.assertRegex(mail(w.gateway)[-1], r"^250 2\.0\.0 OK id=\w{20}$")
            self.assertEqual(w.asked("a"), ["rcpt"])
            self.assertEqual(w.gateway.stored(), [])

    def test_at_mail_nobody_is_asked_any_more(self) -> None:
        with world({"a": (["mail"], at("mail", verdict="discard")), "b": (ALL, accept)}) as w:
            self.assertRegex(mail(w.gateway)[-1], r"^250 2\.0\.0 OK id=\w{20}$")
            self.assertEqual(w.asked("b"), ["connect", "ehlo"])
            self.assertEqual(w.gateway.stored(), [])


class Until(unittest.TestCase):
    def test_accept_for_the_session(self) -> None:
        with world({"a": (ALL, at("connect", until="session")), "b": (ALL, accept)}) as w:
            self.assertEqual(mail(w.gateway)[-1][:3], "250")
            self.assertEqual(w.asked("a"), ["connect"])
            self.assertEqual(w.asked("b"), ALL)

    def test_reject_for_the_session(self) -> None:
        answer = at("ehlo", verdict="reject", code=550, status="5.7.1", text="No more", until="session")
        with world({"a": (ALL, answer)}) as w, w.gateway.connect() as client:
            client.start()
            self.assertEqual(client.say("EHLO client")[:3], "550")
            self.assertEqual(client.say("EHLO again")[:3], "550")
            self.assertEqual(w.asked("a"), ["connect", "ehlo"])

    def test_transaction(self) -> None:
        with world({"a": (ALL, at("mail", until="transaction"))}) as w, w.gateway.connect() as client:
            client.start("EHLO client")
            for _ in range(2):
                self.assertEqual(transaction(client)[-1][:3], "250")
            self.assertEqual(w.asked("a"), ["connect", "ehlo", "mail", "mail"])

    def test_where_it_has_not_registered(self) -> None:
        services = {"a": (["connect"], at("connect", verdict="bypass", until="session")), "b": (ALL, at("rcpt", verdict="reject"))}
        with world(services, {"a": "grants: [bypass]"}) as w:
            self.assertEqual(mail(w.gateway)[-1][:3], "250")
            self.assertEqual(w.asked("b"), [])
        # The operator has the last word on where a service decides.
        with world(services, {"a": "grants: [bypass]\nhooks: [connect]"}) as w:
            self.assertEqual(mail(w.gateway)[1][:9], "550 5.7.1")

    def test_bypass_for_the_session(self) -> None:
        services = {"a": (ALL, at("connect", verdict="bypass", until="session")), "b": (ALL, at("rcpt", verdict="reject"))}
        with world(services, {"a": "grants: [bypass]"}) as w:
            self.assertEqual(mail(w.gateway)[-1][:3], "250")
            self.assertEqual([w.asked("a"), w.asked("b")], [["connect"], []])


class Remembered(unittest.TestCase):
    def test_labels_go_down_the_chain_and_on(self) -> None:
        services = {"a": (ALL, lambda r: reply(r["id"], labels=[f"{r['hook']}.seen"])), "b": (ALL, accept)}
        with world(services) as w, w.gateway.connect() as client:
            client.start("EHLO client")
            for _ in range(2):
                self.assertEqual(transaction(client)[-1][:3], "250")
            shown = {hook: [r["context"].get("labels") for r in w.requests("b", hook)] for hook in ALL}
            self.assertEqual(shown["connect"], [["connect.seen"]])
            self.assertEqual(shown["rcpt"], [["connect.seen", "ehlo.seen", "mail.seen", "rcpt.seen"]] * 2)
            self.assertIn("message.seen", w.gateway.wait_for("message")[0]["labels"])

    def test_keep(self) -> None:
        def answer(request: Request) -> bytes:
            keep = request.get("keep", {})
            seen = keep.get("session", {}).get("hooks", [])
            new: Dict[str, Any] = {"session": {"hooks": seen + [request["hook"]]}}
            if request["hook"] in ("mail", "rcpt"):
                new["transaction"] = {"at": request["hook"], "\u00e9": [1, 2.5, None, 2**53 - 1]}
            return reply(request["id"], keep=new)

        with world({"a": (ALL + ["disconnect"], answer), "b": (ALL, accept)}) as w:
            with w.gateway.connect() as client:
                client.start("EHLO client")
                for _ in range(2):
                    self.assertEqual(transaction(client)[-1][:3], "250")
                client.say("QUIT")
            wait_until(lambda: w.requests("a", "disconnect"), "disconnect")
            self.assertEqual(w.requests("a", "disconnect")[0]["keep"], {"session": {"hooks": ALL + ALL[2:]}})
            self.assertNotIn("keep", w.requests("a", "connect")[0])
            for request in w.requests("a", "mail"):
                self.assertNotIn("transaction", request["keep"])
            for request in w.requests("a", "message"):
                self.assertEqual(request["keep"]["transaction"], {"at": "rcpt", "\u00e9": [1, 2.5, None, 2**53 - 1]})
            self.assertFalse([r for r in w.liars["b"].requests if "keep" in r])


class Shadow(unittest.TestCase):
    def test_is_only_told(self) -> None:
        services = {"a": (ALL, lambda r: reply(r["id"], verdict="reject", reason="would.be", labels=["x"])), "b": (ALL, accept)}
        with world(services, {"a": "mode: shadow"}) as w:
            self.assertEqual(mail(w.gateway)[-1][:3], "250")
            w.gateway.wait_for("policy.shadow", len(ALL), policy="a", verdict="reject", reason="would.be")
            self.assertEqual(w.liars["a"].ready["mode"], "shadow")
            self.assertEqual(w.gateway.events("policy.decision", policy="a"), [])
            self.assertNotIn("labels", w.requests("b", "message")[0]["context"])

    def test_is_never_waited_for(self) -> None:
        with world({"a": (ALL, lambda r: None)}, {"a": "mode: shadow\ntimeout: 300ms"}) as w:
            self.assertEqual(mail(w.gateway)[-1][:3], "250")
            w.gateway.wait_for("policy.shadow", len(ALL), policy="a", failure="timeout")

    def test_content_outlives_the_message(self) -> None:
        shown: List[bytes] = []
        with socket_folder() as folder:
            for mode in ("path", "fd"):

                def late(request: Request) -> bytes:
                    wait_until(lambda: gateway.events("message"), "the message is delivered")
                    if mode == "fd":
                        with os.fdopen(request["fd"], "rb") as file:
                            shown.append(file.read())
                    else:
                        shown.append((pathlib.Path(liar.ready["spool"]) / request["args"]["body"]["path"]).read_bytes())
                    return reply(request["id"])

                liar = Liar(f"{folder}/{mode}.sock", ["message"], late, body=[mode])
                options = "    mode: shadow\n    timeout: 60s\n"
                with Gateway(policies={"p": f"{folder}/{mode}.sock"}, policy_options=options) as gateway:
                    self.assertEqual(mail(gateway)[-1][:3], "250")
                    gateway.wait_for("policy.shadow", policy="p", verdict="accept")
                    self.assertEqual(shown.pop(), b"Subject: hi\r\n\r\nhi\r\n")
                    wait_until(lambda: os.listdir(gateway.folder / "spool") == [], "an empty spool")
                liar.close()


class Time(unittest.TestCase):
    def test_progress_extends(self) -> None:
        def slow(request: Request) -> bytes:
            return json.dumps({"type": "progress", "id": request["id"], "extend_ms": 30000}).encode() + b"\n"

        with world({"a": (["mail"], slow)}, {"a": "timeout: 300ms\ntimeout_max: 60s"}) as w, w.gateway.connect() as client:
            client.start("EHLO client")
            client.send(b"MAIL FROM:<a@example.org>\r\n")
            wait_until(lambda: w.liars["a"].requests, "the request")
            asked = time.monotonic()
            # Three times its deadline later it is still open: that much time must pass, there is no condition to wait for.
            wait_until(lambda: time.monotonic() > asked + 0.9, "0.9 s")
            self.assertEqual(w.gateway.events("policy.failure"), [])
            self.assertEqual(w.liars["a"].ready["hooks"]["mail"], {"deadline_ms": 300, "extend_ms": 59700})

    def test_progress_has_an_end(self) -> None:
        def slow(request: Request) -> bytes:
            return json.dumps({"type": "progress", "id": request["id"], "extend_ms": 3600000}).encode() + b"\n"

        with world({"a": (["mail"], slow)}, {"a": "timeout: 100ms\ntimeout_max: 500ms"}) as w:
            self.assertEqual(mail(w.gateway)[0][:9], "451 4.3.0")
            self.assertEqual(w.gateway.wait_for("policy.failure")[0]["class"], "timeout")

    def test_message_time(self) -> None:
        """Whatever the actions say, a message is not accepted after the client may have given up."""
        options = {name: "timeout: 30s\non_failure: accept" for name in ("a", "b")}
        services = {"a": (["message"], lambda r: None), "b": (["message"], accept)}
        with world(services, options, limits="message_time: 1s") as w:
            self.assertEqual(mail(w.gateway)[-1][:9], "451 4.3.0")
            self.assertEqual(w.gateway.wait_for("policy.failure")[0]["class"], "late")
            self.assertEqual(w.gateway.stored(), [])

    def test_window_zero_pauses(self) -> None:
        paused = b'{"type":"window","n":0}\n'
        with world({"a": (["ehlo", "mail"], lambda r: paused * (r["hook"] == "ehlo") + reply(r["id"]))}, {"a": "timeout: 600ms"}) as w:
            self.assertEqual(mail(w.gateway)[0][:9], "451 4.3.0")
            self.assertEqual(w.gateway.wait_for("policy.failure")[0]["class"], "overload")
            self.assertEqual(w.asked("a"), ["ehlo"])


class Trust(unittest.TestCase):
    def test_socket_of_another_account(self) -> None:
        """A socket in a folder that anybody can write to may be anybody's."""
        for user, state, code in (("root", "ready", "250"), ("nobody", "refused", "451")):
            with self.subTest(user=user), world({"a": (["mail"], accept)}, {"a": f"uid: {user}\nhooks: [mail]"}) as w:
                event = w.gateway.wait_for("policy.service", state=state)[0]
                self.assertEqual(mail(w.gateway)[0][:3], code)
                if state == "refused":
                    self.assertIn(str(pwd.getpwnam("nobody").pw_uid), event["message"])

    def test_what_no_listener_tells(self) -> None:
        """tests/system starts listeners that resolve no names: to need them is refused, to want them is answered."""
        with socket_folder() as folder:
            needs = Liar(f"{folder}/n.sock", [], accept, register={"hooks": {"mail": {"need": ["client.name"]}}})
            wants = Liar(f"{folder}/w.sock", [], accept, register={"hooks": {"mail": {"want": ["client.name", "tls"]}}})
            with Gateway(policies={"n": f"{folder}/n.sock", "w": f"{folder}/w.sock"}) as gateway:
                wait_until(lambda: needs.errors and wants.ready, "both answers")
                self.assertEqual(needs.errors[0]["code"], "need_unavailable")
                self.assertEqual(wants.ready["missing"], ["client.name"])
                with gateway.connect() as client:  # what was refused has never registered: it may want any hook
                    self.assertEqual(client.reply()[:3], "421")
            needs.close()
            wants.close()


class Readiness(unittest.TestCase):
    def test_required_service(self) -> None:
        with world({"a": (["mail"], accept)}, {"a": "required: true"}) as w:
            path = w.gateway.config.read_text().split("sockets: [")[1].split("]")[0]
            os.unlink(path)
            w.liars["a"].close()
            w.liars["a"].drop()
            w.gateway.wait_for("gateway.unready", policy="a")
            again = Liar(path, ["mail"], accept)
            w.gateway.wait_for("gateway.ready", 2)
            again.close()


class Quota(unittest.TestCase):
    def test_spool_is_full(self) -> None:
        with world({}, limits="spool: 1M") as w:
            with w.gateway.connect() as client:
                client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                client.send((b"x" * 998 + b"\r\n") * 2000 + b".\r\n")
                self.assertEqual(client.reply()[:9], "452 4.3.1")
            self.assertEqual(os.listdir(w.gateway.folder / "spool"), [])
            self.assertEqual(mail(w.gateway)[-1][:3], "250")


if __name__ == "__main__":
    unittest.main()
