"""Registers a namespace, and waits until all services of the server serve it."""

import asyncio
from datetime import timedelta
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest,
    ListWorkflowExecutionsRequest,
    RegisterNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from scaler.cli.server_answers import namespace_missing

_CALL_TIMEOUT = timedelta(seconds=5)
_RETENTION = timedelta(days=3)
_KNOWN_SECONDS = 15
_LOOK_SECONDS = 0.1


async def open_namespace(client: Client) -> None:
    """Register the client's namespace, unless there is one of that name, and wait until all services serve it."""
    await _register(client)
    async with asyncio.timeout(_KNOWN_SECONDS):
        while True:
            try:
                return await _work(client)
            except RPCError as error:
                if not namespace_missing(error):
                    raise
                await asyncio.sleep(_LOOK_SECONDS)


async def _register(client: Client) -> None:
    request = RegisterNamespaceRequest(namespace=client.namespace)
    request.workflow_execution_retention_period.FromTimedelta(_RETENTION)
    try:
        await client.workflow_service.register_namespace(request, timeout=_CALL_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise


async def _work(client: Client) -> None:
    """Ask each service for something of the namespace, and leave nothing behind.

    Each keeps namespaces in a cache of its own, and joins in its own time after a start: visibility answers the
    list, matching the task queue, history the workflow (that there is none).
    """
    service, namespace, nothing = client.workflow_service, client.namespace, f"probe-{uuid4()}"
    listed = ListWorkflowExecutionsRequest(namespace=namespace, page_size=1)
    await service.list_workflow_executions(listed, timeout=_CALL_TIMEOUT)
    queue = DescribeTaskQueueRequest(namespace=namespace, task_queue=TaskQueue(name=nothing))
    await service.describe_task_queue(queue, timeout=_CALL_TIMEOUT)
    workflow = DescribeWorkflowExecutionRequest(namespace=namespace, execution=WorkflowExecution(workflow_id=nothing))
    try:
        await service.describe_workflow_execution(workflow, timeout=_CALL_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or namespace_missing(error):
            raise
