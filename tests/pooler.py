"""A pooler before the tests' PostgreSQL, with which programs reach it as they do on many servers."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import USER, Cluster, need, program, somebody_else
from tests.waiting import wait_until

_PORT = 6432


class Pooler:
    """A PgBouncer before a cluster, on a socket of its own; ``mode`` says for how long it lends a session of the server."""

    def __init__(self, cluster: Cluster, folder: Path, mode: str, **settings: str) -> None:
        self.folder = folder
        owner = somebody_else() if os.geteuid() == 0 else None
        if owner:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        given = {
            "listen_addr": "", "listen_port": _PORT, "unix_socket_dir": folder, "auth_type": "any",
            "pool_mode": mode, **settings,
        }  # fmt: skip
        lines = [f"[databases]\n* = host={cluster.folder} user={USER}\n[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in given.items()]
        (folder / "pooler.ini").write_text("\n".join(lines), encoding="utf-8")
        words = [need("pgbouncer"), *(["-u", owner.pw_name] if owner else []), str(folder / "pooler.ini")]
        with (folder / "pooler.log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder)
        wait_until(self._answers, what="the pooler answers")

    def url(self, database: str) -> str:
        """Return the URL of a database of the cluster by way of this pooler."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}&port={_PORT}"

    @contextlib.contextmanager
    def busy(self, *, database: str) -> Iterator[Any]:
        """Give a connection of the driver in a transaction: the session that was lent last is not free meanwhile."""
        with self._connect(database) as connection:
            connection.execute("SELECT 1")
            yield connection

    def _connect(self, database: str) -> Any:
        import psycopg

        return psycopg.connect(host=str(self.folder), port=_PORT, user=USER, dbname=database)

    def _answers(self) -> bool:
        import psycopg

        # It may not listen yet.
        with contextlib.suppress(psycopg.OperationalError), self._connect("postgres"):
            return True
        return False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)


@contextlib.contextmanager
def pooled(cluster: Cluster, mode: str, **settings: str) -> Iterator[Pooler]:
    """Give a pooler before a cluster, and take it away again."""
    if program("pgbouncer") is None:
        pytest.skip("no PgBouncer found; install pgbouncer to run these tests")
    folder = Path(tempfile.mkdtemp(prefix="watchbell-pooler-"))
    try:
        pooler = Pooler(cluster, folder, mode, **settings)
        try:
            yield pooler
        finally:
            pooler.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
