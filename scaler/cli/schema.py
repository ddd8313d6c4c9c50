"""`schema`: the JSON Schemas of fleet files and configuration files, for editors and for checks elsewhere."""

import json
import sys
from enum import StrEnum

from scaler.cli.schemas import configuration_schema, fleet_file_schema


class Kind(StrEnum):
    """What people write by hand."""

    FLEET = "fleet"
    CONFIGURATION = "configuration"


def schema(kind: Kind = Kind.FLEET, /) -> None:
    """Print a JSON Schema.

    Args:
        kind: Of fleet files, or of the controller's configuration.

    """
    sys.stdout.write(schema_text(kind))


def schema_text(kind: Kind) -> str:
    """The schema as its file in deploy/ has it."""
    made = {Kind.FLEET: fleet_file_schema, Kind.CONFIGURATION: configuration_schema}[kind]()
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
