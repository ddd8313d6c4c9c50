"""What a controller's named connections become."""

from scaler.cli.composition import named_connection
from scaler.cli.configuration import ConnectionConfiguration
from scaler.cli.options import Connection

OWN = Connection(address="own:7233", namespace="own", api_key="of-our-own")


def test_a_connection_without_a_profile_is_our_own_with_another_place() -> None:
    named = named_connection(OWN, ConnectionConfiguration(namespace="billing"))

    assert (named.address, named.namespace, named.api_key) == ("own:7233", "billing", "of-our-own")
    assert not named.disable_config_env


def test_a_connection_with_a_profile_takes_nothing_of_our_own() -> None:
    """Neither our key nor the variables that say where we are may end up at another server."""
    named = named_connection(OWN, ConnectionConfiguration(profile="billing", namespace="invoices"))

    assert (named.profile, named.address, named.namespace, named.api_key) == ("billing", None, "invoices", None)
    assert named.disable_config_env
