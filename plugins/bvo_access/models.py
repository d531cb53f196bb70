"""Users hold roles; roles hold permissions on artifacts."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bvo.database import Base, Timestamps


class UserRole(Base):
    """That a user holds a role."""

    __tablename__ = "user_roles"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"), primary_key=True, index=True)


class User(Base, Timestamps):
    """A person, or (`is_service`) an account of programs, which never logs in and acts by API tokens alone.

    `password_hash` is null for service accounts, and where another auth provider vouches for the user.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str | None] = mapped_column(unique=True)
    full_name: Mapped[str | None]
    organization: Mapped[str | None]
    job_title: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    is_service: Mapped[bool] = mapped_column(default=False, server_default=false())
    password_hash: Mapped[str | None]
    roles: Mapped[list[Role]] = relationship(secondary="user_roles", order_by="Role.id", lazy="selectin")

    @property
    def name(self) -> str:
        return self.username

    @property
    def role_ids(self) -> list[int]:
        return [role.id for role in self.roles]

    @property
    def is_admin(self) -> bool:
        return any(role.is_admin for role in self.roles)


CAN_LOG_IN = (User.is_active, User.is_service.is_(False))
"""For queries: people who are not disabled."""


class Role(Base, Timestamps):
    """A named set of permissions. A built-in role can't be changed; that with `is_admin` may do everything."""

    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    is_builtin: Mapped[bool] = mapped_column(default=False)
    is_admin: Mapped[bool] = mapped_column(default=False)
    permissions: Mapped[list[RolePermission]] = relationship(
        cascade="all, delete-orphan", order_by="RolePermission.artifact", lazy="selectin"
    )


class RolePermission(Base):
    """What a role may do with one artifact."""

    __tablename__ = "role_permissions"
    __table_args__ = (UniqueConstraint("role_id", "artifact"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"))
    artifact: Mapped[str]
    can_view: Mapped[bool] = mapped_column(default=False)
    can_create: Mapped[bool] = mapped_column(default=False)
    can_edit: Mapped[bool] = mapped_column(default=False)
    can_delete: Mapped[bool] = mapped_column(default=False)

    def granted(self) -> set[str]:
        """The permissions of this row, e.g. `{"jobs:view"}`."""
        return {
            f"{self.artifact}:{operation}"
            for operation in ("view", "create", "edit", "delete")
            if getattr(self, f"can_{operation}")
        }
