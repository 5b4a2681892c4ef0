"""The files that put an installation behind a proxy and under a service manager, filled in for the machine at hand."""

from __future__ import annotations

from watchbell.control.deployment.pieces import PIECES, Piece, place, text
from watchbell.control.deployment.plan import Plan

__all__ = ["PIECES", "Piece", "Plan", "place", "text"]
