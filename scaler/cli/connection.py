"""Reaches a Temporal server as the temporal command does, and says in a line or two why it can't be reached.

Credentials come from options, TEMPORAL_* variables and profiles; none is ever printed.
"""

import asyncio
import getpass
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile, ClientConfigTLS, ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode

from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.options import Connection
from scaler.cli.server_answers import namespace_missing
from scaler.cli.words import first_line
from workflows.payloads import DATA_CONVERTER

DEFAULT_ADDRESS = "localhost:7233"
DEFAULT_NAMESPACE = "default"
UNVERIFIED = "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"

_REASONS = {
    "ConnectionRefused": "nothing listens there",
    "dns error": "there is no host of that name",
    "timed out": "no answer in time",
    "InvalidContentType": "it does not speak TLS",
    "UnknownIssuer": "its certificate is signed by nobody who is trusted",
    "NotValidForName": "its certificate is for another name",
    "CertificateRequired": "it wants a client certificate",
    "BrokenPipe": "it closed the connection; it may want TLS",
    "ConnectionReset": "it closed the connection; it may want TLS",
    "h2 protocol error": "it does not speak gRPC; it may want TLS",
    "Unauthenticated": "it does not take these credentials",
    "Unauthorized": "it does not take these credentials",
    "PermissionDenied": "these credentials do not suffice",
    "Invalid headers": "an API key or --grpc-meta holds a character that can't be sent",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client is made of, and what to do where that can't be reached."""

    connect: ClientConnectConfig
    remedy: str

    @property
    def place(self) -> str:
        """Server and namespace, for a message."""
        return f"{self.connect['target_host']} (namespace {self.connect['namespace']})"


def connection_settings(options: Connection, environment: Mapping[str, str]) -> Settings:
    """Options outrank variables, variables outrank the profile."""
    _refuse_unverified(options, environment)
    profile = _with_options(_profile(options, environment), options)
    try:
        settings = profile.to_client_connect_config()
    except OSError as error:
        message = f"can't read {error.filename}: {error.strerror}"
        raise CommandFailed(Exit.USAGE, message, "Check the paths of the TLS certificates and the key.") from error
    namespace = settings.get("namespace") or DEFAULT_NAMESPACE
    address = settings.get("target_host") or DEFAULT_ADDRESS
    if "://" in address:
        raise CommandFailed(
            Exit.USAGE,
            f"the address of a Temporal server is HOST:PORT, found {address}",
            "Leave the scheme away, and add --tls where the server wants TLS.",
        )
    connect: ClientConnectConfig = {
        **settings,
        "target_host": address.replace("${namespace}", namespace),
        "namespace": namespace,
    }
    return Settings(connect, _remedy(options, environment, profile))


async def open_client(settings: Settings, options: Connection, identity: str | None = None) -> Client:
    """A client whose server answered; CommandFailed with the remedy otherwise."""
    seconds = options.client_connect_timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            return await Client.connect(**settings.connect, data_converter=DATA_CONVERTER, identity=identity)
    except TimeoutError:
        raise _unreachable(settings, f"no answer within {seconds:g} s") from None
    except (RuntimeError, ValueError) as error:
        raise _unreachable(settings, _reason(str(error))) from error


async def later_client(settings: Settings) -> Client:
    """A client that connects when it is first used; until then nothing is known of its server."""
    return await Client.connect(**settings.connect, data_converter=DATA_CONVERTER, lazy=True)


async def namespace_id(client: Client) -> str:
    """What tells the client's namespace from one of its name on another server; empty where it can't be read."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        answer = await client.workflow_service.describe_namespace(request, timeout=timedelta(seconds=5))
    except RPCError:
        return ""
    return answer.namespace_info.id


@asynccontextmanager
async def connected(options: Connection) -> AsyncIterator[Client]:
    """A client for one command; what the server refuses comes out in words."""
    settings = connection_settings(options, os.environ)
    try:
        yield await open_client(settings, options, _whoever_asks())
    except RPCError as error:
        raise in_words(error, settings) from error


def in_words(error: RPCError, settings: Settings) -> CommandFailed:
    """What a server's refusal means to whoever asked."""
    if namespace_missing(error):
        return CommandFailed(
            Exit.UNREACHABLE,
            f"the Temporal server at {settings.connect['target_host']} "
            f"has no namespace {settings.connect['namespace']}",
            "Check --namespace or TEMPORAL_NAMESPACE; temporal operator namespace list shows all.",
        )
    if error.status in (RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED):
        return CommandFailed(
            Exit.UNREACHABLE,
            f"{settings.place} refuses these credentials: {first_line(error.message)}",
            "Check --api-key, TEMPORAL_API_KEY or the client certificate, and what they are allowed to do.",
        )
    if error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
        return _unreachable(settings, first_line(error.message) or "no answer in time")
    if error.status is RPCStatusCode.RESOURCE_EXHAUSTED:
        return CommandFailed(Exit.UNCONFIRMED, f"{settings.place} is over its limit", "Try again in a while.")
    return CommandFailed(Exit.REFUSED, f"{settings.place} refuses: {first_line(error.message)}")


def _profile(options: Connection, environment: Mapping[str, str]) -> ClientConfigProfile:
    if options.disable_config_file and options.disable_config_env:
        return ClientConfigProfile()
    file = options.config_file
    if file is not None and not file.is_file():
        raise CommandFailed(Exit.USAGE, f"--config-file: there is no file {file}")
    if file is None and options.disable_config_env and (named := environment.get("TEMPORAL_CONFIG_FILE")):
        file = Path(named)
    try:
        return ClientConfigProfile.load(
            profile=options.profile,
            config_source=None if options.disable_config_file else file,
            disable_file=options.disable_config_file,
            disable_env=options.disable_config_env,
            override_env_vars=dict(environment),
        )
    except Exception as error:  # noqa: BLE001 (the SDK's own ConfigError can't be imported)
        # Its middle lines quote the file, which may hold an API key.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        words = lines[0] if len(lines) == 1 else f"{lines[0]}: {lines[-1]}"
        raise CommandFailed(
            Exit.USAGE,
            f"the Temporal configuration can't be used: {words}",
            "Check --profile and --config-file, or TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE.",
        ) from None


def _with_options(profile: ClientConfigProfile, options: Connection) -> ClientConfigProfile:
    return replace(
        profile,
        address=options.address or profile.address,
        namespace=options.namespace or profile.namespace,
        api_key=options.api_key or profile.api_key,
        tls=_tls(profile.tls, options),
        grpc_meta={**profile.grpc_meta, **dict(map(_pair, options.grpc_meta))},
    )


def _tls(tls: ClientConfigTLS | None, options: Connection) -> ClientConfigTLS | None:
    if options.tls is False:
        return ClientConfigTLS(disabled=True)
    given = (options.tls_cert_path, options.tls_key_path, options.tls_ca_path, options.tls_server_name)
    if options.tls is None and not any(given):
        return tls
    base = tls or ClientConfigTLS()
    return ClientConfigTLS(
        disabled=False,
        server_name=options.tls_server_name or base.server_name,
        server_root_ca_cert=options.tls_ca_path or base.server_root_ca_cert,
        client_cert=options.tls_cert_path or base.client_cert,
        client_private_key=options.tls_key_path or base.client_private_key,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandFailed(Exit.USAGE, "--grpc-meta must be KEY=VALUE")
    return name, value


def _refuse_unverified(options: Connection, environment: Mapping[str, str]) -> None:
    variable = "" if options.disable_config_env else environment.get(UNVERIFIED, "")
    if options.tls_disable_host_verification or variable.lower() in ("1", "true"):
        raise CommandFailed(
            Exit.USAGE,
            "the SDK always verifies the server's certificate; it can't be told not to",
            "Name its authority with --tls-ca-path and, for another name, --tls-server-name.",
        )


def _remedy(options: Connection, environment: Mapping[str, str], profile: ClientConfigProfile) -> str:
    """Whoever wonders why it is this address is told where it came from."""
    if options.address:
        source = "--address"
    elif not options.disable_config_env and environment.get("TEMPORAL_ADDRESS"):
        source = "TEMPORAL_ADDRESS"
    elif profile.address:
        source = "the profile"
    else:
        return "No address was given, so it is the default: name one with --address or TEMPORAL_ADDRESS."
    return f"The address is from {source}; check it, and the TLS settings."


def _unreachable(settings: Settings, reason: str) -> CommandFailed:
    return CommandFailed(
        Exit.UNREACHABLE,
        f"no Temporal server at {settings.connect['target_host']}: {reason}",
        settings.remedy,
    )


def _reason(message: str) -> str:
    words = next((words for sign, words in _REASONS.items() if sign.lower() in message.lower()), None)
    return words or first_line(message.removeprefix("Failed client connect: "))


def _whoever_asks() -> str:
    """What a fleet's history shows beside each update: who sent it."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = str(os.getuid())
    return f"temporal-scaler:{user}@{socket.gethostname()}"
