"""Sealing texts that nobody may read from the database alone: AES-256-GCM under a key that lies elsewhere.

A sealed text is ``1:KEY:DATA``: the form, the name of its key, and nonce and ciphertext in base64. What it is of, its purpose, is
authenticated with it: a sealed text that was put in the place of another one does not open. Of several keys the first one
seals and all of them open, so that the key can be changed while everything goes on.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from watchbell.config import Config
from watchbell.errors import KeyTrouble
from watchbell.settings_values import is_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORM = "1"
_NONCE_BYTES = 12
_HEAD = (
    "# Watchbell seals secrets with the first of these keys; the others open what was sealed before.\n"
    "# Keep a copy apart from the database and its backups: without it nothing that was sealed can be read.\n"
)
_MOST_BYTES = 64 * 1024
#: What others than the owner and the group may do with a file of keys: nothing.
_OF_OTHERS = stat.S_IRWXO


class SecretBox:
    """Seals and opens texts. The file of the keys is looked at each time, so a changed one counts at once."""

    def __init__(self, path: Path | None, given: str = "") -> None:
        """``given`` are the keys themselves, as the settings have them; the file counts without them."""
        self._path = path
        self._given = tuple(given.split(",")) if given else ()

    @classmethod
    def of(cls, config: Config) -> SecretBox:
        """Return the one of an installation."""
        return cls(config.encryption_key_path, config.encryption_key)

    @property
    def where(self) -> str:
        """Return where the keys come from, in words for whoever owns the machine."""
        return "WATCHBELL_ENCRYPTION_KEY" if self._given else str(self._path or "nowhere")

    @property
    def is_given(self) -> bool:
        """Return whether the keys are a setting, and no file that we may write."""
        return bool(self._given)

    def is_missing(self) -> bool:
        """Return whether there is no key at all."""
        return not self._given and (self._path is None or not self._path.exists())

    def is_open(self) -> bool:
        """Return whether there is a file of keys that everybody can read or write; it is not used."""
        if self._given or self._path is None:
            return False
        try:
            return bool(self._path.stat().st_mode & _OF_OTHERS)
        except OSError:
            # Whoever needs the key is told why it cannot be reached.
            return False

    def seal(self, purpose: str, text: str) -> str:
        """Return a text sealed for a purpose; the first one makes the key. Raises KeyTrouble."""
        if self.is_missing():
            self.make()
        key = self._keys()[0]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        data = nonce + _cipher(key).encrypt(nonce, text.encode(), purpose.encode())
        return f"{_FORM}:{name_of(key)}:{base64.urlsafe_b64encode(data).decode()}"

    def open(self, purpose: str, sealed: str) -> str:
        """Return what was sealed for a purpose; raises KeyTrouble if its key is not here, or it is not what was sealed."""
        from cryptography.exceptions import InvalidTag

        form, _, rest = sealed.partition(":")
        name, _, data = rest.partition(":")
        if form != _FORM:
            raise KeyTrouble(f"{_shown(purpose)} was sealed by a newer version of Watchbell, or is damaged")
        key = next((key for key in self._keys() if name_of(key) == name), None)
        if key is None:
            raise KeyTrouble(
                f"{_shown(purpose)} is sealed with the key {name[:8]}, which is not among the keys of this installation; "
                "put the right key file back"
            )
        try:
            raw = base64.urlsafe_b64decode(data)
            return _cipher(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError, binascii.Error):
            raise KeyTrouble(f"{_shown(purpose)} is damaged, or was put in the place of another one") from None

    def names(self) -> Sequence[str]:
        """Return what the keys are called in what they have sealed, the one that seals first. Raises KeyTrouble."""
        return [name_of(key) for key in self._keys()]

    def make(self) -> None:
        """Make the file with a new key, so that nobody ever reads half of one and the first of several processes wins."""
        with self._locked() as path:
            if not path.exists():
                _write(path, [secrets.token_hex(32)])

    def add(self) -> None:
        """Put a new key before those that there are. Raises KeyTrouble for keys that are a setting."""
        with self._locked() as path:
            known = [] if self.is_missing() else list(self._keys())
            _write(path, [secrets.token_hex(32), *known])

    def keep(self, names: Sequence[str]) -> int:
        """Take out every key but the first one and those of some names, and return how many went. Raises KeyTrouble."""
        with self._locked() as path:
            known = self._keys()
            kept = [key for number, key in enumerate(known) if not number or name_of(key) in names]
            if len(kept) < len(known):
                _write(path, kept)
            return len(known) - len(kept)

    def _keys(self) -> Sequence[str]:
        if self._given:
            return self._given
        if self._path is None:
            raise KeyTrouble("this program was not told where the key of the secrets is")
        try:
            with self._path.open(encoding="ascii") as file:
                if os.fstat(file.fileno()).st_mode & _OF_OTHERS:
                    raise KeyTrouble(
                        "everybody on this machine can read or write the key file of the secrets; make it private with "
                        "chmod 600, watchbell doctor says where it is"
                    )
                lines = file.read(_MOST_BYTES).splitlines()
        except FileNotFoundError:
            raise KeyTrouble(
                "the key of the secrets is missing; put its file back, watchbell doctor says where it belongs"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is damaged"
            raise KeyTrouble(f"the key of the secrets cannot be read: {reason}") from None
        found = [line.strip().lower() for line in lines if line.strip() and not line.startswith("#")]
        if not found or not all(map(is_key, found)):
            raise KeyTrouble("the key file of the secrets is damaged; put the right one back")
        return found

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Path]:
        """Let nobody else change the file meanwhile."""
        if self._given or self._path is None:
            raise KeyTrouble("the key of the secrets is a setting, WATCHBELL_ENCRYPTION_KEY, and is changed there")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                yield self._path
            finally:
                os.close(folder)
        except OSError as error:
            raise KeyTrouble(f"the key file of the secrets cannot be written: {error.strerror}") from None


NO_BOX = SecretBox(None)


def name_of(key: str) -> str:
    """Return what a key is called: enough to tell keys apart, and nothing that leads to it."""
    return hashlib.sha256(f"watchbell encryption key {key}".encode()).hexdigest()[:16]


def _cipher(key: str) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(bytes.fromhex(key))


def _write(path: Path, keys: Sequence[str]) -> None:
    """Put a file in place of what was there, whole and durable before anybody can see it."""
    own = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(_HEAD + "".join(f"{key}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        own.rename(path)
    except OSError:
        own.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _shown(purpose: str) -> str:
    return purpose.replace(":", " ", 1)
