"""Whose user everything runs as, and what every command of every task can therefore reach."""

from __future__ import annotations

import os
from pathlib import Path

from watchbell.config import Config
from watchbell.domain import run_as

PAGE = "docs/hardening.md#a-user-of-its-own"
AS_ROOT = (
    f"every command of every task runs as root, who may do anything on this machine; make it a user of its own: {PAGE}"
)


def is_root(uid: int | None = None) -> bool:
    """Return whether a user, by default that of this process, may do anything."""
    return (os.geteuid() if uid is None else uid) == 0


def runs_all_as_root(config: Config, uid: int | None = None) -> bool:
    """Return whether commands run as a user who may do anything, unless their task names another one."""
    return is_root(uid) and run_as.default_user(config.run_as) in {"", "root"}


def keys_in_reach(config: Config) -> list[Path]:
    """Return the files of keys that commands can read, since they run as the user to whom those belong."""
    files = (config.home / "secret.key", config.encryption_key_path)
    return [file for file in files if os.access(file, os.R_OK)]


def warnings(config: Config, uid: int | None = None) -> list[str]:
    """Return what whoever starts a scheduler should know of its user, as sentences without a full stop."""
    found = [AS_ROOT] if runs_all_as_root(config, uid) else []
    if config.run_as:
        names = ", ".join(run_as.parse(config.run_as))
        return [*found, f"commands run as one of {names}; as the first where their task names none"]
    keys = " and ".join(map(str, keys_in_reach(config)))
    return [*found, f"commands run as this user and can read {keys}, and the database"] if keys else found
