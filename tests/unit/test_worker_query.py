"""What is asked of a list of workers: those of some queues, and all on the hosts where these run."""

from activities.sources.worker_query import conditions


def test_queues_and_the_hosts_of_each_are_asked_for() -> None:
    asked = conditions(["orders", "mails"], [frozenset({"box-1", "box-2"}), frozenset()])

    assert asked == "TaskQueue = 'mails' OR TaskQueue = 'orders' OR HostName = 'box-1' OR HostName = 'box-2'"


def test_the_hosts_of_many_pods_are_asked_for_by_what_they_have_in_common() -> None:
    pods = frozenset(f"agents-7d9f-{number}" for number in range(1000))

    assert conditions(["orders"], [pods]) == "TaskQueue = 'orders' OR HostName starts_with 'agents-7d9f-'"


def test_many_hosts_that_have_nothing_in_common_are_not_asked_for() -> None:
    hosts = frozenset({"alpha", "beta", "gamma", "delta", "epsilon"})

    assert conditions(["orders"], [hosts]) == "TaskQueue = 'orders'"


def test_of_a_name_with_a_quote_only_what_comes_before_is_compared() -> None:
    assert conditions(["it's"], [frozenset({'a"b'})]) == "TaskQueue starts_with 'it' OR HostName starts_with 'a'"
