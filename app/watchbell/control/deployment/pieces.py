"""Each file of a deployment: what it is for, where it belongs, and its text."""

from __future__ import annotations

import dataclasses
import grp
import pwd
import re
import sys
from pathlib import Path
from typing import NamedTuple

from watchbell.control.deployment.plan import Plan

_FILES = Path(__file__).with_name("files")
_PLACEHOLDER = re.compile(r"@([a-z_]+)@")
_UNITS = "/etc/systemd/system"
_STATE = Path("/var/lib")
_CONTAINER_HOME = "/var/lib/watchbell"


class Piece(NamedTuple):
    """A file of a deployment."""

    #: Where it belongs; {folder} is the one of the plan.
    path: str
    help: str
    mode: int = 0o644


#: What an agent's unit is, only the agent itself knows; whoever prints it asks there.
AGENT = "systemd-agent"
PIECES = {
    "environment": Piece("{folder}/environment", "Settings of page and scheduler; secrets are added by hand.", 0o600),
    "gunicorn": Piece("{folder}/gunicorn.conf.py", "The web server: workers, threads, reload without a lost request."),
    "nginx": Piece("/etc/nginx/conf.d/watchbell.conf", "The proxy: TLS, sockets, bounds, and pages for when nothing answers."),
    "systemd-socket": Piece(f"{_UNITS}/watchbell-web.socket", "Holds the port while the page is started anew."),
    "systemd-web": Piece(f"{_UNITS}/watchbell-web.service", "Pages and API, fenced in."),
    "systemd-scheduler": Piece(f"{_UNITS}/watchbell-scheduler.service", "The scheduler; commands outlive it."),
    "systemd-engine": Piece(f"{_UNITS}/watchbell-engine.service", "A worker of the engine, on each machine that carries runs."),
    AGENT: Piece(f"{_UNITS}/watchbell-agent.service", "The agent, on each device."),
    "logrotate": Piece("/etc/logrotate.d/watchbell", "Keeps the scheduler's log of more than a few days."),
    "container": Piece("Containerfile", "An image with page and scheduler."),
}  # fmt: skip


def place(name: str, plan: Plan) -> str:
    """Return where a file belongs on the machine."""
    return PIECES[name].path.format(folder=plan.folder)


def text(name: str, plan: Plan) -> str:
    """Return a file, complete; the agent's is not made here."""
    template = (_FILES / name).read_text(encoding="utf-8")
    words = _words(plan) | {"where": place(name, plan)}
    return _PLACEHOLDER.sub(lambda found: words[found[1]], template)


def _words(plan: Plan) -> dict[str, str]:
    """Return all that stands behind a placeholder in a file."""
    plain = {field.name: str(getattr(plan, field.name)) for field in dataclasses.fields(Plan)}
    names = dict.fromkeys([plan.name, "localhost"])
    return plain | _proxy_words(plan) | {
        "bind": f"127.0.0.1:{plan.port}" if plan.proxy_from == ("127.0.0.1",) else f"0.0.0.0:{plan.port}",
        "proxy_from": ",".join(plan.proxy_from),
        "allowed_hosts": ",".join(names),
        "settings": "\n".join(f"{name}={_quoted(value)}" for name, value in plan.settings),
        "environment": place("environment", plan),
        "gunicorn": place("gunicorn", plan),
        "group": _group(plan.user),
        "container_home": _CONTAINER_HOME,
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "state": _state(plan),
        "protect_home": "no" if _is_in_a_home(plan) else "yes",
        # A scheduler that becomes other users needs what makes it root, and they may write wherever they may.
        "fences": "" if plan.becomes_others else "NoNewPrivileges=yes\nCapabilityBoundingSet=\nProtectSystem=full\n",
    }  # fmt: skip


def _proxy_words(plan: Plan) -> dict[str, str]:
    public_host = "$host" if plan.https_port == 443 else f"$host:{plan.https_port}"
    header = f"        # Who has logged in is for this proxy to say, and for no visitor.\n        proxy_set_header {plan.login_header} \"\";\n"  # fmt: skip
    return {
        "public": plan.public,
        "public_host": public_host,
        "prefix_pattern": re.escape(plan.prefix),
        # With a path behind it, what stands before that path in the address is taken away.
        "below": "/" if plan.prefix else "",
        "below_links": "/login/link/" if plan.prefix else "",
        "servers": "\n".join(f"    server {one};" for one in plan.web),
        "moved": f"    location = {plan.prefix} {{ return 301 {plan.prefix}/; }}\n" if plan.prefix else "",
        "login_header": header if plan.login_header else "",
    }


def _group(user: str) -> str:
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    except KeyError:
        # A user that is still to be made has a group of its own name.
        return user


def _state(plan: Plan) -> str:
    """Return the lines that let a unit write the data directory, made by systemd where that can make it."""
    if plan.home.parent == _STATE:
        return f"StateDirectory={plan.home.name}\nStateDirectoryMode=0700"
    return f"ReadWritePaths={plan.home}"


def _is_in_a_home(plan: Plan) -> bool:
    return any(path.is_relative_to(home) for path in (plan.home, plan.python) for home in ("/home", "/root"))


def _quoted(value: str) -> str:
    """Return a value as files of variables have it."""
    if re.fullmatch(r"[A-Za-z0-9_./:,@+-]*", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
