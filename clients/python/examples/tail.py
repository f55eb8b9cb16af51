#!/usr/bin/env python3
"""Print events as they happen, and say what was missed.

    tail.py /run/gatepost/events.sock message delivery "policy.*"
"""

import sys

import gatepost


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for item in gatepost.Subscriber(sys.argv[1], events=sys.argv[2:] or ["*"], from_="oldest", name="tail"):
        if isinstance(item, gatepost.Gap):
            print(f"-- missed {'an unknown number of' if item.lost is None else item.lost} events ({item.why})", flush=True)
        else:
            facts = " ".join(f"{name}={value}" for name, value in item.data.items())
            print(item.time, item.name, item.session or "-", facts, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        pass
