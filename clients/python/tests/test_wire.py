"""protocol/examples, the same files that the C tests run: the valid are accepted, the invalid refused."""

import json
import pathlib
import unittest
from typing import Any, Dict, List

from gatepost import wire

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "protocol" / "examples"


class Examples(unittest.TestCase):
    def test_valid(self) -> None:
        files = sorted((EXAMPLES / "valid").iterdir())
        self.assertGreater(len(files), 15)
        for file in files:
            with self.subTest(file=file.name):
                message = wire.decode(file.read_bytes())
                assert message is not None
                wire.check(message)
                self.assertEqual(message, wire.decode(wire.encode(message)))

    def test_invalid(self) -> None:
        files = sorted((EXAMPLES / "invalid").iterdir())
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
