"""The subscriber over real sockets: order, gaps, reconnecting."""

import asyncio
import logging
import threading
import unittest
import unittest.mock
from typing import Any, List

import gatepost
from fake_gateway import PATIENCE, EventServer, event, heartbeat

SUBSCRIBED = {"type": "subscribed", "version": 1, "epoch": "E1", "from": 1, "replaying": 0}


class Events(unittest.TestCase):
    def setUp(self) -> None:
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.server = EventServer()
        self.addCleanup(self.server.close)

    def subscribe(self, **options: Any) -> gatepost.Subscriber:
        self.accepted: List[Any] = []
        thread = threading.Thread(target=lambda: self.accepted.append(self.server.accept()))
        thread.start()
        subscriber = gatepost.Subscriber(self.server.path, **options)
        self.addCleanup(subscriber.close)
        self.first: List[Any] = []
        reader = threading.Thread(target=lambda: self.first.append(next(subscriber, None)))
        reader.start()
        thread.join(PATIENCE)
        peer, self.subscription = self.accepted[0]
        self.addCleanup(peer.close)
        self.peer, self.reader = peer, reader
        return subscriber

    def test_order_and_announced_gap(self) -> None:
        subscriber = self.subscribe(events=["mail", "policy.*"], from_="oldest", name="t")
        self.assertEqual((self.subscription["events"], self.subscription["from"]), (["mail", "policy.*"], "oldest"))
        gap = {"type": "gap", "from": 4, "to": 9, "lost": 6, "why": "lag"}
        self.peer.send(SUBSCRIBED, event(1, 0, address="a@x"), event(3, 1), gap, event(12, 9))
        self.reader.join(PATIENCE)
        items = self.first + [next(subscriber) for _ in range(3)]
        self.assertEqual([getattr(item, "seq", None) for item in items], [1, 3, None, 12])
        self.assertEqual((items[2].why, items[2].lost), ("lag", 6))
        self.assertEqual(items[0].data, {"address": "a@x"})
        self.assertEqual(subscriber.position, ("E1", 12))

    def test_unannounced_loss_is_found(self) -> None:
        subscriber = self.subscribe(reconnect=False)
        self.peer.send(SUBSCRIBED, event(1, 0), event(5, 4))
        self.reader.join(PATIENCE)
        gap = next(subscriber)
        assert isinstance(gap, gatepost.Gap)
        self.assertEqual((gap.why, gap.start, gap.end, gap.lost), ("unexplained", 2, 4, 3))
        self.assertEqual(getattr(next(subscriber), "seq", None), 5)

    def test_reconnect_goes_on_after_the_last_event(self) -> None:
        subscriber = self.subscribe()
        self.peer.send(SUBSCRIBED, event(1, 0), event(2, 1))
        self.reader.join(PATIENCE)
        next(subscriber)
        self.peer.close()
        result: List[Any] = []
        reader = threading.Thread(target=lambda: result.append(next(subscriber)))
        reader.start()
        peer, subscription = self.server.accept()
        self.addCleanup(peer.close)
        self.assertEqual(subscription["from"], {"epoch": "E1", "seq": 2})
        peer.send(dict(SUBSCRIBED, **{"from": 3}), event(3, 2))
        reader.join(PATIENCE)
        self.assertEqual(result[0].seq, 3)

    def reconnected(self, subscriber: gatepost.Subscriber) -> Any:
        """The subscription of the next connection, on which one more event comes."""
        result: List[Any] = []
        reader = threading.Thread(target=lambda: result.append(next(subscriber)))
        reader.start()
        peer, subscription = self.server.accept()
        self.addCleanup(peer.close)
        first = subscription["from"]["seq"] + 1
        peer.send(dict(SUBSCRIBED, **{"from": first}), event(first, first - 1))
        reader.join(PATIENCE)
        self.assertEqual(result[0].seq, first)
        return subscription

    def test_heartbeats_move_the_position(self) -> None:
        """What was not wanted is not asked for again, and is no gap."""
        subscriber = self.subscribe(events=["mail"])
        self.peer.send(SUBSCRIBED, event(3, 0), heartbeat(3), heartbeat(900))
        self.reader.join(PATIENCE)
        self.peer.close()
        self.assertEqual(self.reconnected(subscriber)["from"], {"epoch": "E1", "seq": 900})
        self.assertEqual(subscriber.position, ("E1", 901))

    def test_heartbeat_finds_a_hole(self) -> None:
        """The gateway begins later than asked and says nothing of a gap."""
        subscriber = self.subscribe(from_=("E1", 5))
        self.peer.send(dict(SUBSCRIBED, **{"from": 9}), heartbeat(8))
        self.reader.join(PATIENCE)
        (gap,) = self.first
        self.assertEqual((gap.why, gap.start, gap.end), ("unexplained", 6, 8))
        self.assertEqual(subscriber.position, ("E1", 8))

    def test_silence_is_a_break(self) -> None:
        with unittest.mock.patch("gatepost._events._SILENCE", 0.3):
            subscriber = self.subscribe()
            self.peer.send(SUBSCRIBED, event(1, 0))
            self.reader.join(PATIENCE)
            self.assertEqual(self.reconnected(subscriber)["from"], {"epoch": "E1", "seq": 1})

    def test_silence_is_a_break_for_asyncio(self) -> None:
        async def run() -> None:
            loop = asyncio.get_running_loop()
            stream = gatepost.events(self.server.path)
            waiting = asyncio.ensure_future(stream.__anext__())
            peer, _ = await loop.run_in_executor(None, self.server.accept)
            peer.send(SUBSCRIBED)
            again, _ = await loop.run_in_executor(None, self.server.accept)
            again.send(SUBSCRIBED, event(1, 0))
            self.assertEqual(getattr(await asyncio.wait_for(waiting, PATIENCE), "seq", None), 1)
            await stream.aclose()  # type: ignore[attr-defined]
            peer.close()
            again.close()

        with unittest.mock.patch("gatepost._events._SILENCE", 0.3):
            asyncio.run(run())

    def test_cancelled_while_more_comes(self) -> None:
        async def run() -> None:
            seen = asyncio.Event()

            async def read() -> None:
                async for _ in gatepost.events(self.server.path):
                    seen.set()

            reading = asyncio.ensure_future(read())
            peer, _ = await asyncio.get_running_loop().run_in_executor(None, self.server.accept)
            self.addCleanup(peer.close)
            peer.send(SUBSCRIBED, *(event(n, n - 1) for n in range(1, 9)))
            await seen.wait()
            reading.cancel()
            done, _ = await asyncio.wait({reading}, timeout=PATIENCE)
            self.assertTrue(done, "it goes on reading")

        asyncio.run(run())

    def test_close_on_lag(self) -> None:
        subscriber = self.subscribe(on_lag="close")
        self.assertEqual(self.subscription["on_lag"], "close")
        self.peer.send(SUBSCRIBED, event(1, 0), {"type": "error", "fatal": True, "code": "lag", "message": "too slow"})
        self.reader.join(PATIENCE)
        with self.assertRaises(gatepost.EventsError) as raised:
            next(subscriber)
        self.assertEqual(raised.exception.code, "lag")
        self.assertEqual(subscriber.position, ("E1", 1))
        with self.assertRaises(ValueError):
            gatepost.Subscriber(self.server.path, on_lag="wait")

    def test_refusal_ends_it(self) -> None:
        async def run(code: str) -> None:
            loop = asyncio.get_running_loop()
            stream = gatepost.events(self.server.path, ["mail"])
            waiting = asyncio.ensure_future(stream.__anext__())
            peer, _ = await loop.run_in_executor(None, self.server.accept)
            peer.send({"type": "error", "fatal": True, "code": code, "message": "no"})
            with self.assertRaises(gatepost.EventsError):
                await asyncio.wait_for(waiting, PATIENCE)
            peer.close()

        for code in ("unknown_event", "not_allowed"):
            asyncio.run(run(code))


if __name__ == "__main__":
    unittest.main()
