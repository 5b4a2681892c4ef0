"""A command line that runs inside the test, on a data directory of its own."""

from __future__ import annotations

import io
import json
import shutil
from types import SimpleNamespace

import pytest

from tests.database import migrated_file, url_of
from watchbell.cli.main import main
from watchbell.store.session import Database

__all__ = ["db", "home", "migrated_file", "shell", "typed"]


@pytest.fixture
def home(tmp_path, migrated_file, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(migrated_file, folder / "watchbell.db")
    for name, value in {"HOME": str(folder), "ZONE": "UTC", "USER": "ann", "HOSTNAME": "watchtower"}.items():
        monkeypatch.setenv(f"WATCHBELL_{name}", value)
    return folder


@pytest.fixture
def db(home):
    database = Database.open(url_of(home / "watchbell.db"))
    yield database
    database.close()


@pytest.fixture
def shell(capsys, home):
    """Run a command line and return its code and what it printed."""

    def run(*arguments):
        code = main(arguments)
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err, json=lambda: json.loads(out))

    return run


@pytest.fixture
def typed(monkeypatch):
    """Give the next command a standard input that is not a terminal."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
