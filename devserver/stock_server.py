"""The stock Temporal server and Web UI as a self-hoster runs them: one process each, SQLite, loopback only.

Their versions and hashes stand in go/*/go.mod and go.sum; after a change of version there, `go mod tidy`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from devserver.go_program import GoProgram
from devserver.launch import LOOPBACK, Commands, Launch

_PINS = Path(__file__).parent / "go"

SERVER = GoProgram(
    title="Temporal server",
    name="temporal-server",
    module="go.temporal.io/server",
    package="go.temporal.io/server/cmd/server",
    pins=_PINS / "server",
    packages=1750,
    usually="5 to 6 minutes on two cores and 4 GB of disk",
)
WEB_UI = GoProgram(
    title="Temporal Web UI",
    name="temporal-web-ui",
    module="github.com/temporalio/ui-server/v2",
    package="github.com/temporalio/ui-server/v2/cmd/server",
    pins=_PINS / "web_ui",
    packages=130,
    usually="about a minute",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockServer:
    """The built programs."""

    server: Path
    web_ui: Path | None

    @property
    def title(self) -> str:
        """What it is, for a person."""
        return "built from its Go module"

    def commands(self, launch: Launch) -> Commands:
        """Write the configuration (JSON is YAML) and say how to run on it."""
        folder = launch.request.folder / "config"
        settings = {key: [{"value": value}] for key, value in launch.request.dynamic_config.items()}
        dynamic = _written(folder / "dynamic.yaml", settings)
        config = _written(folder / "server.yaml", _server_config(launch, dynamic))
        server = (str(self.server), "--config-file", str(config), "--allow-no-auth", "start")
        if self.web_ui is None:
            return Commands(server=server)
        shown = _written(folder / "web_ui" / "development.yaml", _web_ui_config(launch))
        return Commands(server=server, web_ui=(str(self.web_ui), "--root", "/", "--config", str(shown.parent), "start"))


def _written(path: Path, content: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def _server_config(launch: Launch, dynamic: Path) -> dict[str, Any]:
    """The server's own config/development-sqlite-file.yaml, without its ports for profiles and metrics."""
    http_port, *ports = launch.inner_ports
    rpc = [
        {"grpcPort": grpc, "membershipPort": membership, "bindOnLocalHost": True}
        for grpc, membership in zip((launch.port, *ports[:3]), ports[3:], strict=True)
    ]
    services = dict(zip(("frontend", "history", "matching", "worker"), rpc, strict=True))
    services["frontend"]["httpPort"] = http_port
    return {
        "log": {"stdout": True, "level": "warn"},
        "persistence": {
            "defaultStore": "default",
            "visibilityStore": "visibility",
            "numHistoryShards": 1,
            "datastores": {name: {"sql": _sqlite(launch)} for name in ("default", "visibility")},
        },
        "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": LOOPBACK}},
        "services": {name: {"rpc": rpc} for name, rpc in services.items()},
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": "active",
            "currentClusterName": "active",
            "clusterInformation": {
                "active": {
                    "enabled": True,
                    "initialFailoverVersion": 1,
                    "rpcName": "frontend",
                    "rpcAddress": launch.address,
                    "httpAddress": f"{LOOPBACK}:{http_port}",
                }
            },
        },
        "dcRedirectionPolicy": {"policy": "noop"},
        "dynamicConfigClient": {"filepath": str(dynamic), "pollInterval": "10s"},
    }


def _sqlite(launch: Launch) -> dict[str, Any]:
    return {
        "pluginName": "sqlite",
        "databaseName": quote(str(launch.request.folder / "temporal.db")),
        "connectAddr": "localhost",
        "connectProtocol": "tcp",
        "connectAttributes": {"cache": "private", "setup": "true", "journal_mode": "wal", "synchronous": "2"},
        "maxConns": 1,
        "maxIdleConns": 1,
        "maxConnLifetime": "1h",
    }


def _web_ui_config(launch: Launch) -> dict[str, Any]:
    return {
        "temporalGrpcAddress": launch.address,
        "host": LOOPBACK,
        "port": launch.web_ui_port,
        "enableUi": True,
        "cors": {"allowOrigins": [launch.web_ui_url]},
        "defaultNamespace": launch.request.namespace,
    }
