"""A Temporal server that the user named: looked at, never changed."""

import asyncio

from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig
from temporalio.service import RPCError

from devserver.request import TemporalServerError
from devserver.server import Server
from scaler.cli.server_answers import namespace_missing, see_namespace, server_version

_ANSWER_SECONDS = 10


async def existing_server(connect: ClientConnectConfig) -> Server:
    """Check that it answers and that its namespace is there."""
    address = connect.get("target_host", "localhost:7233")
    namespace = connect.get("namespace", "default")
    settings: ClientConnectConfig = {**connect, "target_host": address, "namespace": namespace}
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            client = await Client.connect(**settings)
            version = await server_version(client)
            await see_namespace(client)
    except TimeoutError:
        raise TemporalServerError(f"No answer from {address} within {_ANSWER_SECONDS} s.\n{_REMEDY}") from None
    except RuntimeError as error:
        raise TemporalServerError(f"No Temporal server could be reached at {address}: {error}\n{_REMEDY}") from error
    except RPCError as error:
        if namespace_missing(error):
            raise TemporalServerError(
                f"The Temporal server at {address} has no namespace {namespace}.\n"
                f"Make it with: temporal operator namespace create --namespace {namespace}"
            ) from error
        raise TemporalServerError(
            f"The Temporal server at {address} refuses: {error.message}\n"
            f"Check the credentials for namespace {namespace}."
        ) from error
    return Server(address=address, namespace=namespace, version=version)


_REMEDY = "Check the address and the TLS settings, or name no address to have a server started here."
