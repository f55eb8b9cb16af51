"""What the archive of the C client exports is what its headers declare, and nothing else: check_symbols.py NM ARCHIVE HEADER..."""

import pathlib
import re
import subprocess
import sys
from typing import Set


def exported(nm: str, archive: str) -> Set[str]:
    output = subprocess.run([nm, "-g", "--defined-only", archive], check=True, capture_output=True, text=True).stdout
    # Coverage and sanitizers may add names of their own, which are reserved ones.
    return {name for name in re.findall(r"^[0-9a-f]+ [A-Za-z] (\S+)$", output, re.M) if not re.match(r"_|asan\.|sancov\.", name)}


def declared(header: str) -> Set[str]:
    text = re.sub(r"/\*.*?\*/", "", pathlib.Path(header).read_text(), flags=re.S)
    return set(re.findall(r"\b(gatepost_\w+)\(", text)) - {"gatepost_log", "gatepost_handler"}


def main() -> int:
    got = exported(sys.argv[1], sys.argv[2])
    wanted: Set[str] = set().union(*(declared(header) for header in sys.argv[3:]))
    for name in sorted(got ^ wanted):
        print(f"{name}: {'exported, but in no header' if name in got else 'declared, but not exported'}")
    return 1 if got != wanted or not got else 0


if __name__ == "__main__":
    sys.exit(main())
