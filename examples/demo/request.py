"""What is asked of a demo."""

from dataclasses import dataclass

from temporalio.envconfig import ClientConnectConfig

from examples.demo.folder import Folder
from scaler.cli.options import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """From which seed, on which server, and how it is told."""

    folder: Folder
    seed: int
    address: str | None  # None: a server of the demo's own
    namespace: str
    output: Output

    @property
    def existing(self) -> ClientConnectConfig | None:
        """The server that was named."""
        return None if self.address is None else {"target_host": self.address, "namespace": self.namespace}
