"""What the gateway says of itself: its status and its pages."""

import json
import socket
import urllib.request
from typing import Any, Dict, Iterator, List, Set, Tuple

PATIENCE = 20.0


def ask(path: str) -> Dict[str, Any]:
    """Its status, from control.sock."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(path)
        sock.sendall(b'{"type":"status"}\n')
        with sock.makefile("rb") as file:
            status: Dict[str, Any] = json.loads(file.readline())
            return status


def serving(path: str) -> Set[int]:
    """The processes that take clients."""
    return {worker["pid"] for worker in ask(path)["workers"] if worker["state"] == "serving"}


def gauges(status: Dict[str, Any]) -> Iterator[Tuple[str, int]]:
    """Each is 0 with nothing under way."""
    for worker in status["workers"]:
        name = f"worker {worker['worker']} ({worker['state']})"
        yield f"{name} open", worker["open"]
        yield f"{name} spool", worker["spool"]
        for state, count in worker["sessions"].items():
            yield f"{name} sessions {state}", count
    for policy in status["policies"]:
        for gauge in ("outstanding", "waiting"):
            yield f"policy {policy['policy']} {gauge}", policy[gauge]
    for delivery in status["deliveries"]:
        yield f"delivery {delivery['delivery']} running", delivery["running"]


def not_zero(path: str) -> List[str]:
    return [f"{name} is {count} with nothing under way" for name, count in gauges(ask(path)) if count]


class Pages:
    """Somebody who looks: readiness and metrics over HTTP, the status. Each look is with connections of its own."""

    def __init__(self, port: int, control: str) -> None:
        self.looks = 0
        self.faults: List[str] = []
        self._port, self._control = port, control

    def look(self) -> None:
        self.looks += 1
        try:
            self._page("readyz")
            if b"\ngatepost_" not in self._page("metrics"):
                self.faults.append("/metrics has no metric of the gateway")
            status = ask(self._control)
            if not status["ready"]:
                self.faults.append(f"not ready: {status['reasons']}")
        except (OSError, ValueError) as error:
            self.faults.append(f"a look at the pages: {error}")

    def _page(self, name: str) -> bytes:
        """Raises OSError for another answer than 200."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{name}", timeout=PATIENCE) as answer:
            body: bytes = answer.read()
            return body
