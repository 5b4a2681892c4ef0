"""What a new task can begin from without anybody's template: commands that work as they stand, to be fitted to one's own needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from watchbell.web.forms.step_fields import GO_ON, StepRow
from watchbell.web.i18n import lazy

_KEEP = 7
_BACKUP = f"""\
folder="$HOME/Documents"
kept="$HOME/backups"
set -e
mkdir -p "$kept"
name="$(basename "$folder")-$(date +%Y%m%d-%H%M%S).tar.gz"
trap 'rm -f "$kept/.$name"' EXIT
tar -czf "$kept/.$name" -C "$(dirname "$folder")" "$(basename "$folder")"
mv "$kept/.$name" "$kept/$name"
ls -1t "$kept/$(basename "$folder")"-*.tar.gz | tail -n +{_KEEP + 1} | xargs -r -d '\\n' rm --
echo "wrote $kept/$name\""""
_PAGE = "curl --fail --silent --show-error --location --max-time 20 --output /dev/null --write-out '%{http_code} in %{time_total} s\\n' https://example.org/"
_DISK = """\
df -P / | awk 'NR == 2 { sub("%", "", $5); print $6 " is " $5 " % full"; exit ($5 >= 90) }'"""
_SCRIPT = '"$HOME/bin/daily.sh"'
_OLD_FILES = 'find "$HOME/tmp" -xdev -type f -mtime +30 -print -delete'
_STEPS = (
    StepRow(
        "collect",
        'mkdir -p "$HOME/status"\nuptime > "$HOME/status/collected.txt"\ndf -P / >> "$HOME/status/collected.txt"',
        "1m",
    ),
    StepRow(
        "summarise",
        'awk \'END { print NR " lines collected" }\' "$HOME/status/collected.txt" > "$HOME/status/summary.txt"',
        "1m",
    ),
    StepRow("publish", 'cat "$HOME/status/summary.txt"', "1m", GO_ON),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Preset:
    """What the fields of the form begin with."""

    #: In the language of whoever reads it.
    title: Any
    words: Any
    data: Mapping[str, object]


PRESETS: Mapping[str, Preset] = {
    "backup": Preset(
        lazy("Back up a folder"),
        lazy("A dated archive each night; the newest seven are kept."),
        {"name": "backup-documents", "command": _BACKUP, "cron": "30 2 * * *", "time_limit_seconds": "2h", "tags": "backup"},
    ),
    "page": Preset(
        lazy("Check a web page"),
        lazy("Fails when it does not answer, or answers with an error."),
        {
            "name": "check-page", "command": _PAGE, "kind": "interval", "every": "5", "unit": "minutes",
            "time_limit_seconds": "1m", "retries": "2", "retry_delay_seconds": "10s", "tags": "checks",
        },
    ),
    "disk": Preset(
        lazy("Watch the disk space"),
        lazy("Fails when the file system is at least 90 % full."),
        {
            "name": "disk-space", "command": _DISK, "kind": "interval", "every": "15", "unit": "minutes",
            "time_limit_seconds": "1m", "tags": "checks",
        },
    ),
    "script": Preset(
        lazy("Run a script daily"),
        lazy("On weekdays in the morning, once more if it fails."),
        {
            "name": "daily-script", "command": _SCRIPT, "cron": "0 7 * * mon-fri", "retries": "1",
            "retry_delay_seconds": "5m", "retry_max_delay_seconds": "1h", "time_limit_seconds": "1h",
        },
    ),
    "tidy": Preset(
        lazy("Delete old files"),
        lazy("What has not changed for 30 days, each Sunday night."),
        {"name": "delete-old-files", "command": _OLD_FILES, "cron": "0 4 * * sun", "time_limit_seconds": "1h"},
    ),
    "steps": Preset(
        lazy("Several steps in order"),
        lazy("Collect, summarise, publish: each with a time limit of its own."),
        {
            "name": "pipeline", "what": "steps", "steps": list(_STEPS), "cron": "@hourly", "overlap": "queue_one",
            "time_limit_seconds": "1h", "tags": "reports",
        },
    ),
}  # fmt: skip
