// Telegraf's input plugin for vSphere, asked once.
//
// telegraf URL USER PASSWORD: trusts any certificate, and prints one JSON object: how many metrics of each
// measurement the plugin gathered.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/inputs"
	"github.com/influxdata/telegraf/plugins/inputs/vsphere"
	"github.com/influxdata/telegraf/testutil"
)

func main() {
	if err := gather(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func gather(url, user, password string) error {
	plugin, is := inputs.Inputs["vsphere"]().(*vsphere.VSphere)
	if !is {
		return fmt.Errorf("Telegraf has no plugin vsphere")
	}
	plugin.Vcenters = []string{url}
	plugin.Username = config.NewSecret([]byte(user))
	plugin.Password = config.NewSecret([]byte(password))
	plugin.Timeout = config.Duration(30 * time.Second)
	plugin.InsecureSkipVerify = true
	plugin.Log = testutil.Logger{Quiet: true}
	var gathered testutil.Accumulator
	if err := plugin.Start(&gathered); err != nil {
		return err
	}
	defer plugin.Stop()
	if err := plugin.Gather(&gathered); err != nil {
		return err
	}
	if len(gathered.Errors) > 0 {
		return gathered.Errors[0]
	}
	counts := map[string]int{}
	for _, metric := range gathered.GetTelegrafMetrics() {
		counts[metric.Name()]++
	}
	return json.NewEncoder(os.Stdout).Encode(counts)
}
