"""`temporal scaler`: the same program, found and started by the Temporal CLI, which must be on PATH."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import Client

from scaler.cli.exits import Exit
from tests.support.command_line import PROGRAM, Ended

TEMPORAL = shutil.which("temporal")


@dataclass(frozen=True)
class Extension:
    """`temporal scaler …` in a namespace."""

    environment: dict[str, str]

    async def __call__(self, *arguments: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            str(TEMPORAL), *arguments, stdout=-1, stderr=-1, env=self.environment, stdin=asyncio.subprocess.DEVNULL
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return Ended(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def temporal(tmp_path: Path, temporal_client: Client) -> Extension:
    assert TEMPORAL is not None, "put the Temporal CLI (temporal, 1.6 or newer) on PATH"
    link = tmp_path / "temporal-scaler"
    link.symlink_to(PROGRAM)
    settings = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TEMPORAL_ADDRESS": temporal_client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": temporal_client.namespace,
    }
    return Extension(dict(os.environ) | settings)


async def test_commands_options_and_exit_statuses_come_through(temporal: Extension) -> None:
    listed = await temporal("scaler", "list", "--output", "json")
    unknown = await temporal("scaler", "status", "nobody", "--color", "never")
    helped = await temporal("scaler", "pause", "--help")
    elsewhere = await temporal("scaler", "list", "--address", "127.0.0.1:1")

    assert listed == Ended(0, "[]\n", "")
    assert unknown.status == Exit.NOT_FOUND
    assert unknown.err.startswith("there is no fleet nobody in namespace test-")
    assert helped.out.startswith("Usage: temporal-scaler pause")
    assert elsewhere.status == Exit.UNREACHABLE
