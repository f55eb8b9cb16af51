"""The gateway of the soak test with its services, and what is done to it: reloads, kills."""

import contextlib
import ctypes
import getpass
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, List, Set

from words import Found, examine

from gateway import free_port

PR_SET_PDEATHSIG = 1
LISTENERS = {
    "box": "tls: starttls\n    delivery: box",
    "boxs": "tls: implicit\n    delivery: box",
    "proxied": "tls: starttls\n    proxy_protocol: [127.0.0.0/8]\n    delivery: box",
    "relay": "tls: starttls\n    delivery: relay",
    "app": "tls: starttls\n    delivery: app",
    "void": "delivery: void",
}
POLICIES = {
    "fast": "timeout: 10s",
    "slow": "timeout: 1s",
    "flaky": "on_failure: accept",
    "shadow": "mode: shadow",
    "taker": "timeout: 10s",
}
WORKERS = 2


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One gatepost in a folder of its own below /var/tmp, and its services. stop() ends all that was started."""

    def __init__(self, program: str, seed: str) -> None:
        self.program, self._seed = program, seed
        self.ports = {name: free_port() for name in LISTENERS}
        self.http_port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatepost-soak.", dir="/var/tmp"))
        self.folder.chmod(0o777)
        self.log = self.folder / "log"
        self.services: Dict[str, "subprocess.Popen[bytes]"] = {}
        self.restarts = 0
        self.process: Any = None
        self.faults: List[str] = []
        self._taken = 0

    @property
    def events_socket(self) -> str:
        return str(self.folder / "run" / "events.sock")

    @property
    def control_socket(self) -> str:
        return str(self.folder / "run" / "control.sock")

    def _configure(self, sink: int) -> pathlib.Path:
        user = "nobody" if os.geteuid() == 0 else getpass.getuser()
        common = "    resolve_names: false\n    accept_domains: [example.com]\n"
        text = (
            f"hostname: mx.example.com\nruntime_dir: FOLDER/run\nspool_dir: FOLDER/spool\nuser: {user}\nworkers: {WORKERS}\ndrain_timeout: 5s\n"
            "limits: {message_size: 6M, errors: 20, commands: 100000, command_timeout: 10s, data_timeout: 10s, session_time: 5m}\n"
            f"events: {{ring: 8M}}\nhttp: '127.0.0.1:{self.http_port}'\n"
            "tls:\n  certificates:\n    - {certificate: FOLDER/cert.pem, key: FOLDER/key.pem}\nlisteners:\n"
        )
        for name, settings in LISTENERS.items():
            text += f"  - name: {name}\n    address: '127.0.0.1:{self.ports[name]}'\n    {settings}\n{common}"
            text += f"    policies: [fast, slow, flaky, shadow{', taker' if name == 'app' else ''}]\n"
        text += "policies:\n"
        for name, settings in POLICIES.items():
            text += f"  - name: {name}\n    sockets: [FOLDER/{name}.sock]\n    {settings}\n"
        text += (
            "deliveries:\n  - name: box\n    maildir: FOLDER/mail\n"
            f"  - name: relay\n    smtp: ['127.0.0.1:{sink}']\n    idle: 2s\n"
            "  - name: app\n    service: taker\n  - name: void\n    discard: true\n"
        )
        path = self.folder / "gatepost.yaml"
        path.write_text(text.replace("FOLDER", str(self.folder)))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=mx.example.com", "-keyout", str(self.folder / "key.pem"), "-out", str(self.folder / "cert.pem")],
            check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return path

    def start(self, sink: int) -> None:
        config = self._configure(sink)
        (self.folder / "taken").touch()
        for name in POLICIES:
            self._start_service(name)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.program, "serve", "-c", str(config)], stdout=log, stderr=log, preexec_fn=die_with_parent)

    def _start_service(self, name: str) -> None:
        program = str(pathlib.Path(__file__).with_name("services.py"))
        more = [str(self.folder / "taken")] if name == "taker" else []
        seed = f"{self._seed} {name} {self.restarts}"
        self.services[name] = subprocess.Popen(
            [sys.executable, program, name, str(self.folder / f"{name}.sock"), seed, *more], stderr=subprocess.DEVNULL
        )

    def is_up(self) -> bool:
        self.tend()
        return all((self.folder / f"{name}.sock").exists() for name in POLICIES) and os.path.exists(self.events_socket)

    def tend(self) -> None:
        """Starts services again that have ended; raises when the gateway has."""
        if self.process.poll() is not None:
            raise AssertionError(f"gatepost has ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')[-4000:]}")
        for name, process in list(self.services.items()):
            if process.poll() is not None:
                self.restarts += 1
                if name != "flaky":
                    self.faults.append(f"service {name} ended with {process.returncode}")
                self._start_service(name)

    def stop(self) -> int:
        """The exit code of the gateway; -9 when it did not end by itself."""
        code = -9
        if self.process:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self.process.wait(25)
            self.process.kill()
            self.process.wait()
        for process in self.services.values():
            process.kill()
            process.wait()
        return code

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- its processes ---

    def pids(self) -> Dict[int, str]:
        """Role of each process: master, hub, worker."""
        roles = {self.process.pid: "master"}
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        # While one ends, another can be missing in it: proc(5).
        for pid in {*children.read_text().split(), *children.read_text().split()}:
            with contextlib.suppress(OSError):  # it ended meanwhile
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                if name.startswith("gatepost "):
                    roles[int(pid)] = name.partition(" ")[2]
        return roles

    def of_role(self, role: str) -> List[int]:
        return [pid for pid, own in self.pids().items() if own == role]

    # --- what is done to it ---

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def kill_hub(self) -> None:
        (pid,) = self.of_role("hub")
        os.kill(pid, signal.SIGKILL)

    def kill_worker(self, chance: random.Random) -> Set[str]:
        """The addresses of the clients it had."""
        pid = chance.choice(self.of_role("worker"))
        os.kill(pid, signal.SIGSTOP)
        while pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)
        peers = set(peers_of(pid))
        os.kill(pid, signal.SIGKILL)
        return peers

    # --- what it has stored ---

    def harvest(self, take: Callable[[str, Found], None]) -> None:
        """Takes every message out of the Maildir, and reads on in what the service has taken."""
        for folder in ("mail/new", "mail/.Quarantine/new"):
            path = self.folder / folder
            for file in list(path.iterdir()) if path.exists() else []:
                transaction = re.search(r"Q([0-9A-Z]{20})\.", file.name)
                try:
                    take("held" if "Quarantine" in folder else "box", examine(file.read_bytes(), transaction.group(1) if transaction else ""))
                except ValueError as error:
                    self.faults.append(f"{file.name}: {error}")
                file.unlink()
        with open(self.folder / "taken") as taken:
            taken.seek(self._taken)
            while (line := taken.readline()).endswith("\n"):
                self._taken += len(line)
                number, transaction_id, recipients = line.rstrip("\n").split(" ")
                take("app", Found(int(number), transaction_id, tuple(filter(None, recipients.split(",")))))

    def leftovers(self) -> List[str]:
        """Files that should not be there when nothing is under way."""
        return [str(file) for folder in ("spool", "mail/tmp", "mail/.Quarantine/tmp") for file in (self.folder / folder).glob("*")]

    def complaints(self) -> List[str]:
        """Lines of the log that no run should have."""
        text = self.log.read_text(errors="replace")
        return [line for line in text.splitlines() if re.search(r"runtime error|ERROR: \w*Sanitizer|Assertion|LeakSanitizer", line)]


def peers_of(pid: int) -> Iterator[str]:
    """The addresses at the other end of a process's TCP connections."""
    inodes = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes:
            octets = bytes.fromhex(fields[2].partition(":")[0])[::-1]
            yield ".".join(map(str, octets))
