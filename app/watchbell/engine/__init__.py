"""How announcements of runs travel to other machines. They only announce: whether a run starts, the database decides."""

from __future__ import annotations
