#!/usr/bin/env python3
"""Prints the table of all rules with the dialogues that show their exact octets.

The rules are those of rules.txt; a dialogue names its rules in a comment of its head, `# rule: id ...`. A rule that no
dialogue can show names its tests in rules.txt instead.
Exit code 1 when a rule has neither, a dialogue names no rule or one that is not there, or a test is not there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Dict, List, Tuple

RULE = re.compile(r"([a-z0-9_]+) \| ([^|]+) \| ([^|]+?)(?: \| ([^|]+))?")


def read_rules(path: Path) -> Dict[str, Tuple[str, str, List[str]]]:
    """id -> (text, RFC or attack, tests), in their order."""
    rules: Dict[str, Tuple[str, str, List[str]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = RULE.fullmatch(line)
        if match is None or match.group(1) in rules:
            raise SystemExit(f"{path}:{number}: not `id | text | RFC or attack [| tests]`, or twice there: {line}")
        rules[match.group(1)] = (match.group(2), match.group(3), (match.group(4) or "").split())
    return rules


def has_test(tests: Path, name: str) -> bool:
    """FILE:NAME, a function of that name in that file."""
    file, _, function = name.partition(":")
    path = tests / file
    definition = rf"^(?:static void|    def) {re.escape(function)}\("
    return path.is_file() and re.search(definition, path.read_text(encoding="utf-8"), re.M) is not None


def named_rules(path: Path) -> List[str]:
    """What stands in the `# rule:` lines before the dialogue begins."""
    names: List[str] = []
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        if re.match("[A-Z]:", line):
            break
        if line.startswith("# rule: "):
            names += line[len("# rule: ") :].split()
    return names


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    rules = read_rules(folder / "rules.txt")
    dialogues: Dict[str, List[str]] = {name: [] for name in rules}
    problems: List[str] = []
    for path in sorted(folder.glob("*.smtp")):
        names = named_rules(path)
        if not names:
            problems.append(f"{path.name} names no rule")
        for name in names:
            if name in dialogues:
                dialogues[name].append(path.name)
            else:
                problems.append(f"{path.name}: there is no rule {name}")
    print("| rule | RFC or attack | dialogues, or tests |\n|---|---|---|")
    for name, (text, source, tests) in rules.items():
        print(f"| {text} | {source} | {' '.join(dialogues[name] + tests)} |")
        if not dialogues[name] and not tests:
            problems.append(f"rule {name} has no dialogue")
        problems += [f"rule {name}: there is no test {test}" for test in tests if not has_test(folder.parent, test)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems or not rules else 0


if __name__ == "__main__":
    sys.exit(main())
