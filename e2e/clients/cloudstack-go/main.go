// A public CloudStack client, Apache's cloudstack-go, on a CloudStack: it lists, orders and reads.
//
// cloudstack URL KEY SECRET: orders a machine, stops, starts and destroys it, and prints one JSON object:
// `machine` (its id), `events` (type and state of all that the cloud lists about it), `listed` (how many
// rows of each list the client decoded) and `refused` (what it says of a wrong key).
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/apache/cloudstack-go/v2/cloudstack"
)

type told struct {
	Machine string         `json:"machine"`
	Events  [][2]string    `json:"events"`
	Listed  map[string]int `json:"listed"`
	Refused string         `json:"refused"`
}

func main() {
	said, err := visit(os.Args[1], os.Args[2], os.Args[3])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(said)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func visit(url, key, secret string) (*told, error) {
	cloud := cloudstack.NewAsyncClient(url, key, secret, false)
	cloud.AsyncTimeout(30)
	said := told{Events: [][2]string{}, Listed: map[string]int{}}
	zones, err := cloud.Zone.ListZones(cloud.Zone.NewListZonesParams())
	if err != nil {
		return nil, err
	}
	offerings, err := cloud.ServiceOffering.ListServiceOfferings(cloud.ServiceOffering.NewListServiceOfferingsParams())
	if err != nil {
		return nil, err
	}
	templates, err := cloud.Template.ListTemplates(cloud.Template.NewListTemplatesParams("executable"))
	if err != nil {
		return nil, err
	}
	machines := cloud.VirtualMachine.NewListVirtualMachinesParams()
	machines.SetListall(true)
	before, err := cloud.VirtualMachine.ListVirtualMachines(machines)
	if err != nil {
		return nil, err
	}
	volumes := cloud.Volume.NewListVolumesParams()
	volumes.SetListall(true)
	stored, err := cloud.Volume.ListVolumes(volumes)
	if err != nil {
		return nil, err
	}
	said.Listed["zones"] = len(zones.Zones)
	said.Listed["offerings"] = len(offerings.ServiceOfferings)
	said.Listed["templates"] = len(templates.Templates)
	said.Listed["machines"] = len(before.VirtualMachines)
	said.Listed["volumes"] = len(stored.Volumes)
	if said.Listed["events"], err = count(cloud); err != nil {
		return nil, err
	}
	order := cloud.VirtualMachine.NewDeployVirtualMachineParams(
		offerings.ServiceOfferings[0].Id, templates.Templates[0].Id, zones.Zones[0].Id)
	order.SetName("by-cloudstack-go")
	machine, err := cloud.VirtualMachine.DeployVirtualMachine(order)
	if err != nil {
		return nil, err
	}
	said.Machine = machine.Id
	if _, err := cloud.VirtualMachine.StopVirtualMachine(cloud.VirtualMachine.NewStopVirtualMachineParams(machine.Id)); err != nil {
		return nil, err
	}
	if _, err := cloud.VirtualMachine.StartVirtualMachine(cloud.VirtualMachine.NewStartVirtualMachineParams(machine.Id)); err != nil {
		return nil, err
	}
	if _, err := cloud.VirtualMachine.DestroyVirtualMachine(cloud.VirtualMachine.NewDestroyVirtualMachineParams(machine.Id)); err != nil {
		return nil, err
	}
	about := cloud.Event.NewListEventsParams()
	about.SetListall(true)
	about.SetResourceid(machine.Id)
	about.SetResourcetype("VirtualMachine")
	events, err := cloud.Event.ListEvents(about)
	if err != nil {
		return nil, err
	}
	for _, event := range events.Events {
		said.Events = append(said.Events, [2]string{event.Type, event.State})
	}
	wrong := cloudstack.NewAsyncClient(url, key, "wrong", false)
	if _, err := wrong.Zone.ListZones(wrong.Zone.NewListZonesParams()); err != nil {
		said.Refused = err.Error()
	}
	return &said, nil
}

// All events, page by page.
func count(cloud *cloudstack.CloudStackClient) (int, error) {
	for all, page := 0, 1; ; page++ {
		asked := cloud.Event.NewListEventsParams()
		asked.SetListall(true)
		asked.SetPage(page)
		asked.SetPagesize(50)
		events, err := cloud.Event.ListEvents(asked)
		if err != nil || len(events.Events) == 0 {
			return all, err
		}
		all += len(events.Events)
	}
}
