"""Every fault of a policy service, at every hook, in every place of the chain, under 216 sessions at a time.

One gateway a fault, with a listener for each cell: hook, place of the bad service, and what the operator chose for its
failures. GATEPOST_FAULTS="hang kill" tries only these rows.
"""

import asyncio
import base64
import collections
import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import re
import resource
import ssl
import sys
import traceback
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Dict, List, Sequence, Set, Tuple

import policy_stub
from gateway import PATIENCE, Gateway, free_port, socket_folder, unittest, wait_until
from policy_stub import FAULTS, HOOKS, Fault

PLACES = ("alone", "first", "last")
ACTIONS = ("tempfail", "accept")
CHOICES = {"unavailable", "overload", "timeout", "lost"}
PER_CELL = 4
HEALTHY = 6
SHORT, LONG = 400, 30000
"""Milliseconds for an answer: short where the fault is silence. Elsewhere the deadline must not be what ends it."""
SLACK = 20000
"""Milliseconds that a machine with much to do may be late."""

REFUSAL = r" 4\.3\.0 Temporary policy failure, try again later \([0-9A-Z]{20}\)$"
REFUSALS = {hook: "451" + REFUSAL for hook in HOOKS}
# RFC 2034 section 3: no enhanced status code in the banner, nor in the reply to EHLO, which `secure` has here too.
REFUSALS["connect"] = "421" + REFUSAL.replace(r" 4\.3\.0", "")
REFUSALS["ehlo"] = REFUSALS["secure"] = REFUSALS["ehlo"].replace(r" 4\.3\.0", "")
REFUSALS["starttls"] = REFUSALS["auth"] = "454" + REFUSAL

CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


@dataclass(frozen=True)
class Cell:
    hook: str
    place: str
    action: str

    @property
    def name(self) -> str:
        return f"{self.hook}-{self.place}-{self.action}"

    @property
    def tls(self) -> bool:
        return self.hook in ("starttls", "secure", "auth")

    @property
    def chain(self) -> List[str]:
        bad, good = f"bad-{self.name}", f"good-{self.hook}"
        return {"alone": [bad], "first": [bad, good], "last": [good, bad]}[self.place]


# To accept without a service that is asked at auth alone is a fault of the configuration.
CELLS = [Cell(*cell) for cell in itertools.product(HOOKS, PLACES, ACTIONS) if cell[0] != "auth" or cell[2] != "accept"]


class MatrixGateway(Gateway):
    """Listens for each cell at an address of its own, and at 127.0.0.1 with a healthy service for all hooks."""

    def __init__(self, sockets: pathlib.Path, timeout: int, cells: Sequence[Cell]) -> None:
        super().__init__()
        self.port = free_port()
        self.addresses = {cell: f"127.0.1.{number}" for number, cell in enumerate(cells, 1)}
        listeners = [self.listener("healthy", "127.0.0.1", "starttls", ["good"])]
        policies = [f"  - {{name: good, sockets: [{sockets}/good], timeout: 120s}}\n"]
        for hook in HOOKS:
            policies.append(f"  - {{name: good-{hook}, sockets: [{sockets}/good], hooks: [{hook}], timeout: 120s}}\n")
        for cell in cells:
            tls = "starttls" if cell.tls else "none"
            listeners.append(self.listener(cell.name, self.addresses[cell], tls, cell.chain, cell.hook == "auth"))
            policies.append(
                f"  - {{name: bad-{cell.name}, sockets: [{sockets}/{cell.name}], hooks: [{cell.hook}],"
                f" timeout: {timeout}ms, on_failure: {cell.action}}}\n"
            )
        text = (
            "hostname: mx.example.com\nruntime_dir: FOLDER/run\nspool_dir: FOLDER/spool\nuser: root\nworkers: 1\n"
            "tls:\n  certificates:\n    - {certificate: FOLDER/cert.pem, key: FOLDER/key.pem}\n"
            "limits: {connections: 10000, connections_per_client: 10000, messages: 100000, commands: 1000000}\n"
            f"deliveries:\n  - {{name: place, maildir: FOLDER/mail}}\nlisteners:\n{''.join(listeners)}policies:\n{''.join(policies)}"
        )
        self.config.write_text(text.replace("FOLDER", str(self.folder)))

    def __enter__(self) -> "MatrixGateway":
        super().__enter__()
        return self

    def listener(self, name: str, address: str, tls: str, policies: List[str], auth: bool = False) -> str:
        return (
            f"  - {{name: {name}, address: '{address}:{self.port}', tls: {tls}, auth: {str(auth).lower()}, resolve_names: false,"
            f" accept_domains: [example.com], delivery: place, policies: [{', '.join(policies)}]}}\n"
        )

    def subjects(self) -> List[str]:
        """Of what was delivered."""
        found = [re.search(r"^Subject: (\S+)\r?$", path.read_text(), re.M) for path in self.stored()]
        return sorted(match.group(1) if match else "?" for match in found)


class Dialogue:
    """A client that sends one message, and that goes on with its commands when one is refused."""

    def __init__(self, subject: str, hook: str, tls: bool) -> None:
        self.subject, self.hook = subject, hook
        self.replies: Dict[str, str] = {}
        """Hook -> reply, as far as it came."""
        self.after: List[str] = []
        """Replies to what was said after a refusal."""
        self.steps: List[Tuple[str, str]] = [("ehlo", "EHLO client")]
        if tls:
            self.steps += [("starttls", "STARTTLS"), ("secure", "EHLO client")]
        if hook == "auth":
            self.steps.append(("auth", "AUTH PLAIN " + base64.b64encode(b"\0user\0password").decode()))
        self.steps += [("mail", "MAIL FROM:<a@example.org>"), ("rcpt", "RCPT TO:<b@example.com>"), ("data", "DATA")]
        self.steps.append(("message", f"Subject: {subject}\r\n\r\nhi\r\n."))

    async def run(self, address: str, port: int, stay: Callable[[], Awaitable[Any]]) -> "Dialogue":
        """Waits for `stay` before the last command."""
        self.reader, self.writer = await asyncio.open_connection(address, port)
        try:
            with contextlib.suppress(ConnectionError):
                await self.talk()
            await stay()
            with contextlib.suppress(ConnectionError):
                self.after.append(await self.say("QUIT"))
        finally:
            self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()
        return self

    async def talk(self) -> None:
        self.replies["connect"] = await self.reply()
        refused = self.replies["connect"][:1] != "2"
        for hook, line in self.steps if not refused else []:
            reply = await self.say(line)
            if refused:
                self.after.append(reply)
            else:
                self.replies[hook] = reply
            refused = refused or reply[:1] not in ("2", "3")
            # What these decide ends with them: mail without TLS or a login may be welcome. And without 354 no text is sent.
            if refused and hook in ("starttls", "secure", "auth", "data"):
                break
            if hook == "starttls":
                await self.writer.start_tls(CONTEXT)

    async def say(self, line: str) -> str:
        self.writer.write(line.encode() + b"\r\n")
        await self.writer.drain()
        return await self.reply()

    async def reply(self) -> str:
        while True:
            line = await self.reader.readline()
            if line[3:4] != b"-":
                return line.rstrip(b"\r\n").decode()

    @property
    def delivered(self) -> bool:
        return self.replies.get("message", "").startswith("250 2.0.0 OK id=")


async def nothing() -> None:
    pass


def wait_for_services(gateway: Gateway, wanted: Set[str]) -> None:
    wait_until(lambda: wanted <= {event["policy"] for event in gateway.events("policy.service", state="ready")}, "the services")


class Row:
    """One fault, at every hook."""

    def __init__(self, fault: Fault, sockets: pathlib.Path) -> None:
        self.fault, self.sockets = fault, sockets
        self.timeout = SHORT if "timeout" in fault.classes else LONG
        self.dialogues: Dict[Cell, List[Dialogue]] = collections.defaultdict(list)
        self.healthy: List[Dialogue] = []
        self.seen: Dict[Cell, Set[str]] = {}
        self.problems: List[str] = []

    def expect(self, truth: Any, what: str) -> None:
        if not truth:
            self.problems.append(f"{self.fault.name}: {what}")

    def run(self) -> Dict[Cell, Set[str]]:
        sockets = [f"{cell.hook}={self.sockets}/{cell.name}" for cell in CELLS]
        with policy_stub.running("honest", f"{self.sockets}/good"):
            with policy_stub.running(self.fault.name, *sockets, options=("--restart",)):
                with MatrixGateway(self.sockets, self.timeout, CELLS) as gateway:
                    wait_for_services(gateway, {"good"} | {f"good-{hook}" for hook in HOOKS})
                    if self.fault.registers:
                        wait_for_services(gateway, {f"bad-{cell.name}" for cell in CELLS})
                    asyncio.run(asyncio.wait_for(self.crowd(gateway), PATIENCE))
                    self.judge(gateway)
                    if self.problems:
                        raise AssertionError("\n".join(self.problems[:40]))
        return self.seen

    async def crowd(self, gateway: MatrixGateway) -> None:
        """All sessions of all cells at once; they stay until healthy ones have sent mail beside them."""
        over = asyncio.Event()
        meeting = asyncio.Barrier(len(CELLS) * PER_CELL + HEALTHY)

        async def send_on(number: int) -> None:
            for turn in itertools.count():
                dialogue = Dialogue(f"healthy.{number}.{turn}", "", tls=False)
                self.healthy.append(await dialogue.run("127.0.0.1", gateway.port, nothing))
                if turn == 1:
                    await meeting.wait()
                if turn and over.is_set():
                    return

        healthy = [asyncio.ensure_future(send_on(number)) for number in range(HEALTHY)]
        sessions = []
        for number, cell in itertools.product(range(PER_CELL), CELLS):
            dialogue = Dialogue(f"{cell.name}.{number}", cell.hook, cell.tls)
            self.dialogues[cell].append(dialogue)
            sessions.append(dialogue.run(gateway.addresses[cell], gateway.port, meeting.wait))
        await asyncio.gather(*sessions)
        over.set()
        await asyncio.gather(*healthy)

    def judge(self, gateway: MatrixGateway) -> None:
        gateway.wait_for("disconnect", len(CELLS) * PER_CELL + len(self.healthy))
        self.expect(not gateway.events("GAP"), "events were lost")
        told = {(event["policy"], event["code"]) for event in gateway.events("policy.bad_reply")}
        self.expect(told == {(f"bad-{cell.name}", self.fault.blamed) for cell in CELLS if self.fault.blamed}, f"told: {told}")
        everyone = self.healthy + [each for cell in CELLS for each in self.dialogues[cell]]
        self.expect(gateway.subjects() == sorted(each.subject for each in everyone if each.delivered), "stored is not what got 250")
        for each in self.healthy:
            self.expect(each.delivered and each.after[0][:3] == "221", f"{each.subject}: {each.replies}")
        facts = self.facts(gateway)
        for cell in CELLS:
            self.judge_cell(cell, facts[cell.name])

    def facts(self, gateway: Gateway) -> Dict[str, List[List[Dict[str, Any]]]]:
        """Listener -> for each of its sessions what services did there, in order."""
        sessions: Dict[str, List[Dict[str, Any]]] = {}
        found: Dict[str, List[List[Dict[str, Any]]]] = collections.defaultdict(list)
        for event in gateway.events("connect"):
            sessions[event["session"]] = []
            found[event["listener"]].append(sessions[event["session"]])
        for name in ("policy.failure", "policy.decision"):
            for event in gateway.events(name):
                sessions[event["session"]].append(event)
        return found

    def judge_cell(self, cell: Cell, sessions: List[List[Dict[str, Any]]]) -> None:
        bad, good = f"bad-{cell.name}", f"good-{cell.hook}"
        self.seen[cell] = set()
        self.expect(len(sessions) == PER_CELL, f"{cell.name}: {len(sessions)} sessions")
        passed = 0
        for events in sessions:
            failures = [event for event in events if event["event"] == "policy.failure"]
            asked = [event["policy"] for event in events if event["event"] == "policy.decision"]
            passes = not self.fault.classes
            for event in failures:
                passes = self.judge_failure(cell, event)
            self.expect(len(failures) == bool(self.fault.classes), f"{cell.name}: failures {failures}")
            self.expect((bad in asked) == (not self.fault.classes), f"{cell.name}: answered by {asked}")
            # The one behind a failure is asked when that passes, and only then.
            wanted = cell.place == "last" or (cell.place == "first" and passes)
            self.expect((good in asked) == wanted, f"{cell.name}: answered by {asked}")
            passed += passes
        dialogues = self.dialogues[cell]
        self.expect(sum(each.delivered for each in dialogues) == passed, f"{cell.name}: {passed} may pass: {dialogues[0].replies}")
        for each in dialogues:
            self.judge_dialogue(cell, each)

    def judge_failure(self, cell: Cell, event: Dict[str, Any]) -> bool:
        """Whether the session may go on."""
        kind, ms = event["class"], event["ms"]
        chosen = cell.action if kind in CHOICES else "tempfail"
        self.seen[cell].add(kind)
        self.expect(kind in self.fault.classes, f"{cell.name}: class {kind}")
        self.expect(event["policy"] == f"bad-{cell.name}" and event["hook"] == cell.hook, f"{cell.name}: {event}")
        self.expect(event["action"] == chosen, f"{cell.name}: {event}")
        self.expect(ms <= self.timeout + SLACK, f"{cell.name}: after {ms} ms")
        self.expect(kind != "timeout" or ms >= self.timeout - 50, f"{cell.name}: a timeout after {ms} ms")
        return bool(chosen == "accept")

    def judge_dialogue(self, cell: Cell, each: Dialogue) -> None:
        if each.delivered:
            self.expect(each.after[0][:3] == "221", f"{each.subject}: {each.after}")
            return
        self.expect(list(each.replies)[-1] == cell.hook, f"{each.subject}: refused elsewhere: {each.replies}")
        self.expect(re.match(REFUSALS[cell.hook], each.replies.get(cell.hook, "")), f"{each.subject}: {each.replies}")
        self.expect(all(reply[:1] in ("", "4", "5") for reply in each.after[:-1]), f"{each.subject}: then {each.after}")


def table(rows: Dict[str, Dict[Cell, Set[str]]], action: str) -> str:
    """One letter a class; three places."""
    lines = [f"on_failure: {action:13}" + "".join(f"{hook:14}" for hook in HOOKS)]
    for name, seen in rows.items():
        line = f"  {name:23}"
        for hook in HOOKS:
            cells = ["".join(sorted(kind[0].upper() for kind in seen.get(Cell(hook, place, action), " "))) or "-" for place in PLACES]
            line += f"{' '.join(cells):14}"
        lines.append(line.rstrip())
    return "\n".join(lines)


class FaultMatrix(unittest.TestCase):
    def test_every_fault_at_every_hook_in_every_place(self) -> None:
        names = os.environ.get("GATEPOST_FAULTS", "").split() or list(FAULTS)
        enough = max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, max(enough, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        rows: Dict[str, Dict[Cell, Set[str]]] = {}
        failed: List[str] = []

        def run(name: str) -> None:
            try:
                with socket_folder() as folder:
                    rows[name] = Row(FAULTS[name], folder).run()
            except Exception:
                failed.append(f"{name}:\n{traceback.format_exc()}")

        # A row mostly waits for its own deadlines.
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            list(pool.map(run, names))
        for action in ACTIONS:
            print(table({name: rows[name] for name in names if name in rows}, action), file=sys.stderr)
        print("T timeout  O overload  L lost  U unavailable  B bad_reply  - answered", file=sys.stderr)
        if failed:
            self.fail("\n".join(failed))
        for name in names:
            for cell in CELLS:
                self.assertEqual(bool(rows[name][cell]), bool(FAULTS[name].classes), f"{name}: {cell.name} was not seen")

    def test_the_breaker_spares_the_sessions_the_wait(self) -> None:
        """A service that fails every question is not asked for a while. The reply is the same."""
        cells = [Cell(hook, "alone", "tempfail") for hook in HOOKS]
        waves: List[List[Dialogue]] = []

        async def wave(gateway: MatrixGateway) -> None:
            waves.append([Dialogue(f"{cell.name}.{number}", cell.hook, cell.tls) for number in range(24) for cell in cells])
            runs = [each.run(gateway.addresses[cell], gateway.port, nothing) for each, cell in zip(waves[-1], cells * 24)]
            await asyncio.wait_for(asyncio.gather(*runs), PATIENCE)

        with socket_folder() as folder, policy_stub.running("honest", f"{folder}/good"):
            sockets = [f"{cell.hook}={folder}/{cell.name}" for cell in cells]
            with policy_stub.running("hang", *sockets), MatrixGateway(folder, SHORT, cells) as gateway:
                wait_for_services(gateway, {f"bad-{cell.name}" for cell in cells})
                # Twenty failures within ten seconds open it; a machine that is very slow needs more than one wave.
                while len({event["policy"] for event in gateway.events("policy.breaker", state="open")}) < len(cells):
                    self.assertLess(len(waves), 20)
                    asyncio.run(wave(gateway))
                    gateway.wait_for("disconnect", len(waves) * 216)
                asyncio.run(wave(gateway))
                gateway.wait_for("disconnect", len(waves) * 216)
                for each in itertools.chain(*waves):
                    self.assertRegex(each.replies[each.hook], REFUSALS[each.hook])
                for cell in cells:
                    failures = gateway.events("policy.failure", policy=f"bad-{cell.name}")
                    self.assertEqual(len(failures), len(waves) * 24)
                    self.assertEqual({event["class"] for event in failures}, {"timeout", "unavailable"}, cell.name)
                self.assertEqual(gateway.stored(), [])

    def test_a_service_that_dies_of_its_fourth_question(self) -> None:
        """Nobody starts it again: the first three stand, the fourth was lost, then nobody is there."""
        with socket_folder() as folder:
            with policy_stub.running("kill", f"mail={folder}/p.sock", options=("--after", "3")) as stub:
                with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options="    timeout: 60s\n") as gateway:
                    with gateway.connect() as client:
                        client.start("EHLO client", *["MAIL FROM:<a@example.org>", "RSET"] * 3)
                        for _ in range(2):
                            self.assertRegex(client.say("MAIL FROM:<a@example.org>"), REFUSALS["mail"])
                        self.assertEqual(stub.wait(PATIENCE), -9)
                    failures = gateway.wait_for("policy.failure", 2)
                    self.assertEqual([event["class"] for event in failures], ["lost", "unavailable"])


if __name__ == "__main__":
    unittest.main()
