"""What is installed is enough for the programs of the README and the examples: check_install.py CMAKE BUILD CC README EXAMPLES [FLAG...]

They are compiled with what pkg-config says, and without the source tree.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import List


def run(*command: str, **environment: str) -> str:
    result = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)}\n{result.stdout}")
    return result.stdout


def main(cmake: str, build: str, compiler: str, readme: str, examples: str, *flags: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run(cmake, "--install", build, "--prefix", str(folder / "usr"))
        (config,) = (folder / "usr").rglob("gatepost-client.pc")
        # The prefix of the file is the one that was configured: it is told the other.
        where = {"PKG_CONFIG_PATH": str(config.parent)}
        lib = config.parent.parent
        options: List[str] = run("pkg-config", f"--define-variable=libdir={lib}", f"--define-variable=includedir={folder}/usr/include",
                                 "--cflags", "--libs", "gatepost-client", **where).split()  # fmt: skip
        programs = [pathlib.Path(readme).read_text()]
        programs = re.findall(r"^```c\n(#include.*?)^```$", programs[0], re.M | re.S)
        assert programs, "the README has no program"
        programs += [path.read_text() for path in sorted(pathlib.Path(examples).glob("*.c"))]
        for program in programs:
            (folder / "program.c").write_text(program)
            run(compiler, "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", *flags, str(folder / "program.c"), "-o", str(folder / "program"), *options)


if __name__ == "__main__":
    main(*sys.argv[1:])
