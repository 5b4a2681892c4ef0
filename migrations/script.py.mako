"""${message}

Rules of this folder: one linear head; a file is named NNNN_verb_object.py; constraints carry their names; a step works on
a populated database; a column is added in one release and the old one removed in a later one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
