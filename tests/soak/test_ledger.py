"""That the accounts find what is wrong: each case spoils a run in which all is well in one place."""

import array
import unittest
from typing import Callable, Dict, List, Tuple

from ledger import Ledger
from watchers import Seen
from wire import Letter, Visit
from words import Found

ID, OTHER = "01K2F7Q9A0C5N8PVD2HJ", "01K2F7Q9A0C5N8PVD2HK"
RECIPIENTS = ("ok.0@example.com",)


class World:
    """One client that has sent one message to the Maildir and said QUIT."""

    def __init__(self) -> None:
        self.visit = Visit(1, "box", "mail", 100.0, 110.0, "127.1.0.1", array.array("H", (220, 250, 250, 250, 354, 250, 221)), end="quit")
        self.letter = Letter(7, "plain", RECIPIENTS, complete=True, code=250, transaction=ID)
        self.visit.letters.append(self.letter)
        self.seen = Seen(self.visit.ip, 1, 1, "quit", array.array("H", (250, 250, 250, 354, 250, 221)), [(ID, 250, False)], [(ID, 250)])
        self.sessions: Dict[str, Seen] = {"S": self.seen}
        self.places: Dict[int, List[Tuple[str, Found]]] = {7: [("box", Found(7, ID, RECIPIENTS))]}

    def drop(self) -> None:
        """The message was discarded, as a service wanted it."""
        self.letter.word = "dropped"
        self.seen.messages = [(ID, 250, True)]
        self.seen.deliveries.clear()
        self.places.clear()

    def refuse(self) -> None:
        self.letter.word, self.letter.code, self.letter.transaction = "refused", 554, ""
        self.visit.codes[5] = self.seen.codes[4] = 554
        self.seen.messages = [(ID, 554, False)]
        self.seen.deliveries.clear()
        self.places.clear()

    def leave(self) -> None:
        """The client left without its reply."""
        self.visit.manner, self.visit.end, self.letter.code, self.letter.transaction = "hang_up", "left", 0, ""
        del self.visit.codes[5:]
        del self.seen.codes[5:]
        self.seen.reason = "client_gone"

    def lose_worker(self) -> None:
        """It was killed with this session open."""
        self.leave()
        self.visit.manner, self.visit.end = "mail", "broken"
        self.sessions["S"] = Seen(self.visit.ip, 1)

    def books(self, worker: bool = False, hub: bool = False) -> List[str]:
        ledger = Ledger([self.visit], self.sessions, self.places)
        ledger.close({self.visit.ip} if worker else set(), [105.0] if worker else [], [(104.0, 106.0)] if hub else [])
        return [*ledger.faults, *(f"{place} differs by {count}" for place, count in ledger.differences().items() if count)]


def nothing(world: World) -> None:
    pass


def change(world: World, code: int) -> None:
    world.visit.codes[5] = code


class Accounts(unittest.TestCase):
    def check_good(self, prepare: Callable[[World], None], worker: bool = False, hub: bool = False) -> None:
        world = World()
        prepare(world)
        self.assertEqual(world.books(worker, hub), [])

    def check_bad(self, prepare: Callable[[World], None], spoil: Callable[[World], object], worker: bool = False, hub: bool = False) -> None:
        world = World()
        prepare(world)
        spoil(world)
        self.assertNotEqual(world.books(worker, hub), [])

    def test_good(self) -> None:
        for prepare in (nothing, World.drop, World.refuse, World.leave):
            with self.subTest(prepare=prepare.__name__):
                self.check_good(prepare)
                self.check_good(prepare, hub=True)
        self.check_good(World.lose_worker, worker=True)

    def test_message(self) -> None:
        for name, spoil in {
            "lost": lambda world: world.places.clear(),
            "twice": lambda world: world.places[7].append(world.places[7][0]),
            "elsewhere": lambda world: world.places.update({7: [("relay", Found(7, ID, ()))]}),
            "held": lambda world: world.places.update({7: [("held", Found(7, ID, RECIPIENTS))]}),
            "other recipients": lambda world: world.places.update({7: [("box", Found(7, ID, ()))]}),
            "other transaction": lambda world: world.places.update({7: [("box", Found(7, OTHER, RECIPIENTS))]}),
            "nobody's": lambda world: world.places.update({8: [("box", Found(8, OTHER, RECIPIENTS))]}),
            "never whole": lambda world: setattr(world.letter, "complete", False),
        }.items():
            with self.subTest(name):
                self.check_bad(nothing, spoil)

    def test_events(self) -> None:
        for name, spoil in {
            "no session": lambda world: world.sessions.clear(),
            "two sessions": lambda world: world.sessions.update(T=world.seen),
            "a stranger": lambda world: world.sessions.update(T=Seen("127.9.9.9", 1, 1)),
            "no disconnect": lambda world: setattr(world.seen, "disconnects", 0),
            "two disconnects": lambda world: setattr(world.seen, "disconnects", 2),
            "no message": lambda world: world.seen.messages.clear(),
            "two messages": lambda world: world.seen.messages.append((OTHER, 250, False)),
            "other code": lambda world: world.seen.messages.__setitem__(0, (ID, 451, False)),
            "other transaction": lambda world: world.seen.messages.__setitem__(0, (OTHER, 250, False)),
            "discarded": lambda world: world.seen.messages.__setitem__(0, (ID, 250, True)),
            "no delivery": lambda world: world.seen.deliveries.clear(),
            "two deliveries": lambda world: world.seen.deliveries.append((ID, 250)),
            "refused delivery": lambda world: world.seen.deliveries.__setitem__(0, (ID, 451)),
            "a reply less": lambda world: world.seen.codes.pop(),
            "a reply more": lambda world: world.seen.codes.append(250),
            "another reply": lambda world: change(world, 251),
        }.items():
            with self.subTest(name):
                self.check_bad(nothing, spoil)

    def test_refusal_and_discard(self) -> None:
        stored = World().places
        for name, prepare, spoil in (
            ("refused, and there", World.refuse, lambda world: world.places.update(stored)),
            ("refused, and delivered", World.refuse, lambda world: world.seen.deliveries.append((ID, 250))),
            ("refused without a reason", World.refuse, lambda world: setattr(world.letter, "word", "plain")),
            ("dropped, and there", World.drop, lambda world: world.places.update(stored)),
            ("dropped, and delivered", World.drop, lambda world: world.seen.deliveries.append((ID, 250))),
            ("dropped without a reason", World.drop, lambda world: setattr(world.letter, "word", "plain")),
            ("left, delivered, not there", World.leave, lambda world: world.places.clear()),
            ("left, there, not delivered", World.leave, lambda world: (world.seen.deliveries.clear(), world.seen.messages.clear())),
        ):
            with self.subTest(name):
                self.check_bad(prepare, spoil)

    def test_words(self) -> None:
        """A reply that all agree about is a fault all the same when the words do not ask for it."""

        def put_off(world: World) -> None:
            world.letter.code = world.visit.codes[5] = world.seen.codes[4] = 451
            world.letter.transaction, world.seen.messages = "", [(ID, 451, False)]

        def put_off_plainly(world: World) -> None:
            put_off(world)
            world.seen.deliveries.clear()
            world.places.clear()

        self.check_bad(World.drop, put_off)
        self.check_bad(nothing, put_off_plainly)
        self.check_bad(nothing, lambda world: world.visit.surprises.append("RCPT of ok was answered with 550"))
        self.check_bad(nothing, lambda world: world.visit.surprises.append("RCPT of ok was answered with 550"), hub=True)

    def test_next_server_and_discard(self) -> None:
        def passed_on(world: World) -> None:
            world.visit.kind = "relay"
            world.places[7] = [("relay", Found(7, ID, RECIPIENTS))]

        def thrown_away(world: World) -> None:
            world.leave()
            world.visit.kind = "void"
            world.places.clear()

        self.check_good(passed_on)
        self.check_bad(passed_on, lambda world: world.places.update({7: [("relay", Found(7, ID, ()))]}))
        self.check_good(thrown_away)
        self.check_bad(thrown_away, lambda world: setattr(world.letter, "complete", False))

    def test_client(self) -> None:
        for end in ("broken", "hung", "refused"):
            with self.subTest(end):
                self.check_bad(nothing, lambda world: setattr(world.visit, "end", end))

    def test_kills(self) -> None:
        """What a kill explains is no fault; what it does not is one all the same."""
        self.check_bad(World.lose_worker, nothing)
        self.check_bad(World.lose_worker, lambda world: world.places[7].append(world.places[7][0]), worker=True)
        for spoil in (lambda world: world.places.clear(), lambda world: setattr(world.visit, "end", "broken")):
            self.check_bad(nothing, spoil, hub=True)
        self.check_bad(nothing, lambda world: world.places.clear(), worker=True)
        world = World()
        world.seen.messages.clear()
        world.seen.deliveries.clear()
        self.assertEqual(world.books(hub=True), [])
        self.assertNotEqual(world.books(), [])


if __name__ == "__main__":
    unittest.main()
