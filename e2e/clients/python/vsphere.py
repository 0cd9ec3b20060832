"""VMware's own Python client, pyVmomi, on a vCenter: it reads properties, events and managers.

vsphere.py PROTOCOL HOST PORT USER PASSWORD: trusts any certificate, and prints one JSON object: `events` (keys that a collector read),
`queried` (keys that QueryEvents gave), `paged` (all keys, page by page behind an id, from API 9.0 on),
`audited` (the `auditId` of an event that it posted, from API 9.1 on), `logged` (the class and message of the event that it logged),
`machines` (how many a view holds), `read` (one value of each kind of object that has some), `empty` (the
managers' lists), and `misspelt` (the fault for a property that no class has).
"""

import json
import sys

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl


def main(protocol, host, port, user, password):
    service = SmartConnect(
        protocol=protocol,
        host=host,
        port=int(port),
        user=user,
        pwd=password,
        disableSslCertValidation=True,
    )
    content = service.content
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    machines = list(view.view)
    machine = machines[0]
    events = content.eventManager
    collector = events.CreateCollectorForEvents(vim.event.EventFilterSpec())
    collected = []
    while page := collector.ReadNextEvents(100):
        collected += [event.key for event in page]
    queried = [event.key for event in events.QueryEvents(vim.event.EventFilterSpec(maxCount=7))]
    version = tuple(map(int, content.about.apiVersion.split(".")))
    paged = []
    while version >= (9, 0):
        behind = vim.event.EventManager.ViewByStartId(
            startEventId=paged[-1] if paged else 0, isForward=True
        )
        page = events.QueryEvents(vim.event.EventFilterSpec(maxCount=100), behind)
        if not page:
            break
        paged += [event.key for event in page]
    audited = None
    if version >= (9, 1):
        event = vim.event.EventEx(
            key=0,
            chainId=0,
            createdTime=service.CurrentTime(),
            userName="",
            eventTypeId="com.example.audit",
            auditId="a-7",
        )
        events.PostEvent(event)
        audited = events.QueryEvents(vim.event.EventFilterSpec(auditId=["a-7"]))[0].auditId
    events.LogUserEvent(machine, "seen <by> pyVmomi")
    logged = events.latestEvent
    host_system = machine.runtime.host
    store = machine.datastore[0]
    read = {
        "about": content.about.apiType,
        "session": content.sessionManager.currentSession.userName,
        "machine": machine.summary.config.vmPathName,
        "power": machine.runtime.powerState,
        "hardware": machine.config.hardware.memoryMB,
        "guest": machine.guest.guestState,
        "host": host_system.summary.hardware.cpuModel,
        "product": host_system.config.product.version,
        "cluster": host_system.parent.summary.numHosts,
        "pool": machine.resourcePool.runtime.memory.maxUsage,
        "store": store.summary.capacity,
        "network": machine.network[0].config.key,
        "descriptions": len(events.description.eventInfo),
        "latest page": len(collector.latestPage),
        "settings": len(content.setting.QueryOptions("event.")),
        "counters": len(content.perfManager.perfCounter),
        "by uuid": content.searchIndex.FindByUuid(None, machine.config.uuid, True)._moId,
    }
    empty = {
        "recentTask": list(content.taskManager.recentTask),
        "alarms": list(content.alarmManager.GetAlarm(content.rootFolder)),
        "licenses": list(content.licenseManager.licenses),
        "extensions": list(content.extensionManager.extensionList),
        "fields": list(content.customFieldsManager.field),
    }
    collect = vmodl.query.PropertyCollector
    wrong = collect.FilterSpec(
        objectSet=[collect.ObjectSpec(obj=machine)],
        propSet=[collect.PropertySpec(type=vim.VirtualMachine, pathSet=["nosuch"])],
    )
    try:
        content.propertyCollector.RetrieveContents([wrong])
        misspelt = None
    except vmodl.query.InvalidProperty as fault:
        misspelt = fault.name
    told = {
        "events": collected,
        "queried": queried,
        "paged": paged,
        "audited": audited,
        "logged": [type(logged).__name__, logged.message, logged.vm.name],
        "name": machine.name,
        "machines": len(machines),
        "read": {key: str(value) for key, value in read.items()},
        "empty": {key: len(value) for key, value in empty.items()},
        "misspelt": misspelt,
    }
    Disconnect(service)
    print(json.dumps(told))


main(*sys.argv[1:])
