"""A message that comes too slowly for data_rate; a minute passes before the gateway judges."""

import threading

from gateway import PATIENCE, Gateway, unittest
from test_limits import drip

RATE_GRACE = 60.0
"""Seconds of a message in which its rate is not judged."""


class DataRate(unittest.TestCase):
    def test_data_rate(self) -> None:
        """A message in drops, each in time for data_timeout: its rate is too low. One at a fair rate goes on."""
        with Gateway(limits="data_rate: 100") as gateway:
            with gateway.connect() as slow, gateway.connect() as fair:
                for client in (slow, fair):
                    client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                done = threading.Event()

                def keep_going() -> None:
                    while not done.wait(0.5):
                        fair.send(b"x" * 150 + b"\r\n")

                thread = threading.Thread(target=keep_going)
                thread.start()
                try:
                    seconds, said = drip(slow, b"slow\r\n", 0.5, RATE_GRACE + PATIENCE)
                finally:
                    done.set()
                    thread.join()
                self.assertRegex(said, r"^421 4\.4\.2 ")
                self.assertTrue(RATE_GRACE - 1 < seconds < RATE_GRACE + PATIENCE, seconds)
                gateway.wait_for("disconnect", reason="data_timeout")
                self.assertRegex(fair.say("."), r"^250 2\.0\.0 OK id=")


if __name__ == "__main__":
    unittest.main()
