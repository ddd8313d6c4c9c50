"""Makes a controller's parts from its configuration: clients, sources and the targets that it may touch."""

import os
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from temporalio.client import Client

from activities.targets.contract import Target
from activities.targets.local import LocalGroup, LocalTarget
from activities.targets.recorder import RecorderTarget
from activities.targets.supervisor.client import ask_or_start
from activities.targets.supervisor.unattended import ask_or_read
from activities.targets.supervisor.wanted import BackOff, Supervision
from scaler.cli.announced_target import AnnouncedTarget
from scaler.cli.configuration import Configuration, ConnectionConfiguration, LocalTargetConfiguration
from scaler.cli.connection import connection_settings, later_client, namespace_id, open_client
from scaler.cli.controller import OwnerLiveness, Parts, signal_source
from scaler.cli.options import Connection
from scaler.fleet import TargetKind
from workflows.messages import DRY_RUN_TASK_QUEUE, TASK_QUEUE


async def parts_of(configuration: Configuration, connection: Connection, *, dry_run: bool) -> Parts:
    """All that a controller is made of; in dry run every target only records."""
    client = await open_client(connection_settings(connection, os.environ), connection)
    clients: dict[str | None, Client] = {None: client}
    for name, named in configuration.connections.items():
        options = named_connection(connection, named)
        # One that can't be reached is its own fleets' fault, and keeps no other from being served.
        clients[name] = await later_client(connection_settings(options, os.environ))
    cluster = await namespace_id(client)
    local = _local_target(configuration, client, OwnerLiveness(client, cluster), dry_run=dry_run)
    targets: Mapping[TargetKind, Target] = {TargetKind.LOCAL: local}
    if dry_run:
        targets = {kind: RecorderTarget(target) for kind, target in targets.items()}
    return Parts(
        client=client,
        task_queue=DRY_RUN_TASK_QUEUE if dry_run else TASK_QUEUE,
        targets=targets,
        signals=signal_source(clients, configuration.calls_per_second),
        cluster=cluster,
        host=configuration.host,
    )


def named_connection(own: Connection, named: ConnectionConfiguration) -> Connection:
    """A connection of the configuration. One with a profile stands for itself; else what it leaves out is our own."""
    if named.profile is None:
        return replace(own, address=named.address or own.address, namespace=named.namespace or own.namespace)
    return Connection(
        profile=named.profile,
        config_file=own.config_file,
        disable_config_env=True,  # TEMPORAL_ADDRESS and the like are about the controller's own connection
        client_connect_timeout=own.client_connect_timeout,
        address=named.address,
        namespace=named.namespace,
    )


def _local_target(configuration: Configuration, client: Client, liveness: OwnerLiveness, *, dry_run: bool) -> Target:
    groups = {name: local_group(group) for name, group in configuration.targets.local.items()}
    state_directory = configuration.state_directory / quote(client.namespace, safe="").replace(".", "%2E")
    reach = ask_or_read if dry_run else ask_or_start
    target = LocalTarget(groups, state_directory, liveness.lives, reach)
    return AnnouncedTarget(target, target.log_directory)


def local_group(configured: LocalTargetConfiguration) -> LocalGroup:
    """What a supervisor runs, from what stands in the configuration."""
    back_off = BackOff(initial_seconds=configured.restart_back_off.total_seconds())
    return LocalGroup(
        command=configured.command,
        directory=configured.directory,
        environment=configured.environment,
        memory_limit_bytes=configured.memory_limit,
        supervision=Supervision(back_off=back_off, ready_after_seconds=configured.ready_after.total_seconds()),
    )
