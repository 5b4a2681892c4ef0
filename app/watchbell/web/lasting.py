"""What is made when a server starts stays as long as it does, so that the garbage collector need not look at it again and again."""

from __future__ import annotations

import gc

#: A page makes thousands of small objects, nearly all of which go with it: rows, texts, forms. Looking for circles among them is
#: worth its time less often than for programs that keep what they make.
_THRESHOLDS = (10_000, 10, 20)


def settle() -> None:
    """Set apart all objects that there are, for a process that serves one application until it ends.

    There are some 200,000 of them. A look at all of them, which comes every few dozen requests, takes longer than most
    pages do, and makes one request in so many wait for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
