"""What masks the outputs that are not masked for good yet: those of runs that go on, and of some that ended without the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watchbell.domain.concealing import Concealer
from watchbell.errors import KeyTrouble
from watchbell.store import secrets as store
from watchbell.store.sealed import purpose_of_secret
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Session

#: Stands for what masks an output whose secrets cannot be known at the moment: nothing of it may be shown.
WITHHELD = Concealer(())


def find(session: Session, box: SecretBox, attempt_ids: Sequence[int]) -> Mapping[int, Concealer]:
    """Return what masks the outputs of attempts, by their ids; those that nothing is to be masked of are left out."""
    values: dict[int, list[str] | None] = {}
    for row in store.list_open_values(session, attempt_ids):
        known = values.setdefault(row.attempt_id, [])
        if known is None:
            continue
        try:
            if row.sealed is None:
                raise KeyTrouble
            known.append(box.open(purpose_of_secret(row.name, row.version), row.sealed))
        except KeyTrouble:
            values[row.attempt_id] = None
    return {attempt: Concealer(found) if found is not None else WITHHELD for attempt, found in values.items()}
