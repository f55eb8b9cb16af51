"""What is said of a run in the end, and whether it has passed."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Tuple

from ledger import Ledger
from measure import BOUND, growth
from server import WORKERS
from sessions import KINDS, MANNERS
from words import BIG, NO_MESSAGE, RECIPIENTS, SENDERS, word_of

if TYPE_CHECKING:
    from soak import Soak

SHOWN_MAX = 12
WHOLE_MINUTES = 3.0
"""A run of so many has had everything of the mixture in it."""
LATE_SHARE = 0.02
"""Of all recipients so many may be put off because a service was late, which only a busy machine does."""


class Verdict:
    def __init__(
        self, soak: "Soak", ledger: Ledger, drained: Tuple[int, int, bool], descriptors: Tuple[Dict[str, List[str]], Dict[str, List[str]]],
        status: Dict[str, Any], faults: List[str],
    ) -> None:  # fmt: skip
        self.soak, self.ledger, self.drained, self.status = soak, ledger, drained, status
        self.rest, self.more = descriptors
        assert soak.load
        self.visits = soak.load.visits
        self.faults = [*soak.faults, *soak.server.faults, *soak.pages.faults, *soak.server.complaints(), *ledger.faults, *faults]

    def say(self) -> bool:
        lines = [*self._accounts(), *self._subscribers(), *self._memory(), *self._descriptors(), *self._gateway(), *self._mixture()]
        print("\n" + "\n".join(lines))
        for fault in self.faults[:SHOWN_MAX]:
            print(f"FAULT {fault}")
        end = f"FAILED, {len(self.faults)} faults" if self.faults else "PASSED"
        print(f"{end}: --minutes {self.soak.arguments.minutes:g} --seed {self.soak.arguments.seed}", flush=True)
        return not self.faults

    def _accounts(self) -> Iterator[str]:
        total = self.ledger.total
        ends = ", ".join(f"{count} {name[4:]}" for name, count in sorted(total.items()) if name.startswith("end "))
        reasons = ", ".join(f"{count} {name[7:]}" for name, count in sorted(total.items()) if name.startswith("reason "))
        yield f"{total['sessions']} sessions ({ends}); {self.soak.reloads} reloads, {len(self.soak.kills)} workers and {len(self.soak.outages)} hubs killed"
        yield from self.ledger.table()
        yield f"replies {total['replies']} + {total['replies unread']} unread = {total['replies told']} told by events; {total['untold']} of 421 untold"
        yield f"connect {total['connect']} = disconnect {total['disconnect']} ({reasons})"
        for name in ("worker", "hub"):
            yield (
                f"apart, {name} killed: {total[f'{name} sessions']} sessions, told 250 {total[f'{name} replies 250']} = there {total[f'{name} places']};"
                f" unanswered {total[f'{name} unanswered']}, of them there {total[f'{name} unanswered places']}"
            )
        differences = sum(self.ledger.differences().values())
        if differences:
            self.faults.append(f"the accounts differ by {differences}")

    def _subscribers(self) -> Iterator[str]:
        recorder, resumer, gaps = self.soak.recorder, self.soak.resumer, self.soak.recorder.gaps
        missing = resumer.missing(recorder)
        events, lost, whole = self.drained
        yield (
            f"subscribers: recorder {sum(recorder.counts.values())} events, {len(gaps)} gaps; resumer {len(resumer.letters)} events in "
            f"{resumer.connections} connections, {len(missing)} missing, {resumer.repeated} twice; the stuck one {events} and {lost} told lost,"
            f" {'all' if whole else 'NOT all'}; {sum(mortal.lives for mortal in self.soak.mortals)} died"
        )
        if [gap.why for _, gap in gaps] != ["epoch"] * len(self.soak.outages):
            self.faults.append(f"{len(self.soak.outages)} hubs were killed, and the recorder was told {[gap for _, gap in gaps][:5]}")
        if missing or resumer.repeated:
            self.faults.append(f"the resuming subscriber misses {sorted(missing)[:5]}, and has {resumer.repeated} twice")
        if not whole:
            self.faults.append("the subscriber that did not read was not told of all that it missed")

    def _memory(self) -> Iterator[str]:
        lines, flat, seconds, watch = [], True, self.soak.seconds, self.soak.watch
        for role, begin in (("master", seconds / 5), ("hub", seconds * 3 / 4), ("worker", seconds * 3 / 4)):
            found = growth(watch.samples, role, begin, seconds)
            if len(found) < (WORKERS if role == "worker" else 1):
                self.faults.append(f"a {role} was not there long enough for its memory to be watched")
            for one in found:
                flat = flat and one.rise <= BOUND
                lines.append(f"{role} {one.mean / 1024:.1f} MiB {one.rise:+.0f} KiB in {seconds - begin:.0f} s")
        judged = not watch.sanitized and self.soak.arguments.minutes >= WHOLE_MINUTES
        yield f"memory {'' if judged else '(not judged) '}{'flat' if flat else 'GROWS'} (at most {BOUND:+.0f} KiB): {'; '.join(lines)}"
        if not flat and judged:
            self.faults.append("memory grows")

    def _descriptors(self) -> Iterator[str]:
        numbers = ", ".join(f"{role} {len(self.soak.base[role])} and {len(self.rest[role])}" for role in sorted(self.rest))
        yield f"descriptors, before and after: {numbers}: {'GROW' if self.more else 'flat'}"
        for role, names in self.more.items():
            self.faults.append(f"a {role} has more descriptors: {', '.join(names)}")

    def _gateway(self) -> Iterator[str]:
        """Its own count of what has happened to it."""
        master, soak = self.status["master"], self.soak
        seconds = soak.watch.seconds
        yield (
            f"processors: gatepost {soak.watch.cpu / seconds:.2f}, load {time.process_time() / seconds:.2f}; services started again {soak.server.restarts};"
            f" {soak.pages.looks} looks at the pages; its status says {master['worker_deaths']} workers and {master['hub_deaths']} hubs died"
        )
        expected = len(soak.kills), len(soak.outages), 0
        if (master["worker_deaths"], master["hub_deaths"], master["reload_failures"]) != expected:
            self.faults.append(f"workers, hubs killed, reloads failed: {expected}, and the status says {master}")

    def _mixture(self) -> Iterator[str]:
        """That nothing of the mixture was left out, or hardly came."""
        had: Counter[str] = Counter()
        recipients = late = 0
        for visit in self.visits:
            late += visit.late
            had[f"listener {visit.kind}"] += any(letter.code for letter in visit.letters)
            had[f"manner {visit.manner}"] += 1
            had["TLS"] += visit.secure and any(letter.code == 250 for letter in visit.letters)
            for letter in visit.letters:
                recipients += len(letter.recipients)
                had[f"sender {letter.word}"] += letter.code > 0
                had["big message"] += letter.code == 250 and letter.size >= BIG[0]
                had["message in chunks"] += letter.code == 250 and letter.chunks
                for address in letter.recipients:
                    had[f"recipient {word_of(address)}"] += 1
            for word in visit.refused:
                had[f"recipient {word}"] += 1
        soak = self.soak
        had.update({
            "reload": soak.reloads, "worker killed": len(soak.kills), "hub killed": len(soak.outages), "service that ended": soak.server.restarts,
            "subscriber that died": sum(mortal.lives for mortal in soak.mortals), "return of a subscriber": soak.resumer.connections - 1,
            "loss of the stuck subscriber": self.drained[1], "look at the pages": soak.pages.looks,
        })  # fmt: skip
        wanted = [*(f"listener {name}" for name in KINDS), *(f"manner {name}" for name in MANNERS), *(f"recipient {word}" for word in RECIPIENTS)]
        wanted += [f"sender {word}" for word in SENDERS if word not in NO_MESSAGE]
        wanted += ["TLS", "big message", "message in chunks"]
        absent = [name for name in {**dict.fromkeys(wanted), **had} if not had[name]]
        yield f"recipients {recipients} accepted, {late} put off by a late service; of the mixture {'all came' if not absent else f'absent: {absent}'}"
        if absent and soak.arguments.minutes >= WHOLE_MINUTES:
            self.faults.append(f"of the mixture never came: {', '.join(absent)}")
        if late > max(5, LATE_SHARE * recipients):
            self.faults.append(f"services were late for {late} recipients")
