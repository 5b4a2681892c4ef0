#!/usr/bin/env python3
"""Check that file systems have room left, in bytes and in inodes.

    disk_space.py [--min-free 10%] [--min-inodes 5%] [PATH...]

A bound is a share (10%) or, for --min-free, also an amount (500M, 20G, 1T; units of 1024). PATH is any file or
directory on the file system; without one it is /. Room is what an ordinary user can still fill.
Exit codes: 0 there is room everywhere, 1 somewhere is not, 2 wrong usage or a path that does not exist.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import sys

UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


@dataclasses.dataclass(frozen=True)
class Bound:
    """The least that must be left: an amount, or a share of the whole."""

    text: str
    number: float
    is_share: bool

    def is_met(self, free: float, total: float) -> bool:
        """Return whether enough is left."""
        return free >= (total * self.number / 100 if self.is_share else self.number)


def bound(text: str) -> Bound:
    """Return the bound that a person wrote."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT%]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None or (match[2] == "%" and float(match[1]) > 100):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a share such as 10% nor an amount such as 20G")
    if match[2] == "%":
        return Bound(text, float(match[1]), is_share=True)
    return Bound(text, float(match[1]) * UNITS[match[2].upper()], is_share=False)


def share(text: str) -> Bound:
    """Return the bound that a person wrote, if it is a share."""
    found = bound(text)
    if not found.is_share:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share such as 5%")
    return found


def amount(size: float) -> str:
    """Return a size as people read it."""
    for unit in "BKMGT":
        if size < 1024 or unit == "T":
            break
        size /= 1024
    return f"{size:.0f}{unit}" if unit == "B" else f"{size:.1f}{unit}"


def look(path: str, space: Bound, inodes: Bound) -> list[str]:
    """Print how one file system stands and return what it lacks."""
    found = os.statvfs(path)
    # What is reserved for root is neither free nor part of what an ordinary user shares out.
    free = found.f_bavail * found.f_frsize
    total = (found.f_blocks - found.f_bfree + found.f_bavail) * found.f_frsize
    faults = []
    if not space.is_met(free, total):
        faults.append(f"{amount(free)} of {amount(total)} free, less than {space.text}")
    # Some file systems make inodes as they need them and say 0.
    if found.f_files and not inodes.is_met(found.f_favail, found.f_files):
        faults.append(f"{found.f_favail} of {found.f_files} inodes free, less than {inodes.text}")
    percent = 100 * free / total if total else 0
    print(f"{path}: {amount(free)} of {amount(total)} free ({percent:.1f}%): {'LOW' if faults else 'ok'}")
    return faults


def main() -> int:
    """Check the file systems that the command line names."""
    parser = argparse.ArgumentParser(description="Check that file systems have room left.")
    parser.add_argument("paths", nargs="*", default=["/"], metavar="PATH")
    parser.add_argument("--min-free", type=bound, default=bound("10%"), metavar="N", help="default 10%%")
    parser.add_argument("--min-inodes", type=share, default=share("5%"), metavar="N%", help="default 5%%")
    options = parser.parse_args()
    code = 0
    for path in options.paths:
        try:
            faults = look(path, options.min_free, options.min_inodes)
        except OSError as error:
            print(f"disk_space.py: {path}: {error.strerror}", file=sys.stderr)
            code = 2
            continue
        for fault in faults:
            print(f"disk_space.py: {path}: {fault}", file=sys.stderr)
            code = code or 1
    return code


if __name__ == "__main__":
    sys.exit(main())
