"""The `temporal` command line in its dev mode, from PATH or as the SDK downloads it."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from temporalio.service import __version__ as sdk_version

from devserver import sdk_download
from devserver.commands import answer, version_after
from devserver.kept_program import Command, KeptProgram
from devserver.launch import LOOPBACK, Commands, Launch
from devserver.progress import Progress
from devserver.request import Machine, SourceUnavailableError

OLDEST = (1, 6)
"""The first whose server reports worker heartbeats without being asked to."""
DOWNLOAD_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServer:
    """A command line that is new enough."""

    cli: Path

    @property
    def title(self) -> str:
        """What it is, for a person."""
        return f"started by {self.cli}"

    def commands(self, launch: Launch) -> Commands:
        """One process serves everything."""
        request = launch.request
        web_ui = ("--ui-port", str(launch.web_ui_port)) if request.web_ui else ("--headless",)
        settings = (f"{key}={json.dumps(value)}" for key, value in request.dynamic_config.items())
        return Commands(
            server=(
                *(str(self.cli), "server", "start-dev", "--ip", LOOPBACK, "--port", str(launch.port)),
                *("--db-filename", str(request.folder / "temporal.db"), "--namespace", request.namespace),
                *("--log-level", "warn", *web_ui),
                *(part for setting in settings for part in ("--dynamic-config-value", setting)),
            ),
            web_ui_included=request.web_ui,
        )


async def dev_server_on_path(machine: Machine) -> DevServer:
    """Find a `temporal` that is new enough."""
    cli = shutil.which("temporal", path=machine.environment.get("PATH", ""))
    if cli is None:
        raise SourceUnavailableError("There is no temporal command on PATH.")
    return await _new_enough(Path(cli), machine)


async def dev_server_downloaded(machine: Machine, progress: Progress) -> DevServer:
    """Let the SDK download a `temporal`, unless it did before."""
    folder = machine.cache / f"temporal-cli-of-sdk-{sdk_version}"
    folder.mkdir(parents=True, exist_ok=True)
    if (kept := _downloaded_in(folder)) is None:
        async with progress.wait(f"Asking the Temporal SDK to download its dev server ({DOWNLOAD_SECONDS} s at most)."):
            await _download(folder, machine)
            if (kept := _downloaded_in(folder)) is None:
                raise SourceUnavailableError("The Temporal SDK could not download its dev server.")
    return await _new_enough(kept, machine)


async def _download(folder: Path, machine: Machine) -> None:
    download = await KeptProgram.start(
        Command(
            arguments=(sys.executable, "-I", sdk_download.__file__, str(folder)),
            log=folder / "download.log",
            environment=machine.environment,
        )
    )
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DOWNLOAD_SECONDS):
                await download.wait()
    finally:
        await download.stop()


def _downloaded_in(folder: Path) -> Path | None:
    """The SDK downloads beside the final place and renames what is whole."""
    whole = (file for file in folder.iterdir() if file.suffix != ".downloading" and os.access(file, os.X_OK))
    return next(whole, None)


async def _new_enough(cli: Path, machine: Machine) -> DevServer:
    version = cli_version(await answer((str(cli), "--version"), machine.without_temporal_settings()))
    if version is None:
        raise SourceUnavailableError(f"{cli} does not say which version of the temporal command it is.")
    if version < OLDEST:
        found, oldest = (".".join(map(str, numbers)) for numbers in (version, OLDEST))
        raise SourceUnavailableError(f"{cli} is version {found}; {oldest} or newer is needed.")
    return DevServer(cli=cli)


def cli_version(said: str) -> tuple[int, ...] | None:
    """Read what `temporal --version` prints: `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`."""
    return version_after("temporal version", said)
