"""gatepost.testing makes the requests of protocol/examples, octet by octet, when it plays what they tell of."""

import base64
import json
import pathlib
import unittest
from typing import Any, Dict, List, Tuple
from unittest import mock

import gatepost
from gatepost.testing import Session

VALID = pathlib.Path(__file__).resolve().parents[3] / "protocol" / "examples" / "valid"
# A second attempt, a name by chance, and headers that are longer than any test needs.
LEFT_OUT = {"request-rcpt-again.json", "request-message-path.json", "request-message-headers-cut.json"}
BODY_MODES = ["inline", "path", "fd", "headers", "none"]

Fields = Dict[str, Any]


def example(name: str) -> Fields:
    message: Fields = json.loads((VALID / name).read_text())
    return message


def params_of(mailbox: Fields) -> List[Tuple[Any, Any]]:
    pairs = mailbox.get("params_b64")
    if pairs is None:
        return [(name, value) for name, value in mailbox["params"]]
    return [(base64.b64decode(name), None if value is None else base64.b64decode(value)) for name, value in pairs]


class Requests(unittest.TestCase):
    def setUp(self) -> None:
        self.seen: List[Fields] = []
        self.content = base64.b64decode(example("request-message-inline.json")["args"]["body"]["data_b64"])

    def service(self, wanted: Fields) -> gatepost.Service:
        """Keeps and labels at mail, holds at data, what the wanted request tells of."""
        service = gatepost.Service("t", body=BODY_MODES)
        keep = wanted.get("keep", {})

        @service.disconnect
        def tell(request: gatepost.Request) -> None:
            self.seen.append(dict(request.message))

        def look(request: gatepost.Request) -> gatepost.Verdict:
            tell(request)
            held = request.hook == "data" and "quarantine" in wanted["args"]
            return gatepost.quarantine() if held else gatepost.accept()

        for hook in ("connect", "ehlo", "starttls", "secure", "auth", "rcpt", "data", "message"):
            getattr(service, hook)(look)

        @service.mail
        def mail(request: gatepost.Request) -> gatepost.Verdict:
            look(request)
            labels = wanted["context"].get("labels", [])
            return gatepost.accept(labels=labels, keep_session=keep.get("session"), keep_transaction=keep.get("transaction"))

        return service

    def session(self, wanted: Fields) -> Session:
        context = wanted["context"]
        client, tls = context["client"], context.get("tls", {})
        more = {"client_name": client["name"], "client_name_verified": client["name_verified"]} if "name" in client else {}
        return Session(
            self.service(wanted), client_ip=client.get("ip"), client_port=client.get("port", 0), proxy=client.get("proxy"),
            listener=context["listener"]["name"], tls=bool(tls), sni=tls.get("sni"), peer=tls.get("peer"), policy="greylist",
            body=wanted["args"].get("body", {}).get("mode"), **more,
        )  # fmt: skip

    def play(self, session: Session, wanted: Fields) -> None:
        """Up to the wanted request."""
        hook, args, context = wanted["hook"], wanted["args"], wanted["context"]
        if hook == "secure":
            session.secure()
        session.connect()
        if "helo" in context:
            session.ehlo(gatepost.raw(context["helo"], "name"), verb=context["helo"]["verb"])
        if "auth" in context:
            session.auth(gatepost.raw(context["auth"], "user"), "secret", mechanism=context["auth"]["mechanism"])
        if hook in ("ehlo", "auth"):
            given: Dict[str, Any] = {name: gatepost.raw(args, name) for name in ("user", "authzid", "password", "token", "name") if name in args}
            session.auth(mechanism=args["mechanism"], **given) if hook == "auth" else session.ehlo(**given)
        elif hook == "starttls":
            session.starttls()
        sender = args if hook == "mail" else context.get("mail", {"address": "keeper@example.net", "params": []})
        if hook in ("mail", "rcpt", "data", "message") or "keep" in wanted:
            session.mail(gatepost.raw(sender, "address"), params=params_of(sender))
        if hook == "rcpt":
            for _ in range(args["index"] - 1):
                session.rcpt("other@example.org")
        for recipient in [args] if hook == "rcpt" else context.get("recipients", ()):
            session.rcpt(gatepost.raw(recipient, "address"), params=params_of(recipient))
        if hook == "data":
            session.data()
        elif hook == "message":
            session.message(self.content)
        elif hook == "disconnect":
            session.disconnect(args["reason"])

    def test_examples(self) -> None:
        files = sorted(path.name for path in VALID.glob("request-*") if path.name not in LEFT_OUT)
        self.assertGreater(len(files), 20)
        for name in files:
            wanted = example(name)
            ids = [wanted["session"], wanted.get("transaction", "T" * 20)]
            with self.subTest(file=name), mock.patch("gatepost.testing._play.identifier", side_effect=ids):
                self.seen.clear()
                self.play(self.session(wanted), wanted)
                made = [request for request in self.seen if request["hook"] == wanted["hook"]][-1]
                for message in (wanted, made):
                    for field in ("id", "deadline_ms", *(["key"] if "transaction" not in wanted else [])):
                        message.pop(field, None)
                    for count in ("commands", "messages", "errors"):
                        message["args"].pop(count, None)
                self.assertEqual(made, wanted)


if __name__ == "__main__":
    unittest.main()
