"""what a process ran when; of those that are there, what they run now"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import UTCDateTime

revision = "processes_0004"
down_revision = "processes_0003"


def upgrade() -> None:
    op.create_table(
        "process_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("process_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("package_id", sa.Integer(), nullable=True),
        sa.Column("package_name", sa.String(), nullable=False),
        sa.Column("package_version", sa.String(), nullable=False),
        sa.Column("script_path", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["package_id"], ["packages.id"], name=op.f("fk_process_versions_package_id_packages"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["process_id"], ["processes.id"], name=op.f("fk_process_versions_process_id_processes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_versions")),
        sa.UniqueConstraint("process_id", "version", name=op.f("uq_process_versions_process_id")),
    )
    op.create_index(op.f("ix_process_versions_package_id"), "process_versions", ["package_id"])
    op.execute(
        "INSERT INTO process_versions"
        " (process_id, version, package_id, package_name, package_version, script_path, created_at)"
        " SELECT process.id, process.version, package.id, package.name, package.version, process.script_path,"
        " process.updated_at FROM processes AS process JOIN packages AS package ON package.id = process.package_id"
    )


def downgrade() -> None:
    op.drop_table("process_versions")
