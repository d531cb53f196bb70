"""The two roles that always exist, and the first administrator."""

from __future__ import annotations

from sqlalchemy import select

from bvo import registry
from bvo.database import db, transaction
from bvo_hookspecs import Seed

from . import passwords
from .models import CAN_LOG_IN, Role, RolePermission, User

ADMINISTRATOR, READ_ONLY = "Administrator", "Read Only"
DEVELOPMENT_PASSWORD = "admin123"  # noqa: S105 - the reference's well-known one; check_administrator keeps it on this machine


def seed_roles() -> None:
    """Make the standard roles, and give them the artifacts that plugins have added since."""
    with transaction() as session:
        for name, description, operations in (
            (ADMINISTRATOR, "Full access to all features", ("view", "create", "edit", "delete")),
            (READ_ONLY, "May look at everything and change nothing", ("view",)),
        ):
            role = session.scalars(select(Role).where(Role.name == name)).one_or_none()
            if role is None:
                role = Role(name=name, description=description, is_builtin=True, is_admin=name == ADMINISTRATOR)
                session.add(role)
            _complete(role, operations)


def seed_development_admin() -> None:
    """In development mode, make `admin` with the well-known password where there is no user at all."""
    with transaction() as session:
        if not registry.current().config.development or session.scalar(select(User.id).limit(1)) is not None:
            return
        role = session.scalars(select(Role).where(Role.is_admin)).one()
        session.add(User(username="admin", password_hash=passwords.hashed(DEVELOPMENT_PASSWORD), roles=[role]))


def check_administrator(loopback: bool) -> None:
    """Raise ValueError where there is no administrator, or others could log in with the well-known password."""
    admins = list(db.session.scalars(select(User).join(User.roles).where(Role.is_admin, *CAN_LOG_IN)).unique())
    if not admins:
        raise ValueError("There is no administrator. Run `bvo users create-admin`.")
    for user in admins:
        if not loopback and user.username == "admin" and passwords.matches(DEVELOPMENT_PASSWORD, user.password_hash):
            raise ValueError(
                "The user admin still has the development password, so the server may only listen on 127.0.0.1."
                " Run `bvo users create-admin --username admin` to give it another one."
            )


def _complete(role: Role, operations: tuple[str, ...]) -> None:
    present = {row.artifact for row in role.permissions}
    for artifact in sorted(set(registry.current().artifacts()) - present):
        role.permissions.append(RolePermission(artifact=artifact, **{f"can_{name}": True for name in operations}))


SEEDS = [Seed(name="roles", run=seed_roles), Seed(name="development_admin", run=seed_development_admin)]
