"""Whose user everything runs as, and what every command of every task can therefore reach."""

from __future__ import annotations

import os
from pathlib import Path

from watchbell.config import Config

PAGE = "docs/hardening.md#a-user-of-its-own"
AS_ROOT = (
    f"every command of every task runs as root, who may do anything on this machine; make it a user of its own: {PAGE}"
)


def is_root(uid: int | None = None) -> bool:
    """Return whether a user, by default that of this process, may do anything."""
    return (os.geteuid() if uid is None else uid) == 0


def keys_in_reach(config: Config) -> list[Path]:
    """Return the files of keys that commands can read, since they run as the user to whom those belong."""
    files = (config.home / "secret.key", config.encryption_key_path)
    return [file for file in files if os.access(file, os.R_OK)]


def warnings(config: Config, uid: int | None = None) -> list[str]:
    """Return what whoever starts a scheduler should know of its user, as sentences without a full stop."""
    found = [AS_ROOT] if is_root(uid) else []
    keys = " and ".join(map(str, keys_in_reach(config)))
    return [*found, f"commands run as this user and can read {keys}, and the database"] if keys else found
