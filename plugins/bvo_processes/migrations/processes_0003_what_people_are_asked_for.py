"""what people are asked for when they start a job"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import Json

revision = "processes_0003"
down_revision = "processes_0002"


def upgrade() -> None:
    op.add_column("processes", sa.Column("parameters_schema", Json))


def downgrade() -> None:
    op.drop_column("processes", "parameters_schema")
