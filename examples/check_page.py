#!/usr/bin/env python3
"""Check that a web page answers as it should.

    check_page.py URL [--status 200] [--contains TEXT] [--timeout 10] [--slow SECONDS]

Prints one line with what came back. Redirects are followed unless the wanted status is one itself, as in --status 301.
Exit codes: 0 all is well, 1 the page answered but not as wanted, 2 wrong usage, 3 no answer at all.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

#: More than this is not read; a text that is looked for must come before it.
READ_LIMIT_BYTES = 10 * 1024 * 1024


class Direct(urllib.request.HTTPRedirectHandler):
    """Take a redirect as the answer instead of following it."""

    def redirect_request(self, *_ignored: object) -> None:
        """Return nothing, which leaves the answer as it is."""


def fetch(url: str, timeout: float, *, follow: bool) -> tuple[int, bytes]:
    """Return the status and the body of a page; raises OSError or HTTPException when there is no answer."""
    opener = urllib.request.build_opener(*([] if follow else [Direct]))
    request = urllib.request.Request(url, headers={"User-Agent": "check_page.py"})
    try:
        with opener.open(request, timeout=timeout) as answer:
            return answer.status, answer.read(READ_LIMIT_BYTES)
    except urllib.error.HTTPError as error:
        # Every status from 300 on comes as an error; for us it is an answer.
        with error:
            return error.code, error.read(READ_LIMIT_BYTES)


def find_faults(options: argparse.Namespace, status: int, body: bytes, seconds: float) -> list[str]:
    """Return what is wrong with an answer."""
    faults = []
    if status != options.status:
        faults.append(f"status {status} instead of {options.status}")
    if options.contains is not None and options.contains.encode() not in body:
        faults.append(f"the text {options.contains!r} is missing")
    if options.slow is not None and seconds > options.slow:
        faults.append(f"slower than {options.slow:g} s")
    return faults


def page(text: str) -> str:
    """Return an address of a web page; files and other schemes are refused."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is not the address of a web page, as https://example.org/ is")
    if not text.isascii() or " " in text:
        raise argparse.ArgumentTypeError(f"{text!r} must be written as programs do, with %20 for a space and so on")
    return text


def seconds_of(text: str) -> float:
    """Return a length of time that is longer than nothing."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0, as 10 is")
    return seconds


def main() -> int:
    """Check the page that the command line names."""
    parser = argparse.ArgumentParser(description="Check that a web page answers as it should.")
    parser.add_argument("url", type=page, metavar="URL")
    parser.add_argument("--status", type=int, default=200, metavar="N", help="the status that is right (default 200)")
    parser.add_argument("--contains", metavar="TEXT", help="a text that the page must hold")
    parser.add_argument(
        "--timeout", type=seconds_of, default=10.0, metavar="S", help="longest silence in s (default 10)"
    )
    parser.add_argument(
        "--slow", type=seconds_of, metavar="S", help="fail also if the whole answer took longer than S s"
    )
    options = parser.parse_args()
    began = time.monotonic()
    try:
        status, body = fetch(options.url, options.timeout, follow=not 300 <= options.status < 400)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        print(f"check_page.py: no answer from {options.url}: {reason}", file=sys.stderr)
        return 3
    seconds = time.monotonic() - began
    print(f"{options.url}: status {status}, {len(body)} bytes in {seconds:.3f} s")
    faults = find_faults(options, status, body, seconds)
    if faults:
        print(f"check_page.py: {options.url}: {'; '.join(faults)}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
