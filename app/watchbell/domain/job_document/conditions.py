"""Whether a job is for a device: the conditions of its document against what is known of the device."""

from __future__ import annotations

from collections.abc import Mapping

from watchbell.domain.job_document.model import Condition, Document


def unmet(document: Document, known: Mapping[str, str]) -> Condition | None:
    """Return the first condition that a device does not meet, None if it meets them all.

    ``known`` are its attributes and tags. What is not known of it meets no condition.
    """
    return next((one for one in document.conditions if known.get(one.key) not in one.values), None)
