#!/usr/bin/python3
"""Each rule of lint.py finds the breach made for it, and nothing in a clean tree."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

LINT = pathlib.Path(__file__).with_name("lint.py")

BREACHES = {
    "includes": [
        '#include "events/event_bus.h"\n',
        "#include <openssl/ssl.h>\n",
        "#include <ev.h>\n",
        '#include "protocol/event.h"\n',
    ],
    "size": ["int x;\n" * 401, "void f(void)\n{\n" + "\t;\n" * 61 + "}\n"],
    "functions": ["\tstrcpy(a, b);\n", "\tsprintf(a, b);\n"],
    "format": ["int  main( void ){return 0;}\n"],
}


def run(rule: str, text: str) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryDirectory() as root:
        for folder in ("protocol", "gateway/smtp", "tests", "clients"):
            pathlib.Path(root, folder).mkdir(parents=True)
        pathlib.Path(root, "gateway/smtp/x.c").write_text(text)
        source = LINT.parent.parent.parent / ".clang-format"
        pathlib.Path(root, ".clang-format").write_text(source.read_text())
        return subprocess.run([sys.executable, str(LINT), rule, root], capture_output=True, text=True)


def run_client(place: str, text: str) -> int:
    with tempfile.TemporaryDirectory() as root:
        for folder in ("protocol", "gateway/smtp", "clients/c/src", "clients/c/include/gatepost", "clients/c/examples"):
            pathlib.Path(root, folder).mkdir(parents=True)
        pathlib.Path(root, "clients/c", place).write_text(text)
        return subprocess.run([sys.executable, str(LINT), "includes", root], capture_output=True).returncode


class Lint(unittest.TestCase):
    def test_client(self) -> None:
        for place in ("src/x.c", "include/gatepost/x.h", "examples/x.c"):
            with self.subTest(place=place):
                self.assertEqual(run_client(place, "#include <gatepost/policy.h>\n#include <stdio.h>\n"), 0)
                self.assertEqual(run_client(place, '#include "base/buf.h"\n'), 1)
                allowed = place == "src/x.c"
                self.assertEqual(run_client(place, '#include "protocol/hook.h"\n'), 0 if allowed else 1)
                self.assertEqual(run_client(place, "#include <jansson.h>\n"), 0 if allowed else 1)

    def test_breaches(self) -> None:
        for rule, texts in BREACHES.items():
            for text in texts:
                with self.subTest(rule=rule, text=text[:40]):
                    result = run(rule, text)
                    self.assertEqual(result.returncode, 1, result)
                    self.assertIn("gateway/smtp/x.c:", result.stdout)

    def test_clean(self) -> None:
        for rule in BREACHES:
            with self.subTest(rule=rule):
                result = run(rule, '#include "base/buf.h"\n/* strcpy( */\nint x;\n')
                self.assertEqual((result.returncode, result.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main()
