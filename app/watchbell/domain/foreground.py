"""How runs are known that a person has started in the foreground, and the tasks that are made for them."""

from __future__ import annotations

#: What the name of the holder of such a run begins with, where that of another run is a scheduler's.
HOLDER_PREFIX = "exec-"
#: What the key of such a run begins with.
KEY_PREFIX = "exec:"
#: The tag of the tasks that are made for such runs; no other task is ever changed by one.
TAG = "exec"
