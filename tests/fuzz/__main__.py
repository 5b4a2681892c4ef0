"""``python -m tests.fuzz``: feed each target for so many seconds, one after the other, and say of each what broke."""

from __future__ import annotations

import argparse
import secrets
import sys

from tests.fuzz.fuzzing import Outcome, fuzz, told
from tests.fuzz.targets import all_targets


def main() -> int:
    """Return 1 if anything broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", help="targets whose names begin so; all by default")
    parser.add_argument("--seconds", type=float, default=600.0, help="for how long each is fed")
    parser.add_argument("--seed", type=int, default=None, help="where to begin; a number that is told by default")
    parser.add_argument("--list", action="store_true", help="tell the names and do nothing")
    given = parser.parse_args()
    seed = secrets.randbelow(2**31) if given.seed is None else given.seed
    is_broken = False
    with all_targets() as targets:
        for target in targets:
            if given.names and not target.name.startswith(tuple(given.names)):
                continue
            if given.list:
                print(target.name)
                continue
            outcome = fuzz(target, seconds=given.seconds, first_seed=seed)
            _tell(outcome)
            is_broken = is_broken or bool(outcome.crashes)
    return int(is_broken)


def _tell(outcome: Outcome) -> None:
    print(outcome, flush=True)
    for crash in outcome.crashes.values():
        print(f"  {crash.where}, {crash.count} times, such as {told(crash.example)}\n{crash.trace}", flush=True)
    if outcome.slowest > 0.5:
        print(f"  the slowest: {told(outcome.slowest_example)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
