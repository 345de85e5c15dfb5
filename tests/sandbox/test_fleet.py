"""The simulated EC2 variant of the API server: an Auto Scaling group, instance refresh, and commands over SSM."""

from collections.abc import Iterator
from typing import Any

import pytest

from novaops.sandbox.aws import fleet, ssm
from tests.sandbox.simulated_aws import Clock, client, fresh_world, refused, served

NAME = {"AutoScalingGroupName": "nova-api"}
RESTART = "sudo systemctl restart nova-api"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    fleet.install()
    ssm.install()
    with served() as address:
        yield address


@pytest.fixture
def clock() -> Iterator[Clock]:
    with fresh_world() as clock:
        fleet.reset()
        ssm.reset()
        fleet.seed()
        yield clock
    fleet.reset()
    ssm.reset()


@pytest.fixture
def scaling(address: str, clock: Clock) -> Any:
    return client("autoscaling", address)


@pytest.fixture
def commands(address: str, clock: Clock) -> Any:
    return client("ssm", address)


def instances(scaling: Any) -> dict[str, str]:
    found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["nova-api"])["AutoScalingGroups"][0]
    return {instance["InstanceId"]: instance["LifecycleState"] for instance in found["Instances"]}


def send(commands: Any, scaling: Any, *lines: str) -> tuple[str, list[str]]:
    names = list(instances(scaling))
    answer = commands.send_command(
        DocumentName="AWS-RunShellScript", InstanceIds=names, Parameters={"commands": list(lines)}
    )
    assert answer["Command"]["Status"] == "Pending"
    return answer["Command"]["CommandId"], names


def refresh(scaling: Any) -> Any:
    return scaling.describe_instance_refreshes(**NAME)["InstanceRefreshes"][0]


@pytest.mark.parametrize(("wanted", "bound"), [(7, "above max value 6"), (1, "below min value 2")])
def test_it_refuses_a_capacity_outside_its_bounds(scaling: Any, wanted: int, bound: str) -> None:
    assert bound in refused("ValidationError", scaling.set_desired_capacity, **NAME, DesiredCapacity=wanted)
    assert len(instances(scaling)) == 2


def test_new_instances_take_a_minute_to_serve(scaling: Any, clock: Clock) -> None:
    scaling.set_desired_capacity(**NAME, DesiredCapacity=4)
    assert sorted(instances(scaling).values()) == ["InService", "InService", "Pending", "Pending"]
    clock.passes(60)
    assert list(instances(scaling).values()) == ["InService"] * 4
    scaling.set_desired_capacity(**NAME, DesiredCapacity=2)
    clock.passes(30)
    assert len(instances(scaling)) == 2
    said = [activity["Description"][:9] for activity in scaling.describe_scaling_activities(**NAME)["Activities"]]
    assert said == ["Terminati", "Terminati", "Launching", "Launching"]


def test_lower_bounds_draw_the_capacity_with_them(scaling: Any, clock: Clock) -> None:
    scaling.update_auto_scaling_group(**NAME, MinSize=1, MaxSize=1)
    clock.passes(30)
    assert len(instances(scaling)) == 1
    refused("ValidationError", scaling.update_auto_scaling_group, **NAME, DesiredCapacity=2)


def test_an_unknown_group_is_not_found(scaling: Any) -> None:
    unknown = {"AutoScalingGroupName": "no-such"}
    refused("ValidationError", scaling.set_desired_capacity, **unknown, DesiredCapacity=2)
    assert scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["no-such"])["AutoScalingGroups"] == []


def test_an_instance_refresh_replaces_one_after_the_other(scaling: Any, clock: Clock) -> None:
    before = instances(scaling)
    identifier = scaling.start_instance_refresh(**NAME)["InstanceRefreshId"]
    assert refresh(scaling)["Status"] == "Pending"
    refused("InstanceRefreshInProgress", scaling.start_instance_refresh, **NAME)
    percents = set()
    for _ in range(50):
        clock.passes(5)
        assert list(instances(scaling).values()).count("InService") >= 1
        percents.add(refresh(scaling)["PercentageComplete"])
    done = refresh(scaling)
    assert (done["InstanceRefreshId"], done["Status"], done["InstancesToUpdate"]) == (identifier, "Successful", 0)
    assert percents == {0, 50, 100}
    assert not before.keys() & instances(scaling).keys()
    assert list(instances(scaling).values()) == ["InService", "InService"]


def test_a_cancelled_refresh_leaves_the_rest_as_it_is(scaling: Any, clock: Clock) -> None:
    refused("ActiveInstanceRefreshNotFound", scaling.cancel_instance_refresh, **NAME)
    before = instances(scaling)
    scaling.start_instance_refresh(**NAME)
    clock.passes(10)
    scaling.cancel_instance_refresh(**NAME)
    assert refresh(scaling)["Status"] == "Cancelling"
    clock.passes(300)
    assert refresh(scaling)["Status"] == "Cancelled"
    assert len(before.keys() & instances(scaling).keys()) == 1


def test_a_command_takes_its_time_and_then_says_what_came_of_it(commands: Any, scaling: Any, clock: Clock) -> None:
    command, names = send(commands, scaling, RESTART, "systemctl is-active nova-api")
    refused("InvocationDoesNotExist", commands.get_command_invocation, CommandId=command, InstanceId=names[0])
    clock.passes(3)
    running = commands.get_command_invocation(CommandId=command, InstanceId=names[0])
    assert (running["Status"], running["StandardOutputContent"], running["ResponseCode"]) == ("InProgress", "", -1)
    clock.passes(21)
    done = commands.get_command_invocation(CommandId=command, InstanceId=names[0])
    assert (done["Status"], done["StandardOutputContent"], done["ResponseCode"]) == ("Success", "active\n", 0)
    listed = commands.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    assert {item["InstanceId"] for item in listed} == set(names)
    assert listed[0]["CommandPlugins"][0]["Output"] == "active\n"
    assert commands.list_commands(CommandId=command)["Commands"][0]["CompletedCount"] == 2


def test_a_command_that_is_not_there_fails(commands: Any, scaling: Any, clock: Clock) -> None:
    command, names = send(commands, scaling, "reticulate --splines")
    clock.passes(10)
    done = commands.get_command_invocation(CommandId=command, InstanceId=names[0])
    assert (done["Status"], done["ResponseCode"]) == ("Failed", 127)
    assert done["StandardErrorContent"] == "sh: reticulate: command not found\n"
    assert commands.list_commands(CommandId=command)["Commands"][0]["Status"] == "Failed"


def test_a_scenario_scripts_what_a_command_says(commands: Any, scaling: Any, clock: Clock) -> None:
    ssm.script.append(ssm.Line(r"systemctl is-active nova-api", output="failed\n", code=3))
    command, names = send(commands, scaling, "systemctl is-active nova-api")
    clock.passes(10)
    done = commands.get_command_invocation(CommandId=command, InstanceId=names[0])
    assert (done["Status"], done["StandardOutputContent"], done["ResponseCode"]) == ("Failed", "failed\n", 3)


def test_it_refuses_unknown_documents_and_instances(commands: Any, scaling: Any, clock: Clock) -> None:
    scaling.set_desired_capacity(**NAME, DesiredCapacity=3)
    booting = next(name for name, state in instances(scaling).items() if state == "Pending")
    ask = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": [RESTART]}}
    refused("InvalidInstanceId", commands.send_command, **ask, InstanceIds=[booting])
    refused("InvalidDocument", commands.send_command, **(ask | {"DocumentName": "No-Such"}), InstanceIds=[booting])
    online = {item["InstanceId"] for item in commands.describe_instance_information()["InstanceInformationList"]}
    assert online == {name for name, state in instances(scaling).items() if state == "InService"}
