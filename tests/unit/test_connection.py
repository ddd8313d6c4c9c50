"""Where a client connects to, as whom, and what is never told."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.service import TLSConfig

from scaler.cli.connection import Settings, connection_settings, open_client
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.options import Connection

SECRET = "do-not-tell-anybody"  # noqa: S105 (it is none)
PROFILES = """
[profile.default]
address = "from-profile:7233"
namespace = "profiled"

[profile.cloud]
address = "${namespace}.example:7233"
namespace = "payments"
api_key = "key-of-the-profile"
"""


def settings(options: Connection | None = None, **environment: str) -> Settings:
    return connection_settings(options or Connection(disable_config_file=True), environment)


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    file = tmp_path / "temporal.toml"
    file.write_text(PROFILES)
    return file


def test_without_any_setting_it_is_a_server_on_this_machine() -> None:
    assert settings().connect == {"target_host": "localhost:7233", "namespace": "default"}


def test_an_option_outranks_a_variable_which_outranks_the_profile(profiles: Path) -> None:
    variable = {"TEMPORAL_ADDRESS": "from-variable:7233"}

    by_option = settings(Connection(config_file=profiles, address="from-option:7233"), **variable)
    by_variable = settings(Connection(config_file=profiles), **variable)
    by_profile = settings(Connection(config_file=profiles))

    assert by_option.connect["target_host"] == "from-option:7233"
    assert by_variable.connect["target_host"] == "from-variable:7233"
    assert by_profile.connect == {"target_host": "from-profile:7233", "namespace": "profiled"}
    assert "--address" in by_option.remedy
    assert "TEMPORAL_ADDRESS" in by_variable.remedy
    assert "the profile" in by_profile.remedy


def test_variables_and_files_can_be_left_out(profiles: Path) -> None:
    variables = {"TEMPORAL_ADDRESS": "from-variable:7233", "TEMPORAL_CONFIG_FILE": str(profiles)}

    without_variables = settings(Connection(disable_config_env=True), **variables)
    without_either = settings(Connection(disable_config_env=True, disable_config_file=True), **variables)

    assert without_variables.connect["target_host"] == "from-profile:7233"
    assert without_either.connect["target_host"] == "localhost:7233"


def test_a_profile_may_name_its_namespace_in_its_address(profiles: Path) -> None:
    named = settings(Connection(config_file=profiles, profile="cloud")).connect

    assert named["target_host"] == "payments.example:7233"
    assert named["api_key"] == "key-of-the-profile"
    assert named["tls"] is True


def test_certificates_are_read_from_their_files(tmp_path: Path) -> None:
    for name in ("cert", "key", "ca"):
        (tmp_path / name).write_text(name)
    options = Connection(
        disable_config_file=True,
        tls_cert_path=tmp_path / "cert",
        tls_key_path=tmp_path / "key",
        tls_ca_path=tmp_path / "ca",
        tls_server_name="temporal.example",
    )

    assert settings(options).connect["tls"] == TLSConfig(
        client_cert=b"cert", client_private_key=b"key", server_root_ca_cert=b"ca", domain="temporal.example"
    )


def test_encryption_can_be_switched_off_although_there_is_a_key() -> None:
    options = Connection(disable_config_file=True, tls=False, api_key=SECRET)

    assert settings(options).connect["tls"] is False


def test_metadata_of_options_joins_that_of_variables() -> None:
    options = Connection(disable_config_file=True, grpc_meta=("a=b", "c=d=e"))

    assert settings(options, TEMPORAL_GRPC_META_TEAM="x").connect["rpc_metadata"] == {"team": "x", "a": "b", "c": "d=e"}


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ({"profile": "nope"}, {}, "Profile 'nope' not found"),
        ({"config_file": Path("nowhere.toml")}, {}, "--config-file: there is no file nowhere.toml"),
        ({"grpc_meta": ("=x",)}, {}, "--grpc-meta must be KEY=VALUE"),
        ({"tls_ca_path": Path("nowhere.pem")}, {}, "can't read nowhere.pem: No such file"),
        ({"tls_disable_host_verification": True}, {}, "always verifies the server's certificate"),
        ({}, {"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION": "true"}, "always verifies the server's certificate"),
    ],
)
def test_a_setting_that_can_not_be_used_is_told(
    options: dict[str, Any], environment: dict[str, str], expected: str
) -> None:
    with pytest.raises(CommandFailed, match=expected) as failed:
        settings(Connection(**options), **environment)

    assert failed.value.status is Exit.USAGE


def test_a_broken_configuration_file_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(f'[profile.default]\napi_key = "{SECRET}\n')

    with pytest.raises(CommandFailed, match="line 2") as failed:
        settings(Connection(config_file=file))

    assert SECRET not in str(failed.value)
    assert failed.value.__cause__ is None


def test_options_do_not_show_secrets() -> None:
    assert SECRET not in repr(Connection(api_key=SECRET, grpc_meta=(f"authorization={SECRET}",)))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"address": "127.0.0.1:1"}, "no Temporal server at 127.0.0.1:1: nothing listens there"),
        ({"address": "nowhere.invalid:7233"}, "no Temporal server at nowhere.invalid:7233: "),
        ({"address": "two words"}, "no Temporal server at two words: "),
        ({"address": "127.0.0.1:1", "grpc_meta": (f"Bad Key={SECRET}",)}, "no Temporal server at 127.0.0.1:1: "),
    ],
)
async def test_a_server_that_can_not_be_reached_is_told_in_two_lines(options: dict[str, Any], expected: str) -> None:
    asked = Connection(disable_config_file=True, **options)

    with pytest.raises(CommandFailed) as failed:
        await open_client(settings(asked), asked)

    assert str(failed.value).startswith(expected)
    assert str(failed.value).count("\n") == 1
    assert SECRET not in str(failed.value)
    assert failed.value.status is Exit.UNREACHABLE
