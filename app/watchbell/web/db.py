"""The database as extensions of Flask, and the one door through which routes reach it.

Nothing here connects: a connection that is open when gunicorn forks would be shared by its workers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from flask import Flask, current_app, g
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from watchbell import resources
from watchbell.config import Config
from watchbell.store import models
from watchbell.store.place import parsed
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database, Session, configure, engine_options

_NAME = "watchbell.database"

alchemy = SQLAlchemy(metadata=models.metadata)
migrate = Migrate()


def init_app(app: Flask, config: Config) -> None:
    """Bind the extensions to the configured database and to our migrations, so that ``flask db`` works, too."""
    app.config["SQLALCHEMY_DATABASE_URI"] = parsed(config.database_url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(config.database_url)
    alchemy.init_app(app)
    migrate.init_app(app, alchemy, directory=str(resources.migrations()))
    with app.app_context():
        app.extensions[_NAME] = Database(configure(alchemy.engine), SecretBox.of(config))


@contextlib.contextmanager
def joined(session: Session) -> Iterator[None]:
    """Let all that this request does with the database in the block be part of a transaction that is open already."""
    g.joined_database = database().within(session)
    try:
        yield
    finally:
        del g.joined_database


def database() -> Database:
    """Return the database of the application that serves the present request."""
    found = g.get("joined_database") or current_app.extensions[_NAME]
    assert isinstance(found, Database)
    return found
