"""Lets the SDK download its dev server into a folder, the only way it offers: by starting one, which is ended at once.

Used as `python sdk_download.py FOLDER`: inside our own process a download that hangs could not be taken back.
"""

import asyncio
import sys

from temporalio.testing import WorkflowEnvironment


async def download(folder: str) -> None:
    """Have the dev server's program in the folder, downloaded unless it is there."""
    server = await WorkflowEnvironment.start_local(download_dest_dir=folder)
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(download(sys.argv[1]))
