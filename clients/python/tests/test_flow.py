"""More time, windows, threads, passed descriptors: over real sockets."""

import array
import asyncio
import contextlib
import json
import logging
import os
import resource
import socket
import tempfile
import threading
import time
import unittest
from typing import Any, Callable, Dict, Iterable, List

import gatepost
from fake_gateway import Message, Peer, mailbox, registered, request, running

PING, PONG = {"type": "ping"}, {"type": "pong"}


def mail(number: int, local: str = "a") -> Message:
    return request(number, "mail", **mailbox(local, "x"))


def by_descriptor(number: int, size: int) -> Message:
    return request(number, "message", size=size, body={"mode": "fd"})


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def content(data: bytes) -> int:
    """A read-only descriptor of a file that has no name any more."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return os.open(file.name, os.O_RDONLY)


def wait_until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


class Flow(unittest.TestCase):
    def setUp(self) -> None:
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def received(self, peer: Peer, count: int) -> Dict[Any, Message]:
        messages = [peer.receive() or {} for _ in range(count)]
        return {message.get("id"): message for message in messages}

    def test_a_plain_function_that_blocks_stops_nothing(self) -> None:
        service = gatepost.Service("s")
        go = threading.Event()

        @service.mail
        def slow(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept() if request.args["local"] == "fast" or go.wait(30) else gatepost.reject()

        with running(service) as path:
            peer, _ = registered(path)
            peer.send(mail(1, "slow"), PING, mail(2, "fast"))
            self.assertEqual(self.received(peer, 2).keys(), {None, 2})
            go.set()
            self.assertEqual((peer.receive() or {})["verdict"], "accept")
            peer.close()

    def test_one_thread_is_always_the_same(self) -> None:
        service = gatepost.Service("s", threads=1)
        threads = set()

        @service.mail
        def where(request: gatepost.Request) -> gatepost.Verdict:
            threads.add(threading.get_ident())
            return gatepost.accept()

        with running(service) as path:
            peer, _ = registered(path)
            peer.send(*[mail(number) for number in range(20)])
            self.assertEqual(len(self.received(peer, 20)), 20)
            peer.close()
        self.assertEqual(len(threads), 1)

    def test_a_cancelled_plain_function_is_answered_at_once(self) -> None:
        service = gatepost.Service("s")
        at_work, go = threading.Event(), threading.Event()

        @service.mail
        def slow(request: gatepost.Request) -> gatepost.Verdict:
            at_work.set()
            go.wait(30)
            return gatepost.accept()

        with running(service) as path:
            peer, _ = registered(path)
            peer.send(mail(1))
            self.assertTrue(at_work.wait(10))
            peer.send({"type": "cancel", "ids": [1], "why": "client_gone"})
            self.assertEqual((peer.receive() or {})["verdict"], "tempfail")
            go.set()
            peer.send(PING)
            self.assertEqual(peer.receive(), PONG)  # and not a second reply
            peer.close()

    def test_more_time(self) -> None:
        service = gatepost.Service("s")
        late: List[gatepost.Request] = []

        @service.mail
        async def from_the_loop(request: gatepost.Request) -> gatepost.Verdict:
            late.append(request)
            return gatepost.accept() if request.more_time(5) else gatepost.reject()

        @service.rcpt
        def from_a_thread(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept() if request.more_time(0.25) else gatepost.reject()

        with running(service) as path:
            peer, _ = registered(path)
            peer.send(mail(1))
            self.assertEqual(peer.receive(), {"type": "progress", "id": 1, "extend_ms": 5000})
            self.assertEqual((peer.receive() or {})["verdict"], "accept")
            peer.send(request(2, "rcpt", **mailbox("b", "x")))
            self.assertEqual(peer.receive(), {"type": "progress", "id": 2, "extend_ms": 250})
            self.assertEqual((peer.receive() or {})["verdict"], "accept")
            self.assertFalse(late[0].more_time(5))  # it was answered
            for seconds in (0, -1, 3601, float("nan"), "5"):
                with self.assertRaises(ValueError):
                    late[0].more_time(seconds)  # type: ignore[arg-type]
            peer.close()
            peer, _ = registered(path, hooks={"mail": {"deadline_ms": 3000}, "rcpt": {}})
            peer.send(mail(1))
            self.assertEqual((peer.receive() or {})["verdict"], "reject")  # no more time is to be had
            peer.close()

    def test_window(self) -> None:
        service = gatepost.Service("s", window=8)
        service.mail(lambda request: gatepost.accept())
        with self.assertRaises(ValueError):
            service.window(-1)
        with running(service) as path:
            peer, register = registered(path)
            self.assertEqual(register["window"], 8)
            peer.send(PING)
            self.assertEqual(peer.receive(), PONG)
            for n in (0, 8):
                service.window(n)
                self.assertEqual(peer.receive(), {"type": "window", "n": n})
            service.window(0)
            self.assertEqual(peer.receive(), {"type": "window", "n": 0})
            second, register = registered(path)  # a connection of later is paused too
            self.assertEqual(register["window"], 1)
            self.assertEqual(second.receive(), {"type": "window", "n": 0})
            peer.close()
            second.close()

    def test_ready(self) -> None:
        service = gatepost.Service("s")
        seen: List[gatepost.Ready] = []

        @service.mail(want=["client.name"])
        def mail_hook(request: gatepost.Request) -> gatepost.Verdict:
            seen.append(request.ready)
            return gatepost.bypass()

        with running(service) as path:
            granted: Dict[str, List[str]] = {"bypass": ["bypass"], "tempfail": []}
            for verdict, grants in granted.items():
                peer, _ = registered(path, mode="shadow", grants=grants, missing=["client.name"])
                peer.send(mail(1))
                self.assertEqual((peer.receive() or {})["verdict"], verdict)
                ready = seen.pop()
                self.assertEqual((ready.mode, ready.grants, ready.missing), ("shadow", tuple(grants), ("client.name",)))
                peer.close()

    def test_bad_answers_are_tempfail_and_logged(self) -> None:
        logging.disable(logging.NOTSET)
        service = gatepost.Service("s")

        @service.mail
        def discard_at_mail(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept(edits=[gatepost.edits.drop_recipient(1)])

        @service.rcpt
        def wrong_value(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept(labels=["Not A Label"])

        with running(service) as path, self.assertLogs("gatepost", logging.ERROR) as logs:
            peer, _ = registered(path)
            peer.send(mail(1), request(2, "rcpt", **mailbox("b", "x")))
            replies = self.received(peer, 2)
            self.assertEqual([replies[number]["verdict"] for number in (1, 2)], ["tempfail"] * 2)
            peer.close()
        text = "\n".join(logs.output)
        self.assertIn("drop_recipient is not possible at mail, only at data and message", text)
        self.assertIn("a label is 1 to 64 characters", text)


class Descriptors(unittest.TestCase):
    def setUp(self) -> None:
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.seen: Dict[Any, Any] = {}
        self.service = gatepost.Service("s", body=["fd"])
        self.service.message(self.look)
        self.service.mail(lambda request: gatepost.accept())

    def look(self, request: gatepost.Request) -> gatepost.Verdict:
        with request.body.open() as file:
            half = file.read(2)
            file.seek(0)
            self.seen[request.id] = half, file.read(), os.pread(file.fileno(), 3, 0)
        self.seen["request"] = request
        return gatepost.accept()

    def pass_on(self, peer: Peer, data: bytes, passed: Iterable[int]) -> None:
        """The descriptors with the first octet of data; they are closed here."""
        passed = list(passed)
        peer.sock.sendmsg([data[:1]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", passed))])
        peer.send_raw(data[1:])
        for descriptor in passed:
            os.close(descriptor)

    def line(self, *messages: Message) -> bytes:
        return b"".join(json.dumps(message).encode() + b"\n" for message in messages)

    def settled(self, peer: Peer, before: int) -> None:
        """No descriptor is left. The last is closed before the reply to it is written."""
        peer.send(PING)
        self.assertEqual(peer.receive(), PONG)
        self.assertEqual(descriptors(), before)

    def test_each_request_has_its_own(self) -> None:
        with running(self.service) as path:
            peer, _ = registered(path)
            peer.send(PING)
            self.assertEqual(peer.receive(), PONG)
            before = descriptors()
            for number in (1, 2, 3):
                data = f"message {number}".encode()
                self.pass_on(peer, self.line(by_descriptor(number, len(data))), [content(data)])
                peer.send(mail(number + 10))
            for _ in range(6):
                self.assertEqual((peer.receive() or {})["verdict"], "accept")
            self.settled(peer, before)
            for number in (1, 2, 3):
                data = f"message {number}".encode()
                self.assertEqual(self.seen[number], (data[:2], data, data[:3]))
            with self.assertRaises(gatepost.ContentError):
                self.seen["request"].body.open()  # the request is over
            peer.close()

    def test_several_at_a_time_are_taken_in_order(self) -> None:
        with running(self.service) as path:
            peer, _ = registered(path)
            before = descriptors()
            self.pass_on(peer, self.line(by_descriptor(1, 3), by_descriptor(2, 4)), [content(b"one"), content(b"four")])
            self.assertEqual({(peer.receive() or {})["verdict"] for _ in range(2)}, {"accept"})
            self.assertEqual((self.seen[1][1], self.seen[2][1]), (b"one", b"four"))
            self.settled(peer, before)
            peer.close()

    def test_one_without_a_request_is_closed(self) -> None:
        with running(self.service) as path:
            peer, _ = registered(path)
            before = descriptors()
            self.pass_on(peer, self.line(mail(1)), [content(b"stray"), content(b"stray")])
            self.assertEqual((peer.receive() or {})["verdict"], "accept")
            self.pass_on(peer, self.line(by_descriptor(2, 4)), [content(b"mine")])
            self.assertEqual((peer.receive() or {})["verdict"], "accept")
            self.assertEqual(self.seen[2][1], b"mine")
            self.settled(peer, before)
            peer.close()

    def test_a_request_without_one_is_tempfail(self) -> None:
        with running(self.service) as path:
            peer, _ = registered(path)
            peer.send(by_descriptor(1, 4))
            self.assertEqual((peer.receive() or {})["verdict"], "tempfail")
            peer.close()

    def test_another_size_or_kind_is_tempfail(self) -> None:
        with running(self.service) as path:
            peer, _ = registered(path)
            before = descriptors()
            self.pass_on(peer, self.line(by_descriptor(1, 5)), [content(b"four")])
            self.assertEqual((peer.receive() or {})["verdict"], "tempfail")
            self.pass_on(peer, self.line(by_descriptor(2, 0)), [os.open("/", os.O_RDONLY)])
            self.assertEqual((peer.receive() or {})["verdict"], "tempfail")
            self.settled(peer, before)
            peer.close()

    def test_a_connection_that_ends_leaves_none(self) -> None:
        with running(self.service) as path:
            peer, _ = registered(path)
            peer.sock.shutdown(socket.SHUT_WR)
            self.assertIsNone(peer.receive())  # the service has closed its end
            peer.close()
            before = descriptors()
            for end in (b"", b"garbage\n", self.line(dict(by_descriptor(1, 4), id="x")), self.line(by_descriptor(1, 4))):
                peer, _ = registered(path)
                self.pass_on(peer, self.line(by_descriptor(3, 4))[:-20] if not end else end, [content(b"four")])
                peer.sock.shutdown(socket.SHUT_WR)
                while peer.receive() is not None:
                    pass
                peer.close()
            self.assertTrue(wait_until(lambda: descriptors() <= before), "descriptors are left")

    def test_one_that_cannot_be_taken_ends_the_connection(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with running(self.service) as path:
            peer, _ = registered(path)
            passed = [content(b"four") for _ in range(3)]
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(passed) + 1, hard))
            with contextlib.suppress(OSError):
                while True:
                    passed.append(os.dup(passed[0]))
            peer.sock.sendmsg([b"{"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", passed[:3]))])
            self.assertIsNone(peer.receive())
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in passed:
                os.close(descriptor)
            peer.close()

    def test_files_that_stay_open_can_be_read_on(self) -> None:
        files: List[Any] = []

        async def keep(request: gatepost.Request) -> gatepost.Verdict:
            files.append(await asyncio.to_thread(request.body.open))
            return gatepost.accept()

        service = gatepost.Service("s", body=["fd"])
        service.message(keep)
        with running(service) as path:
            peer, _ = registered(path)
            self.pass_on(peer, self.line(by_descriptor(1, 4)), [content(b"four")])
            self.assertEqual((peer.receive() or {})["verdict"], "accept")
            with files[0]:
                self.assertEqual(files[0].read(), b"four")
            peer.close()


if __name__ == "__main__":
    unittest.main()
