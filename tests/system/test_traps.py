"""The traps of protocol/TRAPS.md are there; and what the documents point to is."""

import array
import json
import os
import pathlib
import pwd
import re
import socket
import subprocess
from typing import Any, Dict, List, Set

from gateway import ACCEPT_ALL, PATIENCE, ROOT, Gateway, service_process, socket_folder, unittest, wait_until
from liar import Liar, Request, reply

from gatepost import wire

PAGES = ["README.md", "protocol/PROTOCOL.md", "protocol/WRITING.md", "protocol/TRAPS.md", "clients/c/README.md", "clients/python/README.md"]


def prose(page: pathlib.Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def anchors(page: pathlib.Path) -> Set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Pages(unittest.TestCase):
    def test_links(self) -> None:
        found = 0
        for name in PAGES:
            page = ROOT / name
            for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
                if target.startswith("https:"):
                    continue
                path, _, anchor = target.partition("#")
                other = (page.parent / path).resolve() if path else page
                with self.subTest(page=name, target=target):
                    self.assertTrue(other.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(other))
                found += 1
        self.assertGreater(found, 80)

    def test_named_tests(self) -> None:
        named = 0
        for group in re.findall(r"\((`[\w/]*test_\w+\.(?:py|c)`[^)]*)\)", prose(ROOT / "protocol/TRAPS.md")):
            file = pathlib.Path()
            for word in re.findall(r"`([^`]+)`", group):
                if word.endswith((".py", ".c")):
                    file = ROOT / ("" if "/" in word else "tests/system") / word
                    continue
                with self.subTest(test=word):
                    self.assertRegex(file.read_text(), rf"\b{word}\(")
                named += 1
        self.assertGreater(named, 20)


class Reading(unittest.TestCase):
    def test_makefile_rw_loses_lines(self) -> None:
        def read_both(reader: Any, writer: Any, peer: socket.socket) -> List[str]:
            peer.sendall(b"one\ntwo\n")
            peer.shutdown(socket.SHUT_WR)
            lines = [reader.readline()]
            writer.write("answer\n")
            writer.flush()
            return lines + [reader.readline()]

        mine, peer = socket.socketpair()
        with mine, peer, mine.makefile("rw") as file:
            self.assertEqual(read_both(file, file, peer), ["one\n", ""])
        mine, peer = socket.socketpair()
        with mine, peer, mine.makefile("r") as reader, mine.makefile("w") as writer:
            self.assertEqual(read_both(reader, writer, peer), ["one\n", "two\n"])

    def is_lost(self, read: Any) -> bool:
        """Whether nobody has the descriptor any more that came with what `read` has read."""
        mine, peer = socket.socketpair()
        ours, given = os.pipe()
        with mine, peer:
            peer.sendmsg([b'{"type":"request"}\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [given]))])
            os.close(given)
            kept: List[int] = read(mine)
            os.set_blocking(ours, False)
            try:
                return os.read(ours, 1) == b""
            except BlockingIOError:
                return False
            finally:
                os.close(ours)
                for fd in kept:
                    os.close(fd)

    def test_buffered_reads_lose_descriptors(self) -> None:
        def plain(sock: socket.socket) -> List[int]:
            self.assertEqual(sock.recv(100), b'{"type":"request"}\n')
            return []

        def buffered(sock: socket.socket) -> List[int]:
            with sock.makefile("rb") as file:
                self.assertEqual(file.readline(), b'{"type":"request"}\n')
            return []

        self.assertTrue(self.is_lost(plain))
        self.assertTrue(self.is_lost(buffered))
        self.assertFalse(self.is_lost(lambda sock: socket.recv_fds(sock, 100, 4)[1]))

    def test_path_after_an_edit(self) -> None:
        shown: List[str] = []

        def look(request: Request) -> bytes:
            shown.append(request["args"]["body"]["path"])
            return reply(request["id"], **({"edits": [{"edit": "add_header", "name": "X-A", "value": "b"}]} if len(shown) == 1 else {}))

        with socket_folder() as folder:
            liars = [Liar(f"{folder}/{number}.sock", ["message"], look, body=["path"]) for number in (1, 2)]
            with Gateway(policies={"a": f"{folder}/1.sock", "b": f"{folder}/2.sock"}) as gateway, gateway.connect() as client:
                client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                self.assertEqual(client.say("hi\r\n.")[:3], "250")
            for liar in liars:
                liar.close()
        self.assertEqual(len(set(shown)), 2)


class Json(unittest.TestCase):
    def test_python_takes_what_is_no_json(self) -> None:
        for text in ('{"type":"x","id":NaN}', '{"type":"x","id":1,"id":2}', '{"type":"x","id":"\\udcff"}'):
            json.loads(text)
            with self.assertRaises(wire.WireError):
                wire.decode(text.encode() + b"\n")

    def test_large_integers_are_rounded(self) -> None:
        for command in (["node", "-e", "console.log(JSON.parse('[9007199254740993]')[0])"], ["jq", "-n", "9007199254740993 + 0"]):
            self.assertEqual(subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stdout, "9007199254740992\n")

    def test_surrogateescape_is_refused(self) -> None:
        def escape(request: Request) -> bytes:
            name = b"caf\xe9".decode("utf-8", "surrogateescape")
            return reply(request["id"], keep={"session": {"name": name}})

        with socket_folder() as folder:
            liar = Liar(f"{folder}/p.sock", ["mail"], escape)
            with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options="    on_failure: accept\n") as gateway, gateway.connect() as client:
                client.start("EHLO client")
                self.assertEqual(client.say("MAIL FROM:<a@example.org>")[:9], "451 4.3.0")
                self.assertTrue(liar.told())
                self.assertEqual({error["code"] for error in liar.errors}, {"bad_json"})
            liar.close()


class Accounts(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, "only root can change to another account")
    def test_the_account_must_be_able_to_connect(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", ACCEPT_ALL):
            with Gateway(policies={"p": f"{folder}/p.sock"}, user="nobody", delivery="discard: true") as gateway:
                gateway.wait_for("policy.service", state="unavailable", message="Permission denied")
                os.chown(f"{folder}/p.sock", -1, pwd.getpwnam("nobody").pw_gid)
                gateway.wait_for("policy.service", state="ready")


class Verdicts(unittest.TestCase):
    def test_who_crashes_the_service_gets_in(self) -> None:
        """The service refuses all, and dies of one sender."""

        def die(request: Request) -> bytes:
            if request["args"]["local"] != "boom":
                return reply(request["id"], verdict="reject")
            liar.close()
            liar.drop()
            return b""

        for action, code in (("accept", "250"), ("tempfail", "451")):
            with self.subTest(action=action), socket_folder() as folder:
                liar = Liar(f"{folder}/p.sock", ["mail"], die)
                with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options=f"    timeout: 60s\n    on_failure: {action}\n") as gateway:
                    with gateway.connect() as client:
                        client.start("EHLO client")
                        self.assertEqual(client.say("MAIL FROM:<a@example.org>")[:3], "550")
                        self.assertEqual(client.say("MAIL FROM:<boom@example.org>")[:3], code)

    def test_a_discard_with_other_words_shows(self) -> None:
        def welcome(request: Request) -> bytes:
            words: Dict[str, Any] = {} if request["args"]["local"] == "eve" else {"text": "Welcome"}
            return reply(request["id"], verdict="accept" if request["args"]["local"] == "bob" else "discard", **words)

        with socket_folder() as folder:
            liar = Liar(f"{folder}/p.sock", ["rcpt"], welcome)
            with Gateway(policies={"p": f"{folder}/p.sock"}) as gateway, gateway.connect() as client:
                client.start("EHLO client", "MAIL FROM:<a@example.org>")
                bob, mallory, eve = [client.say(f"RCPT TO:<{name}@example.com>") for name in ("bob", "mallory", "eve")]
                self.assertEqual((bob, mallory), ("250 2.1.5 Welcome", "250 2.1.5 Welcome"))
                self.assertRegex(eve, "^250 2.1.5 (?!Welcome)")
            liar.close()

    def test_xclient_forgets(self) -> None:
        with socket_folder() as folder:
            liar = Liar(
                f"{folder}/p.sock", ["connect", "ehlo"], lambda request: reply(request["id"], labels=["seen"], keep={"session": {"seen": 1}})
            )
            with Gateway(policies={"p": f"{folder}/p.sock"}, listener="    xclient: [127.0.0.1]\n") as gateway, gateway.connect() as client:
                client.start("EHLO client", "XCLIENT ADDR=192.0.2.9", "EHLO other")
            before, after = liar.requests[:2], liar.requests[2:]
            liar.close()
        self.assertEqual([request["hook"] for request in before + after], ["connect", "ehlo"] * 2)
        self.assertEqual(len({request["session"] for request in before + after}), 1)
        for connect, ehlo in (before, after):
            self.assertNotIn("keep", connect)
            self.assertNotIn("labels", connect["context"])
            self.assertEqual((ehlo["keep"], ehlo["context"]["labels"]), ({"session": {"seen": 1}}, ["seen"]))
        self.assertEqual(after[0]["context"]["client"]["ip"], "192.0.2.9")


class Sockets(unittest.TestCase):
    def test_socat_removes_the_path_of_its_successor(self) -> None:
        with socket_folder() as folder:
            path = folder / "p.sock"
            old = subprocess.Popen(["socat", f"UNIX-LISTEN:{path},fork", "EXEC:cat"])
            try:
                wait_until(path.exists, "the socket")
                path.unlink()
                with socket.socket(socket.AF_UNIX) as successor:
                    successor.bind(str(path))
                    old.terminate()
                    old.wait(PATIENCE)
                    self.assertFalse(path.exists())
            finally:
                old.kill()
                old.wait(PATIENCE)


if __name__ == "__main__":
    unittest.main()
