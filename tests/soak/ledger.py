"""The accounts: what clients were told, what events say, and what is where.

    client          its number of the message    the sum over its octets
    events          the session by its address   messages in their order, with the code; deliveries by transaction
    places          number and transaction of each message that is there

Each pair is compared, so all three agree or a fault is listed. Exact are all sessions but those that a kill of this run touched:
those of a worker that was killed, and those that were open while the hub was away. They are counted apart, and of them too no message is
there twice, or after a refusal; and where only the hub was killed, what the client was told is still what is there.
"""

from collections import Counter
from typing import Dict, List, Optional, Set, Tuple

from sessions import EXACT
from watchers import Seen
from wire import Letter, Visit
from words import RECIPIENTS, SENDERS, Found, word_of

PLACE = {"box": "Maildir", "boxs": "Maildir", "proxied": "Maildir", "relay": "next server", "app": "service", "void": "discard"}
LEFT_SHORTLY = 3.0
"""Seconds before a kill in which a session has ended that the worker may not have told of."""
UNTOLD = {421}
"""A reply that is no answer to a command: the gateway ends the session."""


class Ledger:
    def __init__(self, visits: List[Visit], sessions: Dict[str, Seen], places: Dict[int, List[Tuple[str, Found]]]) -> None:
        self.visits, self.places = visits, places
        self.sessions: Dict[str, List[Tuple[str, Seen]]] = {}
        for session, seen in sessions.items():
            self.sessions.setdefault(seen.ip, []).append((session, seen))
        self.rows: Dict[str, Counter[str]] = {place: Counter() for place in dict.fromkeys(PLACE.values())}
        """What the exact sessions come to, by place."""
        self.total: Counter[str] = Counter()
        self.faults: List[str] = []
        self._told: Set[int] = set()

    def fault(self, visit: Visit, text: str) -> None:
        self.faults.append(f"session {visit.ip} ({visit.kind}, {visit.manner}): {text}")

    def close(self, killed: Set[str], kills: List[float], outages: List[Tuple[float, float]]) -> None:
        """killed: clients of workers that were killed; kills: when; outages of the hub: from, to."""
        for visit in self.visits:
            hub = any(visit.began < end and (visit.ended or end) > begin for begin, end in outages)
            late = any(visit.end == "left" and kill - LEFT_SHORTLY < visit.ended <= kill + 1 for kill in kills)
            seen = self.sessions.get(visit.ip, [])
            worker = visit.ip in killed or (late and not (seen and seen[0][1].disconnects))
            self._manners(visit, worker)
            if worker or hub:
                self._apart(visit, worker)
            else:
                self._exact(visit, seen)
        self._unknown()

    # --- what holds for each session ---

    def _manners(self, visit: Visit, worker: bool) -> None:
        self.total["sessions"] += 1
        self.total[f"end {visit.end}"] += 1
        if visit.end in ("refused", "hung"):
            self.fault(visit, f"the client was {visit.end}")
        if visit.end == "broken" and visit.manner in EXACT and not worker:
            self.fault(visit, "the gateway closed without a word")
        for surprise in visit.surprises:
            self.fault(visit, surprise)
        for letter in visit.letters:
            self._once(visit, letter)
            self._as_said(visit, letter)

    def _once(self, visit: Visit, letter: Letter) -> None:
        """What holds whatever was killed."""
        self._told.add(letter.number)
        there = self.places.get(letter.number, [])
        if len(there) > 1:
            self.fault(visit, f"message {letter.number} is there {len(there)} times: {there}")
        if there and not letter.complete:
            self.fault(visit, f"message {letter.number} is there, and was never sent to its end")
        if there and letter.code not in (0, 250):
            # A next server that was lost may have it all the same; ours is asked not to.
            self.fault(visit, f"message {letter.number} is there, and its client was told {letter.code}")
        for place, found in there:
            self._right(visit, letter, place, found)

    def _right(self, visit: Visit, letter: Letter, place: str, found: Found) -> None:
        wanted = {"Maildir": "held" if letter.word == "held" else "box", "next server": "relay", "service": "app"}.get(PLACE[visit.kind])
        if place != wanted:
            self.fault(visit, f"message {letter.number} of {letter.word} is at {place}")
        recipients = tuple(sorted(address for address in letter.recipients if word_of(address) != "gone"))
        if found.recipients != recipients:
            self.fault(visit, f"message {letter.number} is there for {found.recipients}, and {recipients} were accepted")

    def is_dropped(self, letter: Letter) -> bool:
        """A service wanted it thrown away."""
        return letter.word in ("dropped", "unseen") or all(word_of(address) == "gone" for address in letter.recipients)

    def _as_said(self, visit: Visit, letter: Letter) -> None:
        """The reply is the one that the words ask for. For whom nobody is left, nobody is asked."""
        wanted = (250,) if self.is_dropped(letter) else SENDERS[letter.word].codes
        if letter.code and letter.code not in wanted:
            self.fault(visit, f"message {letter.number} of {letter.word} was answered with {letter.code}")

    # --- sessions whose events are all there ---

    def _exact(self, visit: Visit, sessions: List[Tuple[str, Seen]]) -> None:
        if len(sessions) > 1:
            self.fault(visit, "has two sessions")
        if not sessions:
            if visit.codes or visit.letters:
                self.fault(visit, f"has no events, and got {list(visit.codes)}")
            return
        seen = sessions[0][1]
        if (seen.connects, seen.disconnects) != (1, 1):
            self.fault(visit, f"{sessions[0][0]} has {seen.connects} connect and {seen.disconnects} disconnect")
        self.total["connect"] += seen.connects
        self.total["disconnect"] += seen.disconnects
        self.total[f"reason {seen.reason}"] += 1
        self._replies(visit, seen)
        self._messages(visit, seen)

    def _replies(self, visit: Visit, seen: Seen) -> None:
        """The client's replies are the first of those that events tell of; the others it did not stay for."""
        got = list(visit.codes[1:])
        if got and got[-1] in UNTOLD and list(seen.codes[: len(got)]) != got:
            got.pop()
            self.total["untold"] += 1
        self.total["replies"] += len(got)
        self.total["replies told"] += len(seen.codes)
        self.total["replies unread"] += len(seen.codes) - len(got)
        if list(seen.codes[: len(got)]) != got:
            self.fault(visit, f"got {got}, and events say {list(seen.codes)}")
        elif visit.end in ("quit", "closed") and len(seen.codes) != len(got):
            self.fault(visit, f"read all replies, {got}, and events say {list(seen.codes)}")

    def _messages(self, visit: Visit, seen: Seen) -> None:
        row = self.rows[PLACE[visit.kind]]
        answered = [letter for letter in visit.letters if letter.code]
        silent = [letter for letter in visit.letters if not letter.code]
        row["message events 250"] += sum(code == 250 for _, code, _ in seen.messages)
        row["message events other"] += sum(code != 250 for _, code, _ in seen.messages)
        row["delivery events"] += sum(code == 250 for _, code in seen.deliveries)
        for letter, message in zip(answered, seen.messages):
            self._answered(visit, row, letter, message, [code for id, code in seen.deliveries if id == message[0]])
        if not len(answered) <= len(seen.messages) <= len(visit.letters):
            self.fault(visit, f"{[letter.code for letter in visit.letters]} were the answers, and events say {seen.messages}")
        known = {id for id, _, _ in seen.messages[: len(answered)]}
        rest = [(id, code, discarded) for id, code, discarded in seen.messages[len(answered) :]]
        row["unread 250"] += sum(code == 250 for _, code, _ in rest)
        row["unread other"] += sum(code != 250 for _, code, _ in rest)
        row["discarded"] += sum(discarded for _, code, discarded in seen.messages if code == 250)
        delivered = {id for id, code in seen.deliveries if code == 250}
        # The client left while its message was delivered: nobody could be answered any more.
        row["client gone"] += len(delivered - {id for id, _, _ in seen.messages})
        if len(delivered) != sum(code == 250 for _, code in seen.deliveries):
            self.fault(visit, f"a transaction was delivered twice: {seen.deliveries}")
        if len(delivered - known) > sum(letter.complete for letter in silent):
            self.fault(visit, f"delivered {sorted(delivered - known)}, more than were sent to their end")
        self._silent(visit, row, silent, delivered - known)

    def _answered(self, visit: Visit, row: "Counter[str]", letter: Letter, message: Tuple[str, int, bool], deliveries: List[int]) -> None:
        id, code, discarded = message
        there = self.places.get(letter.number, [])
        row["replies 250" if letter.code == 250 else "replies other"] += 1
        row["places"] += len(there)
        if code != letter.code or letter.transaction not in ("", id):
            self.fault(visit, f"message {letter.number} got {letter.code} {letter.transaction}, and the event says {message}")
        good = deliveries.count(250)
        if letter.code != 250:
            if good:
                self.fault(visit, f"message {letter.number} got {letter.code}, and was delivered")
            return
        if discarded != self.is_dropped(letter):
            self.fault(visit, f"message {letter.number} of {letter.word} was {'' if discarded else 'not '}discarded")
        if deliveries != ([] if discarded else [250]):
            self.fault(visit, f"message {letter.number} got 250, and has the deliveries {deliveries}")
        if visit.kind == "void":
            row["places"] += good  # nowhere is where it is to be
        elif [found.transaction for _, found in there] != ([] if discarded else [id]):
            self.fault(visit, f"message {letter.number} got 250 as {id}, and is at {there}")

    def _silent(self, visit: Visit, row: "Counter[str]", letters: List[Letter], delivered: Set[str]) -> None:
        """Messages whose client left before the answer: what is delivered is there, and nothing else."""
        there = {found.transaction for letter in letters for _, found in self.places.get(letter.number, [])}
        row["places"] += len(delivered) if visit.kind == "void" else len(there)
        if visit.kind == "app":
            # A service can have taken a message whose client left before it could say so.
            row["taken for nobody"] += len(there - delivered)
            there &= delivered
        if visit.kind != "void" and there != delivered:
            self.fault(visit, f"unanswered messages: delivered {sorted(delivered)}, there {sorted(there)}")

    # --- sessions that a kill touched ---

    def _apart(self, visit: Visit, worker: bool) -> None:
        name = "worker" if worker else "hub"
        self.total[f"{name} sessions"] += 1
        for letter in visit.letters:
            there = len(self.places.get(letter.number, []))
            if letter.code == 250 and not self.is_dropped(letter):
                self.total[f"{name} replies 250"] += 1
                self.total[f"{name} places"] += there if visit.kind != "void" else 1
                if not there and visit.kind != "void":
                    self.fault(visit, f"message {letter.number} got 250 as {letter.transaction}, and is nowhere")
            elif not letter.code:
                self.total[f"{name} unanswered"] += 1
                self.total[f"{name} unanswered places"] += there

    def _unknown(self) -> None:
        for number in self.places.keys() - self._told:
            self.faults.append(f"message {number} is there, and nobody sent it: {self.places[number]}")
        known = {visit.ip for visit in self.visits}
        for ip in self.sessions.keys() - known:
            if ip:
                self.faults.append(f"there are events of {ip}, which is no client")

    # --- for people ---

    def differences(self) -> Dict[str, int]:
        """Of each place: what cannot be explained. All are 0 when all is well."""
        return {
            place: sum(
                abs(difference)
                for difference in (
                    row["replies 250"] + row["unread 250"] - row["message events 250"],
                    row["replies other"] + row["unread other"] - row["message events other"],
                    row["message events 250"] - row["discarded"] + row["client gone"] - row["delivery events"],
                    row["delivery events"] + row["taken for nobody"] - row["places"],
                )
            )
            for place, row in self.rows.items()
        }

    def table(self) -> List[str]:
        columns = (
            ("replies 250", "told 250"), ("unread 250", "+unread"), ("message events 250", "=message"), ("discarded", "-dropped"),
            ("client gone", "+left"), ("delivery events", "=delivery"), ("taken for nobody", "+unasked"), ("places", "=there"),
            ("replies other", "refused"), ("unread other", "+unread"), ("message events other", "=message"),
        )  # fmt: skip
        lines = [f"{'':12}" + "".join(f"{title:>10}" for _, title in columns) + f"{'differ':>8}"]
        differences = self.differences()
        for place, row in self.rows.items():
            lines.append(f"{place:12}" + "".join(f"{row[key]:10}" for key, _ in columns) + f"{differences[place]:8}")
        total: Counter[str] = sum(self.rows.values(), Counter())
        lines.append(f"{'all':12}" + "".join(f"{total[key]:10}" for key, _ in columns) + f"{sum(differences.values()):8}")
        return lines
