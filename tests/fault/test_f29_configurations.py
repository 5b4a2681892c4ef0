"""F29: damaged configurations: a real start either means what the file says or is refused in one line, with code 78."""

from __future__ import annotations

import random
import tomllib

import pytest

from tests.fault.scale import SEED, count
from watchbell.config import Config
from watchbell.errors import EXIT_CONFIG, ConfigError

pytestmark = pytest.mark.fault

WHOLE = b"""# All is well.
host = "127.0.0.1"
port = 5000
auth = "on"
password = "a long and secret word"
zone = "Europe/Berlin"
max_running = 8
log_level = "info"
behind_proxy = "off"
"""


def mutate(chance: random.Random, content: bytes) -> bytes:
    """Return the file with one thing wrong, or only written otherwise."""
    lines = content.splitlines(keepends=True)
    number = chance.randrange(1, len(lines))
    place = chance.randrange(len(content))
    kind = chance.randrange(12)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]
    if kind == 2:
        return content + lines[number]
    if kind == 3:
        return content.replace(b'"', b"", 1 + chance.randrange(6))
    if kind == 4:
        return content + chance.choice([b'colour = "red"\n', b"[server]\nport = 1\n", b'Auth = "off"\n', b"= 5\n"])
    if kind == 5:
        return content.replace(b"Europe/Berlin", chance.choice([b"Mars/Base", b"", b"localtime", b"../../etc/passwd"]))
    if kind == 6:
        return content.replace(b"5000", chance.choice([b"70000", b"-1", b'"x"', b"[1]", b"1e9", b"9" * 5000]))
    if kind == 7:
        return content.replace(b'"on"', chance.choice([b'"maybe"', b"1.5", b"[]", b'""', b"nan", b"true"]))
    if kind == 8:
        return content.replace(b"\n", b"\r\n")
    if kind == 9:
        return b"\xef\xbb\xbf" + content
    if kind == 10:
        return content[:place] + chance.choice([b"\0", b"\xff\xfe", b"\x1b[2J"]) + content[place:]
    return b"".join(chance.sample(lines, len(lines)))


def test_a_damaged_configuration_is_refused_or_means_what_it_says(lab, claims):
    chance = random.Random(SEED)
    file = lab.home / "watchbell.toml"
    words = lab.home / "words.txt"
    wrong, refused, mutated = [], 0, count("CONFIGURATIONS", 80, 4000)

    for number in range(mutated):
        content = mutate(chance, WHOLE)
        file.write_bytes(content)
        file.chmod(0o644 if chance.random() < 0.1 else 0o600)
        words.write_text("")
        try:
            understood = Config.load(lab.settings, environ={})
        except ConfigError:
            understood = None
        if understood is not None:
            # What the file says is obeyed; what it does not say is as safe as without a file.
            said = tomllib.loads(content.decode("utf-8-sig"))
            if understood.auth != "on" and said.get("auth") not in {False, "off", "no", "false", "0"}:
                wrong.append(f"{number}: no login although nobody said so: {content!r}")
            if understood.host != said.get("host", "127.0.0.1"):
                wrong.append(f"{number}: listens on {understood.host}: {content!r}")
            continue
        code = lab.start().reap(30)
        told = words.read_text()
        refused += 1
        if code != EXIT_CONFIG or len(told.splitlines()) != 1 or str(file) not in told or "secret word" in told:
            wrong.append(f"{number}: code {code}, told {told!r} for {content!r}")
        if lab.rows("SELECT 1 FROM scheduler"):
            wrong.append(f"{number}: it worked all the same")

    claims.figure("F29", "refused", f"{refused} of {mutated} mutated configurations")
    claims.none_of("F29", "damaged configurations that were obeyed, or refused unclearly", mutated, wrong)
    assert refused > mutated / 4
