"""Where the Temporal server is, and who asks: as for the `temporal` command, from its environment or its profiles."""

from temporalio.envconfig import ClientConfig, ClientConnectConfig


def connection_settings() -> ClientConnectConfig:
    """Arguments for `Client.connect`; without any setting, a server on this machine."""
    return {"target_host": "localhost:7233", **ClientConfig.load_client_connect_config()}
