"""What an operator sets before the start, and what is said where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bvo.config import Config, Environment, environment, require
from bvo.errors import StartupError

KEY = "k" * 32


@pytest.fixture(autouse=True)
def _data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_DATA_DIR", str(tmp_path / "data"))


def refused(**values: object) -> str:
    """The message with which a configuration is refused."""
    with pytest.raises(StartupError) as caught:
        Config.load(values)
    return str(caught.value)


def test_everything_has_a_default_that_works(tmp_path: Path) -> None:
    config = Config.load()
    assert config.development
    assert config.database_url == f"sqlite:///{tmp_path}/data/bvo.db"
    assert config.package_stores == ("folder",)
    assert config.disabled_plugins == config.required_plugins == frozenset()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_without_a_setting_the_data_lie_in_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BVO_DATA_DIR")
    monkeypatch.chdir(tmp_path)
    assert Config.load().data_dir == tmp_path / "bvo-data"


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_ENV", "production")
    monkeypatch.setenv("BVO_DISABLED_PLUGINS", " jobs, ,robots")
    config = Config.load({"BVO_ENV": "development"})
    assert config.env == "development"
    assert config.disabled_plugins == {"jobs", "robots"}


def test_an_empty_value_counts_as_none() -> None:
    config = Config.load({"BVO_ENV": "", "BVO_PACKAGE_STORE": " ,"})
    assert (config.env, config.package_stores) == ("development", ("folder",))


def test_stores_keep_their_order() -> None:
    assert Config.load({"BVO_PACKAGE_STORE": "s3, folder,s3"}).package_stores == ("s3", "folder")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_spelling_of_postgresql_uses_psycopg(scheme: str) -> None:
    config = Config.load({"BVO_DATABASE_URL": f"{scheme}://u:p@db/bvo"})
    assert config.database_url == "postgresql+psycopg://u:p@db/bvo"


def test_the_usual_database_url_of_hosters_is_read_where_ours_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://theirs/db")
    assert Config.load().database_url == "postgresql+psycopg://theirs/db"
    assert Config.load({"BVO_DATABASE_URL": "sqlite:///ours.db"}).database_url == "sqlite:///ours.db"


def test_secrets_may_lie_in_files(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@db/bvo\n")
    (tmp_path / "key").write_text(f"{KEY}\n")
    config = Config.load({"BVO_DATABASE_URL_FILE": tmp_path / "url", "BVO_SECRET_KEY_FILE": tmp_path / "key"})
    assert config.database_url == "postgresql+psycopg://u:p@db/bvo"
    assert config.secret_key == KEY


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    message = refused(BVO_SECRET_KEY_FILE=tmp_path / "nowhere")
    assert "BVO_SECRET_KEY_FILE" in message
    assert str(tmp_path / "nowhere") in message


def test_an_empty_secret_file_is_refused_and_does_not_mean_another_database(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("\n")
    assert "BVO_DATABASE_URL_FILE" in refused(BVO_DATABASE_URL_FILE=tmp_path / "url")


def test_an_unknown_environment_is_refused_with_the_known_ones() -> None:
    assert refused(BVO_ENV="staging") == "BVO_ENV is 'staging': use development or production."


@pytest.mark.parametrize("url", ["mysql://u:geheim@db/bvo", "u:geheim@db", "geheim"])
def test_another_database_is_refused_without_its_url(url: str) -> None:
    message = refused(BVO_DATABASE_URL=url)
    assert "postgresql:// or sqlite:///" in message
    assert "geheim" not in message


def test_a_secret_key_is_made_once_readable_for_its_owner_alone(tmp_path: Path) -> None:
    first, second = Config.load().secret_key, Config.load().secret_key
    assert first == second
    assert len(first) >= 32
    assert (tmp_path / "data/secret_key").stat().st_mode & 0o777 == 0o600


def test_a_short_secret_key_is_refused_without_showing_it() -> None:
    message = refused(BVO_SECRET_KEY="geheim" * 3)
    assert "secrets.token_urlsafe" in message
    assert "geheim" not in message


def test_a_data_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = refused(BVO_DATA_DIR=tmp_path / "file/data")
    assert str(tmp_path / "file/data") in message
    assert "Set BVO_DATA_DIR" in message


def test_a_data_folder_of_an_unknown_user_is_refused() -> None:
    assert "BVO_DATA_DIR" in refused(BVO_DATA_DIR="~nobody-of-this-name/data")


def test_a_data_folder_that_is_not_writable_is_named() -> None:
    message = refused(BVO_DATA_DIR="/proc/self")  # not even for root
    assert message.startswith("The data folder /proc/")
    assert "is not writable" in message


def test_a_secret_key_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "data/secret_key").mkdir(parents=True)
    assert refused().startswith(f"The key {tmp_path}/data/secret_key can't be read")


def test_an_empty_secret_key_file_is_named_and_not_the_variable(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/secret_key").touch()
    assert refused().startswith(f"The key {tmp_path}/data/secret_key is empty")


def test_a_plugin_reads_its_variables_as_they_are_now(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.text("BVO_HOLIDAYS_REGION", "BY") == "BY"
    monkeypatch.setenv("BVO_HOLIDAYS_REGION", " HE ")
    assert environment.text("BVO_HOLIDAYS_REGION", "BY") == "HE"


@pytest.mark.parametrize("text", ["0", "11", "-1", "1.5", "ten", "\u0663", "9" * 5000])
def test_a_number_that_can_not_be_used_is_refused_with_what_can(text: str) -> None:
    values = Environment({"BVO_HOLIDAYS_DAYS": text})
    with pytest.raises(StartupError, match=r"^BVO_HOLIDAYS_DAYS is '.+': use a whole number from 1 to 10, e.g. 3\.$"):
        values.number("BVO_HOLIDAYS_DAYS", 3, least=1, most=10)


def test_a_number_is_the_default_where_none_is_given() -> None:
    assert Environment({"A": " "}).number("A", 3, most=10) == 3
    assert Environment({"A": "10"}).number("A", 3, most=10) == 10


def test_a_library_that_is_not_installed_is_named_with_its_extra() -> None:
    require("flask", extra="web", by="All of it")
    with pytest.raises(StartupError) as caught:
        require("no_such_library", extra="none", by="BVO_NONE")
    assert str(caught.value) == (
        "BVO_NONE needs the library no_such_library, which is not installed: pip install 'bv-orchestrator[none]'."
    )
