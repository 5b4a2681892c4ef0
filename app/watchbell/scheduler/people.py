"""Users of the system as whom tasks run: who they are, and what their commands see of this machine."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping, Sequence

from watchbell import clock
from watchbell.domain.run_as import default_user, parse
from watchbell.errors import ConfigError
from watchbell.execution import SpawnFailed, User

#: So long somebody who was looked up is believed: the directory of users may be a server's.
_REMEMBERED_SECONDS = 60.0
#: What tells of the machine and of its language, and not of the user of the scheduler.
_OF_THE_MACHINE = re.compile(r"PATH|TZ|LANG|LANGUAGE|LC_[A-Z]+")
#: What a shell would answer for what may not be done.
_NOT_PERMITTED = 126


class People:
    """As whom tasks may run, as the settings of this scheduler say."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._allowed = parse(entries)
        self._default = default_user(entries)
        self._known: dict[str, tuple[float, User]] = {}

    def find(self, name: str) -> User | None:
        """Return as whom a task runs that names a user, or nobody; None for the scheduler's own user.

        Raises SpawnFailed for one as whom nothing may run here: that a task names somebody never lets it run as another one.
        """
        wanted = name or self._default
        if not wanted:
            return None
        if wanted not in self._allowed:
            there = f"there are: {', '.join(self._allowed)}" if self._allowed else "WATCHBELL_RUN_AS names nobody"
            raise SpawnFailed(f"tasks may not run as {wanted}; {there}", _NOT_PERMITTED)
        user = self._look_up(wanted)
        if user.uid == os.geteuid():
            return None
        if os.geteuid() != 0:
            raise SpawnFailed(f"only a scheduler of root can run a command as {wanted}", _NOT_PERMITTED)
        return user

    def require(self) -> None:
        """Raise ConfigError if the settings name users as whom nothing can run here."""
        for name in self._allowed:
            try:
                self.find(name)
            except SpawnFailed as error:
                raise ConfigError(f"WATCHBELL_RUN_AS: {error.reason}") from None

    def _look_up(self, name: str) -> User:
        at, user = self._known.get(name, (float("-inf"), None))
        if user is None or clock.monotonic() - at > _REMEMBERED_SECONDS:
            try:
                entry = pwd.getpwnam(name)
                groups = os.getgrouplist(name, entry.pw_gid)
            except (KeyError, OSError):
                raise SpawnFailed(f"there is no user {name} on this machine", _NOT_PERMITTED) from None
            home = entry.pw_dir if os.path.isdir(entry.pw_dir) else "/"
            user = User(name, entry.pw_uid, entry.pw_gid, tuple(groups), home, entry.pw_shell or "/bin/sh")
            self._known[name] = clock.monotonic(), user
        return user


def environment_of(user: User, common: Mapping[str, str]) -> dict[str, str]:
    """Return what a command of a user sees of the machine and of itself, of what the scheduler has."""
    kept = {name: value for name, value in common.items() if _OF_THE_MACHINE.fullmatch(name)}
    return {**kept, "HOME": user.home, "USER": user.name, "LOGNAME": user.name, "SHELL": user.shell}
