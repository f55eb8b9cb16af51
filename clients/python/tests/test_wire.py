"""protocol/examples, the same files that the C tests run: the valid are accepted, the invalid refused."""

import json
import pathlib
import unittest
from typing import Any, Dict, List

from gatepost import wire

# Of the control channel, which this package does not speak.
FOREIGN = ("status",)

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "protocol" / "examples"


def examples(folder: str) -> List[pathlib.Path]:
    return sorted(file for file in (EXAMPLES / folder).iterdir() if file.stem.split("-")[0] not in FOREIGN)


class Examples(unittest.TestCase):
    def test_valid(self) -> None:
        files = examples("valid")
        self.assertGreater(len(files), 15)
        for file in files:
            with self.subTest(file=file.name):
                message = wire.decode(file.read_bytes())
                assert message is not None
                wire.check(message)
                self.assertEqual(message, wire.decode(wire.encode(message)))

    def test_invalid(self) -> None:
        files = examples("invalid")
        self.assertGreater(len(files), 30)
        for file in files:
            with self.subTest(file=file.name), self.assertRaises(wire.WireError):
                message = wire.decode(file.read_bytes())
                assert message is not None
                wire.check(message)

    def test_client_octets(self) -> None:
        from gatepost import raw

        self.assertEqual(raw({"name": "caf\u00e9"}, "name"), "caf\u00e9".encode())
        self.assertEqual(raw({"name": "caf\ufffd", "name_b64": "Y2Fm6Q=="}, "name"), b"caf\xe9")

    def test_encode_refuses(self) -> None:
        bads: List[Dict[str, Any]] = [{"x": float("nan")}, {"x": "\ud800"}, {"x": b"bytes"}, {"x": "y" * wire.MAX_LINE}]
        for bad in bads:
            with self.assertRaises(wire.WireError):
                wire.encode(bad)
        self.assertEqual(json.loads(wire.encode({"x": "\u00e9\n"})), {"x": "\u00e9\n"})


if __name__ == "__main__":
    unittest.main()
