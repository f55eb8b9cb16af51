"""protocol/WRITING.md, typed in from its first line to its last, once for each language: what it says is printed is printed.

A reader is slower than a test: after a command that starts something in the background the test waits until it is up. What reads the event
stream is repeated until the stream has got so far.
"""

import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from gateway import PATIENCE, PROGRAM, ROOT, free_port, unittest, wait_until

DOCUMENT = ROOT / "protocol/WRITING.md"
BUILD = pathlib.Path(PROGRAM).resolve().parents[1]
COMPILER = os.environ.get("WRITING_CC", "cc")  # with the sanitizers that the library has been built with
LANGUAGES = ("Python", "C", "Shell")


class Block(NamedTuple):
    line: int
    languages: Tuple[str, ...]
    file: Optional[str]  # the name of the file it holds; None: it is typed
    text: str


class Command(NamedTuple):
    line: int
    typed: str
    printed: str


def of_which(before: str, chapter: str) -> Tuple[str, ...]:
    """A block is of the language of its chapter, or of the one that the line before it names."""
    for language in LANGUAGES:
        if chapter.lower() == f"in {language.lower()}" or re.match(rf"{language}[,:]", before):
            return (language,)
    return LANGUAGES


def blocks(document: str) -> Iterator[Block]:
    chapter = before = ""
    lines = iter(enumerate(document.splitlines(), 1))
    for number, line in lines:
        if line.startswith("## "):
            chapter = line[3:]
        if line.startswith("```"):
            held = []
            for _, inner in lines:
                if inner == "```":
                    break
                held.append(inner)
            name = re.fullmatch(r"`(\S+)`:", before)
            if bool(name) == (line == "```console"):
                raise AssertionError(f"{DOCUMENT}:{number}: neither a file with its name nor what is typed")
            yield Block(number, of_which(before, chapter), name and name[1], "\n".join(held) + "\n")
        if line:
            before = line


def commands(block: Block) -> Iterator[Command]:
    """Each `$ ` begins a command; what follows is printed."""
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.M)
    if parts[0]:
        raise AssertionError(f"{DOCUMENT}:{block.line}: begins with no command")
    for typed, printed in zip(parts[1::2], parts[2::2]):
        yield Command(block.line, typed, printed)


def as_shown(shown: str, printed: str) -> bool:
    """`...` is anything within a line; alone in a line it is any lines."""
    pattern = "".join(r"(?:.*\n)*" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\n" for line in shown.splitlines())
    return re.fullmatch(pattern, printed) is not None


class Terminal:
    """A bash that is typed into."""

    def __init__(self, environment: Dict[str, str]) -> None:
        self.process = subprocess.Popen(["bash", "--norc"], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip

    def type(self, command: str) -> str:
        """What is printed until the next command can be typed."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{command}\necho @@done@@\n".encode())
        self.process.stdin.flush()
        printed, end = b"", time.monotonic() + PATIENCE
        while not printed.endswith(b"@@done@@\n"):
            if not select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"{command}: no end after {printed!r}")
            octets = os.read(self.process.stdout.fileno(), 65536)
            assert octets, f"{command}: the shell has ended after {printed!r}"
            printed += octets
        return printed[: -len(b"@@done@@\n")].replace(b"\r\n", b"\n").decode()  # a terminal shows no CR

    def close(self) -> None:
        """Ends all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()


class Reader:
    """Does all that the document tells those who have chosen one language."""

    def __init__(self, language: str, folder: pathlib.Path) -> None:
        self.language, self.folder, self.typed = language, folder, 0
        compiler = folder / "bin" / "cc"
        compiler.parent.mkdir()
        compiler.write_text(f'#!/bin/sh\nexec {COMPILER} -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror "$@"\n')
        compiler.chmod(0o755)
        self.place = folder / "doorman"
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.terminal = Terminal({**environment, "PATH": f"{compiler.parent}:{os.environ['PATH']}"})
        text = DOCUMENT.read_text()
        for word, real in (("$PWD/build/release", str(BUILD)), ("$SOURCE/build/release", str(BUILD)), ("/tmp/doorman", str(self.place)),
                           ("2525", str(free_port()))):  # fmt: skip
            assert word in text, word
            text = text.replace(word, real)
        self.blocks = list(blocks(text))

    def read(self) -> None:
        for block in self.blocks:
            if self.language not in block.languages:
                continue
            if block.file:
                (self.place / block.file).write_text(block.text)
                continue
            for command in commands(block):
                self.do(command)
                self.typed += 1

    def do(self, command: Command) -> None:
        printed = self.terminal.type(command.typed)
        if "events.jsonl" in command.typed and command.printed:
            end = time.monotonic() + PATIENCE
            while not as_shown(command.printed, printed) and time.monotonic() < end:
                time.sleep(0.05)
                printed = self.terminal.type(command.typed)
        if not as_shown(command.printed, printed):
            raise AssertionError(f"{DOCUMENT}:{command.line}: {command.typed}\nshown:\n{command.printed}printed:\n{printed}{self.log()}")
        if command.typed.endswith("&"):
            self.wait(command.typed)

    def wait(self, typed: str) -> None:
        if "doorman.sock" in typed:
            wait_until(self.listens, typed)
        elif " serve " in typed:
            wait_until(self.ready, typed)
        elif "smtp-source" in typed:
            wait_until(lambda: len(self.events("delivery")) > 20, typed)

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.place / "doorman.sock")) == 0

    def ready(self) -> bool:
        command = [PROGRAM, "events", "-s", str(self.place / "run/events.sock"), "--from", "oldest", "gateway.ready"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout
            line = process.stdout.readline()  # there is none when the gateway does not listen yet
            process.terminate()
        return bool(line)

    def events(self, name: str) -> List[Dict[str, Any]]:
        lines = (self.place / "events.jsonl").read_text().splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in events if event.get("event") == name]

    def log(self) -> str:
        path = self.place / "gatepost.log"
        return f"gatepost.log:\n{path.read_text()[-4000:]}" if path.exists() else ""


class Writing(unittest.TestCase):
    def follow(self, language: str) -> None:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="gatepost.", dir="/var/tmp"))
        reader = Reader(language, folder)
        try:
            reader.read()
            self.assertGreater(reader.typed, 30)
            self.assertNotIn("ERROR: ", reader.log())
            self.was_replaced_under_load(reader)
        finally:
            reader.terminal.close()
            shutil.rmtree(folder)

    def was_replaced_under_load(self, reader: Reader) -> None:
        """The replacement was one: mail went on before and after it."""
        ready = [event["seq"] for event in reader.events("policy.service") if event["data"]["state"] == "ready"]
        self.assertEqual(len(ready), 2)
        delivered = [event["seq"] for event in reader.events("delivery")]
        self.assertGreater(len([seq for seq in delivered if seq < ready[1]]), 20)
        self.assertGreater(len([seq for seq in delivered if seq > ready[1]]), 20)

    def test_python(self) -> None:
        self.follow("Python")

    def test_c(self) -> None:
        self.follow("C")

    def test_shell(self) -> None:
        self.follow("Shell")

    def test_every_block_is_of_somebody(self) -> None:
        found = list(blocks(DOCUMENT.read_text()))
        for language in LANGUAGES:
            self.assertGreaterEqual(len([block for block in found if block.languages == (language,)]), 4, language)
        self.assertGreater(len([block for block in found if block.languages == LANGUAGES]), 5)

    def test_a_difference_is_found(self) -> None:
        self.assertTrue(as_shown("a ... c\n...\nd\n", "a bbb c\nx\ny\nd\n"))
        for shown, printed in (("a\n", "b\n"), ("a\n", "a\nb\n"), ("a\nb\n", "a\n"), ("", "a\n"), ("a...\n", "a\nb\n")):
            self.assertFalse(as_shown(shown, printed), (shown, printed))


if __name__ == "__main__":
    unittest.main()
