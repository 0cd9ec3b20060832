"""Public CloudStack clients, `cs` and Apache Libcloud, on a CloudStack: they list, order and read.

cloudstack.py URL KEY SECRET CLIENT: orders a machine, stops, starts and destroys it, and prints one JSON
object: `machine` (its id), `events` (type and state of all that the cloud lists about it, in no order:
within a second it has none), `listed` (how many rows of each list the client saw) and `refused` (what
it says of a wrong key).
"""

import json
import sys


def by_cs(url, key, secret):
    from cs import CloudStack, CloudStackApiException

    cloud = CloudStack(endpoint=url, key=key, secret=secret, poll_interval=0.05, job_timeout=20)
    listed = {
        "zones": cloud.listZones(fetch_list=True),
        "offerings": cloud.listServiceOfferings(fetch_list=True),
        "templates": cloud.listTemplates(templatefilter="executable", fetch_list=True),
        "machines": cloud.listVirtualMachines(listall=True, fetch_list=True),
        "volumes": cloud.listVolumes(listall=True, fetch_list=True),
        # In pages, so that more than one must be asked for.
        "events": cloud.listEvents(listall=True, page_size=50, fetch_list=True),
    }
    machine = cloud.deployVirtualMachine(
        name="by-cs",
        zoneid=listed["zones"][0]["id"],
        serviceofferingid=listed["offerings"][0]["id"],
        templateid=listed["templates"][0]["id"],
        fetch_result=True,
    )["virtualmachine"]
    for order in (cloud.stopVirtualMachine, cloud.startVirtualMachine, cloud.destroyVirtualMachine):
        order(id=machine["id"], fetch_result=True)
    try:
        CloudStack(endpoint=url, key=key, secret="wrong").listZones()
        refused = None
    except CloudStackApiException as error:
        refused = error.args[0]
    return machine["id"], listed, refused


def by_libcloud(url, key, secret):
    from libcloud.common.types import InvalidCredsError
    from libcloud.compute.providers import get_driver
    from libcloud.compute.types import Provider

    driver = get_driver(Provider.CLOUDSTACK)
    is_secure = url.startswith("https:")
    cloud = driver(key, secret, url=url, secure=is_secure)
    listed = {
        "zones": cloud.list_locations(),
        "offerings": cloud.list_sizes(),
        "templates": cloud.list_images(),
        "machines": cloud.list_nodes(),
        "volumes": cloud.list_volumes(),
        "networks": cloud.ex_list_networks(),
    }
    machine = cloud.create_node(
        name="by-libcloud",
        size=listed["offerings"][0],
        image=listed["templates"][0],
        location=listed["zones"][0],
    )
    cloud.ex_stop(machine)
    cloud.ex_start(machine)
    cloud.destroy_node(machine)
    try:
        driver(key, "wrong", url=url, secure=is_secure).list_locations()
        refused = None
    except InvalidCredsError as error:
        refused = str(error)
    return machine.id, listed, refused


def events_of(url, key, secret, machine):
    """What the cloud lists about a machine, told by `cs`."""
    from cs import CloudStack

    cloud = CloudStack(endpoint=url, key=key, secret=secret)
    events = cloud.listEvents(listall=True, fetch_list=True, page_size=100)
    about = [event for event in events if event.get("resourceid") == machine]
    return [[event["type"], event["state"]] for event in about]


def main():
    url, key, secret, client = sys.argv[1:]
    order = {"cs": by_cs, "libcloud": by_libcloud}[client]
    machine, listed, refused = order(url, key, secret)
    told = {
        "machine": machine,
        "events": events_of(url, key, secret, machine),
        "listed": {name: len(rows) for name, rows in listed.items()},
        "refused": refused,
    }
    print(json.dumps(told))


main()
