"""What a shell can complete: the names of tasks, looked up quickly, and in silence where there is nothing to look at."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from watchbell.config import Config
from watchbell.domain.shown_text import is_visible
from watchbell.errors import WatchbellError


def complete_task(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of tasks that begin like what is typed."""
    from watchbell.store import glance

    given = context.find_root().params
    try:
        config = Config.load({name: given.get(name) for name in ("home", "database_url", "config")})
    except WatchbellError:
        # Somebody presses a key; what is wrong with the settings is told when the line is run.
        return []
    return [CompletionItem(name) for name in glance.list_names(config.database_url, incomplete) if is_visible(name)]
