"""A policy takes the mail: every 250 has its file, and where there is no file there is no 250."""

import pathlib
import re
import signal
import threading
import unittest
from typing import Any, Dict, List, Optional

from gateway import ROOT, Client, Gateway, service_process, socket_folder, wait_until
from liar import Liar, Request, reply

EXAMPLES = ROOT / "clients" / "python" / "examples"
NEEDS_REF = "this policy delivers: its accept needs ref"

# The example; and one that dies when it has stored a message, before it can say so.
DELIVER = """
import pathlib
sys.path.insert(0, {examples!r})
import deliver
service = deliver.make_service(pathlib.Path({folder!r}))
"""
DIES = """
import pathlib, signal
sys.path.insert(0, {examples!r})
import deliver
folder = pathlib.Path({folder!r})
deliver.make_service(folder)
service = gatepost.Service("deliver", body=["inline", "fd"])

@service.message
def message(request):
    ref = deliver.store(folder, request) if {stores} else ""
    if request.attempt <= {attempts}:
        os.kill(os.getpid(), signal.SIGKILL)
    return gatepost.accept(ref=ref)
"""


def program(text: str, folder: pathlib.Path, **values: Any) -> str:
    return text.format(examples=str(EXAMPLES), folder=str(folder), **values)


def gateway(sockets: str, **options: Any) -> Gateway:
    """The sanitizers slow everything down; no time is tested here."""
    return Gateway(policies={"deliver": sockets}, delivery="service: deliver", policy_options="    timeout: 60s\n", **options)


def dotted(content: bytes) -> bytes:
    return re.sub(rb"(?m)^\.", b"..", content) + b".\r\n"


def send(client: Client, content: bytes) -> str:
    """One transaction; the reply to the message."""
    for line in ("MAIL FROM:<a@example.org> BODY=8BITMIME", "RCPT TO:<b@example.com>", "DATA"):
        answer = client.say(line)
        assert answer[:1] in ("2", "3"), answer
    client.send(dotted(content))
    return client.reply()


def mail(number: int) -> bytes:
    """Sizes on both sides of what comes with the request (64 KiB) and of the spool's memory."""
    size = (0, 1, 900, 30000, 65400, 65600, 300000, 2000000)[number % 8]
    line = bytes(range(160, 256)) + b"%d\r\n.\r\n..\r\n" % number
    return b"Subject: %d\r\n\r\n" % number + line * (size // len(line)) + b".end\r\n"


class Delivery(unittest.TestCase):
    def check_files(self, gate: Gateway, store: pathlib.Path, sent: Dict[str, bytes]) -> None:
        """`sent`: transaction -> content, of all that was answered with 250."""
        names = {f"{transaction}.message.deliver.eml": content for transaction, content in sent.items()}
        self.assertEqual({path.name for path in store.glob("*.eml")}, set(names))
        for name, content in names.items():
            self.assertEqual((store / name).read_bytes(), content)
        self.assertEqual(list((store / "tmp").iterdir()), [])
        deliveries = gate.wait_for("delivery", len(sent), kind="service", delivery="place", code=250, status="2.0.0")
        self.assertEqual({event["transaction"]: event["ref"] for event in deliveries}, {name.split(".")[0]: name for name in names})
        self.assertEqual(list((gate.folder / "spool").iterdir()), [])

    def expect_ok(self, answer: str) -> str:
        match = re.fullmatch(r"250 2\.0\.0 OK id=([0-9A-Z]{20})", answer)
        self.assertTrue(match, answer)
        assert match
        return match.group(1)

    def test_every_250_has_its_file(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/d.sock", program(DELIVER, folder / "mail")):
            with gateway(f"{folder}/d.sock", workers=2) as gate:
                sent: Dict[str, bytes] = {}
                failed: List[BaseException] = []

                def work(first: int) -> None:
                    try:
                        with gate.connect() as client:
                            client.start("EHLO client.example.net")
                            for number in range(first, first + 8):
                                sent[self.expect_ok(send(client, mail(number)))] = mail(number)
                    except BaseException as error:
                        failed.append(error)

                threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 48, 8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertEqual((failed, len(sent)), ([], 48))
                self.check_files(gate, folder / "mail", sent)

    def test_killed_before_its_reply(self) -> None:
        """Twice: the question is asked once more, of the second process."""
        dies = program(DIES, pathlib.Path("/nonexistent"), stores=False, attempts=2).replace("deliver.make_service(folder)\n", "")
        with socket_folder() as folder:
            with service_process(f"{folder}/1.sock", dies) as one, service_process(f"{folder}/2.sock", dies) as two:
                with gateway(f"{folder}/1.sock, {folder}/2.sock") as gate, gate.connect() as client:
                    client.start("EHLO client.example.net")
                    answer = send(client, mail(3))
                    self.assertRegex(answer, r"^451 4\.3\.0 ")
                    self.assertEqual([one.wait(), two.wait()], [-signal.SIGKILL] * 2)
                    gate.wait_for("policy.failure", policy="deliver", hook="message", action="tempfail", **{"class": "lost"})
                    self.assertRegex(send(client, mail(3)), r"^451 4\.3\.0 ")  # nobody is there at all
                    gate.wait_for("policy.failure", hook="message", action="tempfail", **{"class": "unavailable"})
                    pathlib.Path(f"{folder}/1.sock").unlink()
                    with service_process(f"{folder}/1.sock", program(DELIVER, folder / "mail")):
                        gate.wait_for("policy.service", 3, state="ready")
                        transaction = self.expect_ok(send(client, mail(3)))
                        self.check_files(gate, folder / "mail", {transaction: mail(3)})
                    self.assertEqual(len(gate.events("delivery")), 1)

    def test_asked_again_it_stores_once(self) -> None:
        """The first process stores the message and dies: the second is asked under the same key."""
        with socket_folder() as folder:
            dies = program(DIES, folder / "mail", stores=True, attempts=1)
            with service_process(f"{folder}/1.sock", dies) as one, service_process(f"{folder}/2.sock", dies) as two:
                with gateway(f"{folder}/1.sock, {folder}/2.sock") as gate, gate.connect() as client:
                    client.start("EHLO client.example.net")
                    sent = {self.expect_ok(send(client, mail(6))): mail(6)}
                    wait_until(lambda: [one.poll(), two.poll()].count(-signal.SIGKILL) == 1, "the death of one")
                    self.check_files(gate, folder / "mail", sent)

    def test_it_is_told_to_hold(self) -> None:
        """What another service said at an earlier hook, or at this one just before."""
        for hook in ("ehlo", "rcpt", "message"):
            with self.subTest(hook=hook), socket_folder() as folder:
                first = Liar(f"{folder}/a.sock", [hook], lambda request: reply(request["id"], verdict="quarantine"))
                liar = Liar(f"{folder}/d.sock", ["message"], lambda request: reply(request["id"], ref="held/1"))
                sockets = {"first": f"{folder}/a.sock", "deliver": f"{folder}/d.sock"}
                with Gateway(policies=sockets, delivery="service: deliver", policy_options="    timeout: 60s\n") as gate:
                    with gate.connect() as client:
                        client.start("EHLO client.example.net")
                        self.expect_ok(send(client, mail(1)))
                    gate.wait_for("delivery", ref="held/1")
                    gate.wait_for("message", quarantine=True, code=250)
                self.assertIs(liar.requests[0]["args"].get("quarantine"), True)
                first.close()
                liar.close()

    def answered_by(self, fields: Dict[str, Any]) -> None:
        def answer(request: Request) -> Optional[bytes]:
            return reply(request["id"], **fields)

        with socket_folder() as folder:
            liar = Liar(f"{folder}/d.sock", ["message"], answer)
            with gateway(f"{folder}/d.sock") as gate, gate.connect() as client:
                client.start("EHLO client.example.net")
                self.assertRegex(send(client, mail(1)), r"^451 4\.3\.0 ")
                gate.wait_for("policy.bad_reply", policy="deliver", code="bad_reply", message=NEEDS_REF)
                gate.wait_for("policy.failure", policy="deliver", hook="message", action="tempfail", **{"class": "bad_reply"})
                self.assertIs(liar.ready["delivers"], True)
                self.assertEqual(liar.told(), NEEDS_REF)
                self.assertEqual(gate.events("delivery"), [])
            liar.close()

    def test_reply_without_a_ref(self) -> None:
        self.answered_by({})
        self.answered_by({"verdict": "quarantine", "text": "Held"})

    def test_never_asked_for_the_message(self) -> None:
        """It has registered another hook only: no 250 comes of that, nor of an answer that stands."""
        with socket_folder() as folder:
            liar = Liar(f"{folder}/d.sock", ["mail"], lambda request: reply(request["id"], until="session"))
            with gateway(f"{folder}/d.sock") as gate, gate.connect() as client:
                client.start("EHLO client.example.net")
                self.assertRegex(send(client, mail(1)), r"^451 4\.3\.0 ")
                gate.wait_for("policy.failure", hook="message", action="tempfail", **{"class": "unavailable"})
                self.assertEqual(gate.events("delivery"), [])
            liar.close()

    def test_its_own_words(self) -> None:
        with socket_folder() as folder:
            liar = Liar(f"{folder}/d.sock", ["message"], lambda request: reply(request["id"], ref="box/7", text="Taken", code=250, status="2.6.0"))
            with gateway(f"{folder}/d.sock") as gate, gate.connect() as client:
                client.start("EHLO client.example.net")
                self.assertEqual(send(client, mail(1)), "250 2.6.0 Taken")
                gate.wait_for("delivery", kind="service", ref="box/7", code=250)
            liar.close()


if __name__ == "__main__":
    unittest.main()
