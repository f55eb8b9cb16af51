"""Lines over a socket: every split, the longest, more than the buffers hold."""

import array
import contextlib
import json
import logging
import os
import socket
import threading
import unittest
from typing import Any, Dict, List

import gatepost
from fake_gateway import HELLO, dial, mailbox, registered, request, running
from gatepost import wire


class Channel(unittest.TestCase):
    def setUp(self) -> None:
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.service = gatepost.Service("s", body=["fd"])

        @self.service.mail
        async def mail(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept()

        @self.service.message
        async def message(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept() if request.body.read() == b"four" else gatepost.reject()

    def line(self, message: Dict[str, Any]) -> bytes:
        return json.dumps(message).encode() + b"\n"

    def test_every_split(self) -> None:
        with running(self.service) as path:
            peer, _ = registered(path)
            passed = os.memfd_create("content")
            os.write(passed, b"four")
            self.addCleanup(os.close, passed)
            first = self.line(request(1, "mail", **mailbox("\u00e9", "x")))
            # memfd_create() gives a regular file.
            second = self.line(request(2, "message", size=4, body={"mode": "fd"}))
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [passed]))]
            for split in range(1, len(first)):
                peer.send_raw(first[:split])
                peer.send_raw(first[split:])
                self.assertEqual((peer.receive() or {})["verdict"], "accept")
            for split in range(1, len(second), 7):
                peer.send_raw(first)
                peer.sock.sendmsg([second[:split]], ancillary)
                peer.send_raw(second[split:])
                self.assertEqual([(peer.receive() or {})["verdict"] for _ in range(2)], ["accept", "accept"])
            for octet in first:
                peer.send_raw(bytes([octet]))
            self.assertEqual((peer.receive() or {})["verdict"], "accept")
            peer.close()

    def test_the_longest_line(self) -> None:
        with running(self.service) as path:
            for over in (0, 1):
                peer, _ = registered(path)
                message = request(1, "mail", **mailbox("a", "x"), x_filler="")
                message["args"]["x_filler"] = "f" * (wire.MAX_LINE + over - len(self.line(message)) + 1)
                with contextlib.suppress(BrokenPipeError):  # it may close before the last octet
                    peer.send(message)
                reply = peer.receive()
                self.assertEqual(reply and reply["verdict"], None if over else "accept")
                peer.close()

    def test_replies_that_are_not_read_wait(self) -> None:
        count = 20000
        with running(self.service) as path:
            peer, _ = registered(path)
            line = b"".join(self.line(request(number, "mail", **mailbox("a", "x"))) for number in range(count))
            writer = threading.Thread(target=peer.send_raw, args=(line,))
            writer.start()
            seen: List[int] = [(peer.receive() or {})["id"] for _ in range(count)]
            writer.join(60)
            self.assertEqual(sorted(seen), list(range(count)))
            peer.close()

    def test_a_cut_line_at_the_end_is_no_request(self) -> None:
        with running(self.service) as path:
            peer, _ = registered(path)
            peer.send_raw(self.line(request(1, "mail", **mailbox("a", "x")))[:-1])
            peer.sock.shutdown(socket.SHUT_WR)
            self.assertIsNone(peer.receive())
            peer.close()

    def test_a_gateway_that_leaves_during_the_handshake(self) -> None:
        with running(self.service) as path:
            dial(path).close()
            peer = dial(path)
            peer.send(HELLO)
            peer.close()
            peer, _ = registered(path)
            peer.send({"type": "ping"})
            self.assertEqual(peer.receive(), {"type": "pong"})
            peer.close()


if __name__ == "__main__":
    unittest.main()
