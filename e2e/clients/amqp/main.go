// Command amqp writes and reads AMQP 1.0 messages with go-amqp, for Pluvio's tests.
//
//	amqp write|read|take -url amqp://user:password@HOST:PORT -address NAME [-ca FILE] [-quiet 500ms]
//
// One JSON object a line, on standard input or output: key (the message id), content_type,
// properties (the application properties, as text) and body (base64). A written message is durable
// and counts when the broker has accepted it. What is read stays in the queue; what is taken does
// not. Reading ends when nothing came for as long as -quiet says. What cannot be done is said on
// standard error, with exit status 1.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/Azure/go-amqp"
)

const patience = 40 * time.Second

type message struct {
	Place       string            `json:"place"`
	Key         *string           `json:"key"`
	ContentType *string           `json:"content_type"`
	Properties  map[string]string `json:"properties"`
	Body        []byte            `json:"body"`
}

func write(ctx context.Context, session *amqp.Session, address string) error {
	sender, err := session.NewSender(ctx, address, nil)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line message
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		m := amqp.NewMessage(line.Body)
		m.Header = &amqp.MessageHeader{Durable: true}
		m.Properties = &amqp.MessageProperties{ContentType: line.ContentType}
		if line.Key != nil {
			m.Properties.MessageID = *line.Key
		}
		m.ApplicationProperties = map[string]any{}
		for name, value := range line.Properties {
			m.ApplicationProperties[name] = value
		}
		if err := sender.Send(ctx, m, nil); err != nil {
			return err
		}
	}
	return errors.Join(lines.Err(), sender.Close(ctx))
}

func read(ctx context.Context, session *amqp.Session, address string, take bool, quiet time.Duration) error {
	mode := amqp.SourceDistributionModeCopy
	if take {
		mode = amqp.SourceDistributionModeMove
	}
	opts := amqp.ReceiverOptions{Credit: 500, SourceDistributionMode: mode}
	receiver, err := session.NewReceiver(ctx, address, &opts)
	if err != nil {
		return err
	}
	for {
		wait, stop := context.WithTimeout(ctx, quiet)
		m, err := receiver.Receive(wait, nil)
		stop()
		if errors.Is(err, context.DeadlineExceeded) {
			return receiver.Close(ctx)
		}
		if err != nil {
			return err
		}
		if err := tell(address, m); err != nil {
			return err
		}
		if err := receiver.AcceptMessage(ctx, m); err != nil {
			return err
		}
	}
}

func tell(address string, m *amqp.Message) error {
	line := message{Place: address, Properties: map[string]string{}, Body: m.GetData()}
	if p := m.Properties; p != nil {
		line.ContentType = p.ContentType
		if p.MessageID != nil {
			key := fmt.Sprint(p.MessageID)
			line.Key = &key
		}
	}
	for name, value := range m.ApplicationProperties {
		if at, ok := value.(time.Time); ok {
			value = at.UTC().Format(time.RFC3339Nano)
		}
		line.Properties[name] = fmt.Sprint(value)
	}
	// A body may be a text instead of bytes.
	if text, ok := m.Value.(string); ok {
		line.Body = []byte(text)
	}
	if line.Body == nil {
		line.Body = []byte{}
	}
	return json.NewEncoder(os.Stdout).Encode(line)
}

func run() error {
	if len(os.Args) < 2 {
		return errors.New("write, read or take?")
	}
	flags := flag.NewFlagSet("amqp", flag.ExitOnError)
	url := flags.String("url", "", "amqp:// or amqps://, with user and password")
	address := flags.String("address", "", "queue or address")
	ca := flags.String("ca", "", "PEM file of the authority")
	quiet := flags.Duration("quiet", 500*time.Millisecond, "reading ends when nothing came for so long")
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	opts := amqp.ConnOptions{}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		opts.TLSConfig = &tls.Config{RootCAs: pool}
	}
	conn, err := amqp.Dial(ctx, *url, &opts)
	if err != nil {
		return err
	}
	defer conn.Close()
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return err
	}
	switch os.Args[1] {
	case "write":
		return write(ctx, session, *address)
	case "read", "take":
		return read(ctx, session, *address, os.Args[1] == "take", *quiet)
	}
	return fmt.Errorf("%q is none of write, read and take", os.Args[1])
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
