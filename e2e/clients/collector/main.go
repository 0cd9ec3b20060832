// Command fluentforward is the OpenTelemetry Collector's receiver of Fluentd's protocol, for
// Pluvio's tests: fluentforward ADDRESS FILE.
//
// What arrives is appended to the file before it is acknowledged, one JSON object a line: place (the
// tag) and body (base64 of a JSON object: attributes, and what the receiver took for the message as
// "body"). The receiver knows neither TLS nor a shared key.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/fluentforwardreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
)

type message struct {
	Place      string            `json:"place"`
	Properties map[string]string `json:"properties"`
	Body       []byte            `json:"body"`
}

// book writes down records.
type book struct {
	mutex sync.Mutex
	out   *json.Encoder
}

func (b *book) take(_ context.Context, logs plog.Logs) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if err := b.note(record); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *book) note(record plog.LogRecord) error {
	const tag = "fluent.tag"
	fields := record.Attributes().AsRaw()
	place, _ := fields[tag].(string)
	delete(fields, tag)
	if text := record.Body().AsRaw(); text != nil && text != "" {
		fields["body"] = text
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	at := map[string]string{"time_ns": fmt.Sprint(record.Timestamp().AsTime().UnixNano())}
	return b.out.Encode(message{place, at, body})
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("an address and a file are needed")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	file, err := os.OpenFile(os.Args[2], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	sink, err := consumer.NewLogs((&book{out: json.NewEncoder(file)}).take)
	if err != nil {
		return err
	}
	factory := fluentforwardreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*fluentforwardreceiver.Config)
	config.ListenAddress = os.Args[1]
	settings := receiver.Settings{
		ID:                component.NewID(factory.Type()),
		TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}
	served, err := factory.CreateLogs(ctx, settings, config, sink)
	if err != nil {
		return err
	}
	if err := served.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	<-ctx.Done()
	return served.Shutdown(context.Background())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
