"""What a Temporal server says of itself and of a namespace, and what its refusals mean."""

from datetime import timedelta

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

_CALL_TIMEOUT = timedelta(seconds=5)


async def server_version(client: Client) -> str:
    """Ask the server what it is."""
    info = await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=_CALL_TIMEOUT)
    return info.server_version


async def see_namespace(client: Client) -> None:
    """Fail unless the client's namespace exists."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    await client.workflow_service.describe_namespace(request, timeout=_CALL_TIMEOUT)


def namespace_missing(error: RPCError) -> bool:
    """Tell an unknown namespace from other things that were not found."""
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)
