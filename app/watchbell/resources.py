"""Where templates, static files and migrations are: in a checkout, in an editable install and in a wheel.

In a checkout (and so in an editable install) they stand at the top level, beside ``app``. The build copies them into
``watchbell/_resources`` for wheels, which have no top level of their own.
"""

from __future__ import annotations

from pathlib import Path

from watchbell.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_resources"
_CHECKOUT = _PACKAGE.parent.parent

#: Written by the asset build as its last step, so its presence means that all browser libraries are there.
ASSET_STAMP = "vendor/STAMP"


def templates() -> Path:
    """Return the folder of the HTML templates."""
    return _folder("templates")


def static() -> Path:
    """Return the folder of style sheets, scripts, images and browser libraries."""
    return _folder("static")


def migrations() -> Path:
    """Return the folder of the database migrations."""
    return _folder("migrations")


def package() -> Path:
    """Return the folder of our own code."""
    return _PACKAGE


def is_checkout() -> bool:
    """Return whether this code runs from a source tree and not from an installed wheel."""
    return not _INSTALLED.is_dir() and (_CHECKOUT / "setup.py").is_file()


def have_assets() -> bool:
    """Return whether the browser libraries are in place; a fresh checkout does not carry them."""
    return (static() / ASSET_STAMP).is_file()


def require_assets() -> None:
    """Raise ConfigError with the way out in one line when the browser libraries are missing."""
    if have_assets():
        return
    remedy = "run `make assets` in the checkout" if is_checkout() else "install the package again"
    raise ConfigError(f"The browser libraries are missing from {static() / 'vendor'}: {remedy}.")


def _folder(name: str) -> Path:
    for root in (_INSTALLED, _CHECKOUT):
        if (root / name).is_dir():
            return root / name
    raise ConfigError(
        f"The folder {name!r} is neither in {_INSTALLED} nor in {_CHECKOUT}: the installation is damaged."
    )
