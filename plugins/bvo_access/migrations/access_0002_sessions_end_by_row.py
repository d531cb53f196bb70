"""users need no generation: sessions have rows, and end with them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "access_0002"
down_revision = "access_0001"


def upgrade() -> None:
    op.drop_column("users", "generation")


def downgrade() -> None:
    op.add_column("users", sa.Column("generation", sa.Integer(), nullable=False, server_default="0"))
