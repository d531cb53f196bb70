"""robots that drain"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "robots_0002"
down_revision = "robots_0001"


def upgrade() -> None:
    op.add_column("robots", sa.Column("is_draining", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("robots", "is_draining")
