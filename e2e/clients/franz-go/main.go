// Command consume reads topics with franz-go and prints what it sees, for Pluvio's tests.
//
// One JSON object a line on standard output: a record, or {"assigned": ["topic", ...]} when a group
// gives or takes topics. Keys, values and headers' values are base64. Ends after -count records or at
// SIGTERM, and with -commit commits exactly what it printed. What it cannot do it says on standard
// error, and exits with 1.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

var (
	brokers   = flag.String("brokers", "", "address")
	topics    = flag.String("topics", "", "names, with commas between")
	begin     = flag.String("from", "beginning", "beginning, end, offset:N or time:MILLISECONDS")
	count     = flag.Int("count", 0, "end after so many records")
	group     = flag.String("group", "", "consumer group")
	commit    = flag.Bool("commit", false, "commit what was printed")
	ca        = flag.String("ca", "", "PEM file of the authority")
	mechanism = flag.String("mechanism", "", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	user      = flag.String("user", "", "user name")
	password  = flag.String("password", "", "password")
)

type record struct {
	Topic     string      `json:"topic"`
	Offset    int64       `json:"offset"`
	Timestamp int64       `json:"timestamp"`
	Key       []byte      `json:"key"`
	Value     []byte      `json:"value"`
	Headers   [][2]string `json:"headers"`
}

// held is what the group gave to this consumer.
var (
	held  = map[string]bool{}
	mutex sync.Mutex
)

func say(line any) {
	text, err := json.Marshal(line)
	if err == nil {
		fmt.Println(string(text))
	}
}

func hold(isHeld bool) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
		if !isHeld && *commit {
			client.CommitUncommittedOffsets(ctx)
		}
		mutex.Lock()
		defer mutex.Unlock()
		for topic := range partitions {
			delete(held, topic)
			if isHeld {
				held[topic] = true
			}
		}
		names := []string{}
		for topic := range held {
			names = append(names, topic)
		}
		sort.Strings(names)
		say(map[string][]string{"assigned": names})
	}
}

func offset() (kgo.Offset, error) {
	kind, text, _ := strings.Cut(*begin, ":")
	number, err := strconv.ParseInt(text, 10, 64)
	switch kind {
	case "beginning":
		return kgo.NewOffset().AtStart(), nil
	case "end":
		return kgo.NewOffset().AtEnd(), nil
	case "time":
		return kgo.NewOffset().AfterMilli(number), err
	}
	return kgo.NewOffset().At(number), err
}

func options() ([]kgo.Opt, error) {
	from, err := offset()
	if err != nil {
		return nil, err
	}
	opts := []kgo.Opt{kgo.SeedBrokers(*brokers), kgo.RetryTimeout(10 * time.Second)}
	names := strings.Split(*topics, ",")
	if *group == "" {
		places := map[string]map[int32]kgo.Offset{}
		for _, name := range names {
			places[name] = map[int32]kgo.Offset{0: from}
		}
		opts = append(opts, kgo.ConsumePartitions(places))
		opts = append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	} else {
		opts = append(opts, kgo.ConsumerGroup(*group), kgo.ConsumeTopics(names...),
			kgo.ConsumeResetOffset(from), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
			kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond),
			kgo.OnPartitionsAssigned(hold(true)), kgo.OnPartitionsRevoked(hold(false)),
			kgo.OnPartitionsLost(hold(false)))
	}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		opts = append(opts, kgo.DialTLSConfig(&tls.Config{RootCAs: pool}))
	}
	switch *mechanism {
	case "PLAIN":
		opts = append(opts, kgo.SASL(plain.Auth{User: *user, Pass: *password}.AsMechanism()))
	case "SCRAM-SHA-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: *user, Pass: *password}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		opts = append(opts, kgo.SASL(scram.Auth{User: *user, Pass: *password}.AsSha512Mechanism()))
	}
	return opts, nil
}

func read(ctx context.Context, client *kgo.Client) error {
	for printed := 0; *count == 0 || printed < *count; {
		most := 500
		if *count != 0 {
			most = min(most, *count-printed)
		}
		fetches := client.PollRecords(ctx, most)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			printed++
			headers := [][2]string{}
			for _, h := range r.Headers {
				value, _ := json.Marshal(h.Value)
				headers = append(headers, [2]string{h.Key, strings.Trim(string(value), `"`)})
			}
			say(record{r.Topic, r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value, headers})
		}
		client.AllowRebalance()
	}
	return nil
}

func run() error {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	opts, err := options()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	// Says at once what polling would try again and again.
	if err := client.Ping(ctx); err != nil {
		return err
	}
	if err := read(ctx, client); err != nil {
		return err
	}
	if *group != "" && *commit {
		return client.CommitUncommittedOffsets(context.Background())
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
