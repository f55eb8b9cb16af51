"""What a gateway shows over HTTP, asked with curl."""

import re
from typing import Dict, List, Tuple

from gateway import Gateway, free_port, wait_until
from programs import must_run

FORM = "\n@%{http_code}"
GAUGES = ("gatepost_sessions", "gatepost_policy_outstanding", "gatepost_policy_waiting", "gatepost_delivery_running", "gatepost_spool_bytes")
"""Those that are 0 when nobody has anything to do."""


class Metrics:
    """The pages of the gateway whose settings have `setting`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.setting = f'http: "127.0.0.1:{self.port}"\n'

    def get(self, path: str, *options: str) -> Tuple[int, str]:
        """Status and body."""
        text = must_run("curl", "-sS", "--max-time", "30", "-w", FORM, *options, f"http://127.0.0.1:{self.port}{path}")
        body, _, status = text.rpartition("\n@")
        return int(status), body

    def samples(self) -> Dict[str, float]:
        """By name and labels, as they are written."""
        status, text = self.get("/metrics")
        assert status == 200, text
        return {name: float(value) for name, value in re.findall(r"^(gatepost_\S+(?:\{.*\})?) (\S+)$", text, re.M)}

    def total(self, name: str, *labels: str) -> float:
        """The sum over the samples of this name that have these labels ('hook="rcpt"')."""
        return sum(value for key, value in self.samples().items() if key.partition("{")[0] == name and all(label in key for label in labels))

    def wait_for(self, value: float, name: str, *labels: str) -> None:
        """A page may be a second old."""
        wait_until(lambda: self.total(name, *labels) == value, f"{name} {labels} is {self.total(name, *labels)}, not {value}")

    def busy(self) -> List[str]:
        return [f"{key} {value}" for key, value in self.samples().items() if key.partition("{")[0] in GAUGES and value]

    def wait_until_idle(self, gateway: Gateway) -> None:
        wait_until(lambda: not self.busy(), f"nothing to do; there is {self.busy()}\n{gateway.log_text()[-2000:]}")
