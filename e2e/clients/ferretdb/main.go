// Command ferretdb speaks MongoDB's protocol and stores in SQLite, for Pluvio's tests.
//
// FerretDB's own command wants a version file that a module does not have, and its package for
// embedding knows no users. So its inner packages are put together here, which Go allows because
// this module's path lies below FerretDB's.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/internal/clientconn"
	"github.com/FerretDB/FerretDB/internal/clientconn/connmetrics"
	"github.com/FerretDB/FerretDB/internal/handler/registry"
	"github.com/FerretDB/FerretDB/internal/util/password"
	"github.com/FerretDB/FerretDB/internal/util/state"
)

// Connections of clients that stay open may not delay the end for longer.
const farewell = 300 * time.Millisecond

var (
	folder   = flag.String("folder", "", "where the database lies")
	open     = flag.String("open", "", "address without TLS")
	secure   = flag.String("secure", "", "address with TLS")
	cert     = flag.String("cert", "", "PEM file of the server's certificate")
	key      = flag.String("key", "", "PEM file of its key")
	user     = flag.String("user", "", "the first user, by SCRAM-SHA-256")
	passText = flag.String("password", "", "that user's password")
)

func handler(metrics *connmetrics.ListenerMetrics, logger *slog.Logger) (*registry.NewHandlerOpts, error) {
	provider, err := state.NewProvider("")
	if err != nil {
		return nil, err
	}
	silent := func(s *state.State) {
		s.DisableTelemetry()
		s.TelemetryLocked = true
	}
	if err := provider.Update(silent); err != nil {
		return nil, err
	}
	database := ""
	if *user != "" {
		database = "admin"
	}
	return &registry.NewHandlerOpts{
		Logger:        logger,
		ConnMetrics:   metrics.ConnMetrics,
		StateProvider: provider,
		TCPHost:       *open,
		SQLiteURL:     "file:" + *folder + "/",
		SetupDatabase: database,
		SetupUsername: *user,
		SetupPassword: password.WrapPassword(*passText),
		SetupTimeout:  10 * time.Second,
		TestOpts: registry.TestOpts{
			// Without a user, nobody has to log in.
			EnableNewAuth:           *user != "",
			BatchSize:               100,
			CappedCleanupPercentage: 10,
		},
	}, nil
}

func run() error {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	metrics := connmetrics.NewListenerMetrics()
	opts, err := handler(metrics, logger)
	if err != nil {
		return err
	}
	served, closeBackend, err := registry.NewHandler("sqlite", opts)
	if err != nil {
		return err
	}
	defer closeBackend()
	listener, err := clientconn.Listen(&clientconn.NewListenerOpts{
		Mode:        clientconn.NormalMode,
		Handler:     served,
		Metrics:     metrics,
		Logger:      logger,
		TCP:         *open,
		TLS:         *secure,
		TLSCertFile: *cert,
		TLSKeyFile:  *key,
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() {
		time.AfterFunc(farewell, func() { os.Exit(0) })
	})
	listener.Run(ctx)
	return nil
}

func main() {
	if err := run(); err != nil {
		slog.Error("failed to serve", "error", err)
		os.Exit(1)
	}
}
