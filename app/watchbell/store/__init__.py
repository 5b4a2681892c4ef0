"""Tables and every query; the only package that knows SQLAlchemy. Nothing here decides anything."""

from __future__ import annotations
