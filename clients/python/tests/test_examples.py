"""The examples do what they say."""

import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "clients" / "python" / "examples"))

import blocklist  # noqa: E402
import greylist  # noqa: E402
from fake_gateway import HELLO, Peer, dial, mailbox, registered, request, running  # noqa: E402


class Examples(unittest.TestCase):
    def ask(self, peer: Peer, number: int, hook: str, *address: str) -> str:
        peer.send(request(number, hook, **mailbox(*address)))
        reply = peer.receive()
        assert reply is not None
        return str(reply.get("status", reply["verdict"]))

    def test_blocklist(self) -> None:
        service = blocklist.make_service({"spam@example.net", "@bad.example", "192.0.2.1"}, {"alice@example.com"})
        with running(service) as path:
            peer, _ = registered(path)
            self.assertEqual(self.ask(peer, 1, "mail", "Spam", "Example.NET"), "5.7.1")
            self.assertEqual(self.ask(peer, 2, "mail", "any", "bad.example"), "5.7.1")
            self.assertEqual(self.ask(peer, 3, "mail", "ham", "example.net"), "accept")
            self.assertEqual(self.ask(peer, 4, "rcpt", "alice", "example.com"), "accept")
            self.assertEqual(self.ask(peer, 5, "rcpt", "bob", "example.com"), "5.1.1")
            self.assertEqual(self.ask(peer, 6, "rcpt", "postmaster", "example.com"), "accept")
            peer.send(request(7, "connect"))
            self.assertEqual((peer.receive() or {})["verdict"], "reject")
            peer.close()

    def test_greylist(self) -> None:
        now = [1000.0]
        with tempfile.TemporaryDirectory() as folder:
            lists = greylist.Greylist(f"{folder}/g.db", 300, lambda: now[0])
            self.assertEqual(lists.wait("n", "s", "r"), 300)
            now[0] += 299
            self.assertEqual(lists.wait("n", "s", "r"), 1)
            now[0] += 1
            self.assertEqual(lists.wait("n", "s", "r"), 0)
            self.assertEqual(lists.wait("n", "s", "other"), 300)
            now[0] += greylist.FORGET_AFTER + 1
            self.assertEqual(lists.wait("n", "s", "r"), 300)
            lists.database.close()
        self.assertEqual(greylist.network_of("192.0.2.77"), "192.0.2.0/24")
        self.assertEqual(greylist.network_of("2001:db8::1"), "2001:db8::/64")

    def service_without_sdk(self, *command: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/p.sock"
            process = subprocess.Popen([part.replace("SOCKET", path) for part in command])
            try:
                peer = dial(path)
                peer.send(HELLO)
                self.assertEqual((peer.receive() or {})["hooks"], {"mail": {}})
                peer.send({"type": "ready", "version": 1})
                self.assertEqual(self.ask(peer, 5, "mail", "spam", "example.net"), "5.7.1")
                self.assertEqual(self.ask(peer, 6, "mail", "ham", "example.net"), "accept")
                peer.sock.shutdown(socket.SHUT_WR)
                peer.close()
            finally:
                process.terminate()
                process.wait(10)

    def test_python_without_sdk(self) -> None:
        self.service_without_sdk(sys.executable, str(ROOT / "clients/python/examples/without_sdk.py"), "SOCKET")

    def test_shell(self) -> None:
        self.service_without_sdk("socat", "UNIX-LISTEN:SOCKET,fork", f"EXEC:{ROOT}/clients/shell/policy.sh")


if __name__ == "__main__":
    unittest.main()
