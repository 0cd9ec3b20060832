//! The command line: what can be asked, with its defaults. No work is done here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use pluvio_net::Thumbprint;
use pluvio_net::unit::Period;
use url::Url;

use crate::config;

/// Captures every event of a private cloud once, and serves it as CloudEvents.
///
/// Without a command: `run`, if VCENTER_URL is set or a configuration file is there.
#[derive(Debug, Parser)]
#[command(name = "pluvio", version = crate::VERSION, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Configuration file [default: pluvio.toml]
    #[arg(long, short, global = true, env = "PLUVIO_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Form of the log lines on standard error
    #[arg(long, global = true, env = "PLUVIO_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

impl Cli {
    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| PathBuf::from("pluvio.toml"))
    }

    /// Whether VCENTER_* say what to do: there is no file, and none was named. A file that was named and is
    /// missing must not end in a server that is open to everybody.
    pub(crate) fn is_by_environment(&self) -> bool {
        let is_set = config::environment_is_configured();
        is_set && self.config.is_none() && !self.config().exists()
    }
}

const EXAMPLES: &str = "\
Examples:
  pluvio demo                                  a simulated cloud to look at, no vCenter needed
  VCENTER_URL=https://vc.example.org VCENTER_SECRET_PATH=./secret pluvio
  pluvio config > pluvio.toml                  every option, commented, to begin with
  pluvio check --connect                       is it right, and does the cloud answer?
  pluvio tail --type 'Vm*' --since 1h          what happened to machines in the last hour

Exit status: 0 done, 1 failed while running, or a port is taken and the same may work later, 2 wrong
usage, 78 wrong configuration.";

/// How log lines look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Capture and serve, until stopped
    Run,
    /// Try Pluvio on simulated clouds: capture, serve and show their events
    Demo(Demo),
    /// Check the configuration, and with --connect the clouds and targets it names
    Check(Check),
    /// Print the default configuration, commented
    Config {
        /// Print the JSON Schema of the configuration instead, for editors
        #[arg(long)]
        schema: bool,
        /// Print the page of one component instead, for example `sinks.file`
        #[arg(long, value_name = "NAME", conflicts_with = "schema")]
        page: Option<String>,
        /// Print all pages as one JSON object
        #[arg(long, hide = true, conflicts_with_all = ["schema", "page"])]
        pages: bool,
    },
    /// Show events as they come, one readable line each
    Tail(Tail),
    /// Look at a log on disk, check every byte of it, mend it
    #[command(subcommand, after_help = LOG_EXAMPLES)]
    Log(Log),
    /// Look at the events that a sink's target rejected
    #[command(subcommand, after_help = DEAD_EXAMPLES)]
    Dead(Dead),
    /// Move a sink to another place: hand events over again, or skip them
    #[command(subcommand, after_help = SINK_EXAMPLES)]
    Sink(Sink),
    /// Run a simulated cloud for tests and demonstrations, or one in which a log happens again
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate {
        #[command(subcommand)]
        cloud: Simulate,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version,
}

/// `pluvio demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Port of the HTTP listener on this machine; another free one is taken if it is in use
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Port of the Kafka listener, likewise
    #[arg(long, default_value_t = 9092)]
    pub(crate) kafka_port: u16,
    /// Events per second that the simulated clouds make together
    #[arg(long, default_value_t = 2.0)]
    pub(crate) rate: f64,
    /// Decides machines and what happens to them
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder of the log: what was captured is still there at the next start
    #[arg(long, default_value = "demo-data")]
    pub(crate) data: PathBuf,
}

/// `pluvio check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Also connect to every source and sink and report what is found
    #[arg(long)]
    pub(crate) connect: bool,
}

/// `pluvio tail`
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// The Pluvio to ask
    #[arg(long, env = "PLUVIO_URL", default_value = "http://localhost:8080")]
    pub(crate) url: Url,
    /// Stream to read
    #[arg(long, default_value = "events")]
    pub(crate) stream: String,
    /// Only these types: a name, or a beginning followed by `*`; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Only these subjects, for example 'VirtualMachine/vm-57'; may be repeated
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Vec<String>,
    /// Only events for which this CEL expression holds, for example 'severitynumber >= 13'
    #[arg(long, value_name = "CEL")]
    pub(crate) filter: Option<String>,
    /// Begin with what happened this long ago ("10m", "2h"), or at this time (RFC 3339)
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Begin with this many of the newest events, at most 1000
    #[arg(long, short = 'n', default_value_t = 10, conflicts_with = "since",
          value_parser = clap::value_parser!(u16).range(..=1000))]
    pub(crate) lines: u16,
    /// Stop at the newest event instead of waiting for more
    #[arg(long)]
    pub(crate) no_follow: bool,
    /// What to print for each event
    #[arg(long, short, default_value = "text")]
    pub(crate) output: Output,
    /// Bearer token
    #[arg(long, env = "PLUVIO_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// PEM file of the authorities to trust instead of the system's
    #[arg(long, env = "PLUVIO_CA_FILE", value_name = "FILE", conflicts_with_all = ["thumbprint", "insecure"])]
    pub(crate) ca_file: Option<PathBuf>,
    /// Accept exactly the certificate with this SHA-256 thumbprint, whoever signed it
    #[arg(long, env = "PLUVIO_THUMBPRINT", value_name = "THUMBPRINT", conflicts_with = "insecure")]
    pub(crate) thumbprint: Option<Thumbprint>,
    /// Accept any certificate: whoever is on the way reads the token
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// What `tail` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// One readable line.
    Text,
    /// The event, one JSON object a line.
    Json,
}

const LOG_EXAMPLES: &str = "\
Examples:
  pluvio log info                              what the log of pluvio.toml holds
  pluvio log verify data                       is every byte what was written?
  pluvio log repair data                       says what it would do, and asks
  pluvio log dump data --from 44 --limit 3     records 44 and the two behind it
  pluvio log dump data --stream __positions    where the sources stand, as it is stored

`info`, `verify` and `dump` change nothing and work beside a running Pluvio; `repair` needs the log
for itself. Exit status: 0 nothing is damaged, 1 damage or a failure, 2 wrong usage.";

/// `pluvio log`
#[derive(Debug, Subcommand)]
pub(crate) enum Log {
    /// Show streams, their ranges, segments and sizes, and where each source stands
    Info(LogInfo),
    /// Read every batch, index and state; name file, byte and offset of what is wrong
    Verify(LogVerify),
    /// Mend what can be mended; damaged bytes are kept in `<stream>/damaged/`
    Repair(LogRepair),
    /// Print records as they are stored, one line of JSON each
    Dump(LogDump),
}

/// `pluvio log info`
#[derive(Debug, Args)]
pub(crate) struct LogInfo {
    /// Folder of the log (default: `dir` of the section `log` of the configuration, else `data`)
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `pluvio log verify`
#[derive(Debug, Args)]
pub(crate) struct LogVerify {
    /// Folder of the log (default: `dir` of the section `log` of the configuration, else `data`)
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `pluvio log repair`
#[derive(Debug, Args)]
pub(crate) struct LogRepair {
    /// Folder of the log (default: `dir` of the section `log` of the configuration, else `data`)
    pub(crate) dir: Option<PathBuf>,
    /// Do it without asking
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// `pluvio log dump`
#[derive(Debug, Args)]
pub(crate) struct LogDump {
    /// Folder of the log (default: `dir` of the section `log` of the configuration, else `data`)
    pub(crate) dir: Option<PathBuf>,
    /// Stream to read; `__positions`, `__cursors` and `__offsets` are the log's own
    #[arg(long, default_value = "events")]
    pub(crate) stream: String,
    /// First offset
    #[arg(long, default_value_t = 0, value_name = "OFFSET")]
    pub(crate) from: u64,
    /// Most records to print; all if not given
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
    /// Lines are JSON already; taken so that all of `pluvio log` understands it
    #[arg(long, hide = true)]
    pub(crate) json: bool,
}

const DEAD_EXAMPLES: &str = "\
Examples:
  pluvio dead list                             which sinks rejected how many events, and why
  pluvio dead show 7                           letter 7, and the event in it
  pluvio dead show 7 --json                    the letter as it is stored
  pluvio dead replay archive                   hand those of the sink `archive` to its target again
  pluvio dead replay archive --reason mapping  only those whose reason contains this

Dead letters of the stream `events` lie in `events.dead`, a stream like any other: `pluvio log dump`,
HTTP and Kafka read it. Nothing in the log is changed here, and it works beside a running Pluvio:
letters stay until retention takes them.";

/// `pluvio dead`
#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// Count dead letters by sink and reason
    List(DeadList),
    /// Show one dead letter with the event in it
    Show(DeadShow),
    /// Hand dead letters to their sink's target again, as the configuration says now
    Replay(DeadReplay),
}

/// `pluvio dead replay`
#[derive(Debug, Args)]
pub(crate) struct DeadReplay {
    /// The sink, as the configuration names it
    pub(crate) sink: String,
    /// Begin with the letter at this offset, as `list` shows it
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    pub(crate) from: u64,
    /// End with the letter at this offset
    #[arg(long, value_name = "OFFSET")]
    pub(crate) to: Option<u64>,
    /// Only letters whose reason contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Give up when nothing has arrived for so long
    #[arg(long, default_value = "30s")]
    pub(crate) patience: Period,
    /// Folder of the log (default: `dir` of the section `log` of the configuration, else `data`)
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}

/// `pluvio dead list`
#[derive(Debug, Args)]
pub(crate) struct DeadList {
    /// Only those of this sink
    #[arg(long, value_name = "NAME")]
    pub(crate) sink: Option<String>,
    #[command(flatten)]
    pub(crate) place: DeadPlace,
}

/// `pluvio dead show`
#[derive(Debug, Args)]
pub(crate) struct DeadShow {
    /// The letter's own offset, as `list` shows it
    pub(crate) offset: u64,
    #[command(flatten)]
    pub(crate) place: DeadPlace,
}

/// Where dead letters are looked for.
#[derive(Debug, Args)]
pub(crate) struct DeadPlace {
    /// Folder of the log (default: `dir` of the section `log` of the configuration, else `data`)
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// The stream whose events were rejected
    #[arg(long, default_value = "events")]
    pub(crate) stream: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const SINK_EXAMPLES: &str = "\
Examples:
  pluvio sink seek billing --to 2h --dry-run   how many events would that be?
  pluvio sink seek billing --to 2h             hand over again what was stored in the last two hours
  pluvio sink seek billing --to 2026-11-20T10:00:00Z --until 2026-11-20T12:00:00Z
                                               only those two hours, then go on where it stood
  pluvio sink seek billing --to earliest       everything that is stored
  pluvio sink seek billing --to latest         skip what it was not handed yet

It works beside a running Pluvio, which is asked through the log's folder, and without one. Run it as the
user to whom that folder belongs. The new place is on disk when the command ends, and is told in the log
and in /api/v1/status. What each type of sink does with events that it had before: docs/sinks-seek.md.";

/// `pluvio sink`
#[derive(Debug, Subcommand)]
pub(crate) enum Sink {
    /// Move a sink to another place in its stream
    #[command(after_help = SINK_EXAMPLES)]
    Seek(SinkSeek),
}

/// `pluvio sink seek`
#[derive(Debug, Args)]
pub(crate) struct SinkSeek {
    /// The sink, as the configuration names it
    pub(crate) sink: String,
    /// Go on from here: `earliest`, `latest`, an offset, the time (RFC 3339) at which events were stored,
    /// or how long ago that was ("2h")
    #[arg(long, value_name = "PLACE")]
    pub(crate) to: String,
    /// Hand over again only what lies before this offset or time, then go on where the sink stood
    #[arg(long, value_name = "PLACE")]
    pub(crate) until: Option<String>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Folder of the log (default: `dir` of the section `log` of the configuration)
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Simulate {
    /// A vCenter that speaks SOAP, with machines, history and faults on demand
    #[command(after_help = VCENTER_EXAMPLES)]
    Vcenter(Box<SimulateVcenter>),
    /// A CloudStack management server: signed API, accounts and domains, events, orders, and faults
    /// on demand
    #[command(after_help = CLOUDSTACK_EXAMPLES)]
    Cloudstack(Box<SimulateCloudstack>),
}

const SIMULATE_EXAMPLES: &str = "\
Examples:
  pluvio simulate vcenter                      200 machines, two events a second
  pluvio simulate cloudstack --version 4.9     as an old release answers
  pluvio simulate vcenter --from data          what Pluvio captured into `data` happens again";

const VCENTER_EXAMPLES: &str = "\
Examples:
  pluvio simulate vcenter --rate 50 --machines 1000
  pluvio simulate vcenter --from data --since 2026-11-23T06:00:00Z --until 2026-11-23T18:00:00Z
                                               that Monday again, as fast as it went
  pluvio simulate vcenter --from data --speed 60
                                               an hour in a minute
  pluvio simulate vcenter --from data --at end all of it is history: what does a client read of it?

With --from nothing happens but what was recorded. Clients find the inventory that the events
name; `curl http://127.0.0.1:8989/control/status` tells how far it is, and faults work as ever.
Secrets are redacted again on the way. More: docs/simulate.md";

const CLOUDSTACK_EXAMPLES: &str = "\
Examples:
  pluvio simulate cloudstack --version 4.22 --rate 20
  pluvio simulate cloudstack --from data --at end
                                               what Pluvio captured into `data`, as listEvents
  pluvio simulate cloudstack --from data --source https://cloud.example.org/client/api --speed 60
                                               one of several clouds in a log, an hour in a minute

With --from nothing happens but what was recorded: events, and the accounts, domains, users and
projects that they name. Usage records and machines are not replayed. Secrets are redacted again
on the way. More: docs/simulate.md";

/// A recording in the place of a workload.
#[derive(Debug, Args)]
pub(crate) struct SimulateFrom {
    /// Let the events in this data folder of a Pluvio happen again, instead of made-up ones; it is only
    /// read, and a Pluvio may be writing to it
    #[arg(long, value_name = "DATA", conflicts_with_all = ["rate", "machines", "backlog", "seed"])]
    pub(crate) from: Option<PathBuf>,
    /// Stream of that log
    #[arg(long, requires = "from", default_value = "events")]
    pub(crate) stream: String,
    /// Only events with this `source`, which must be given if the stream holds several such clouds
    #[arg(long, requires = "from")]
    pub(crate) source: Option<String>,
    /// Only what happened at this time or later (RFC 3339)
    #[arg(long, requires = "from", value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Timestamp>,
    /// Only what happened before this time (RFC 3339)
    #[arg(long, requires = "from", value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Timestamp>,
    /// How many times as fast as it went: 60 plays an hour in a minute
    #[arg(long, requires = "from", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Where the clock begins (RFC 3339), with all before it in the history; `end`: all is history;
    /// at the first event if not given
    #[arg(long, requires = "from", value_name = "TIME", value_parser = beginning)]
    pub(crate) at: Option<Beginning>,
}

/// Where the clock of a recording begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// At that time.
    At(Timestamp),
    /// At the last event.
    End,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "a time is written as 2026-11-23T06:00:00Z".to_owned())
}

fn beginning(text: &str) -> Result<Beginning, String> {
    match text {
        "end" => Ok(Beginning::End),
        _ => text
            .parse()
            .map(Beginning::At)
            .map_err(|_| "it is `end`, or a time as 2026-11-23T06:00:00Z".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| *speed > 0.0 && *speed <= pluvio_sim::SPEED_MAX);
    speed.ok_or_else(|| {
        let most = pluvio_sim::SPEED_MAX;
        format!("it is a number above 0, at most {most}; `--at end` makes all of it history")
    })
}

/// `pluvio simulate vcenter`
#[derive(Debug, Args)]
pub(crate) struct SimulateVcenter {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8989")]
    pub(crate) listen: std::net::SocketAddr,
    /// API version that it speaks, such as 7.0.3.0, 9.0.0.0 or 9.1.0.0
    #[arg(long, value_name = "VERSION", default_value = "8.0.3.0")]
    pub(crate) version: String,
    /// Events per second
    #[arg(long, default_value_t = 2.0)]
    pub(crate) rate: f64,
    /// Decides machines and what happens to them
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Virtual machines
    #[arg(long, default_value_t = 200)]
    pub(crate) machines: usize,
    /// Events that already happened, spread over the last day
    #[arg(long, default_value_t = 0)]
    pub(crate) backlog: usize,
    /// The only user that may log in; any if not given
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// Its password; any if not given
    #[arg(long, env = "PLUVIO_SIMULATE_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    #[command(flatten)]
    pub(crate) recording: SimulateFrom,
    #[command(flatten)]
    pub(crate) tls: SimulateTls,
}

/// TLS of a simulated cloud.
#[derive(Debug, Args)]
pub(crate) struct SimulateTls {
    /// Speak TLS, with a certificate made at the start
    #[arg(long)]
    pub(crate) tls: bool,
    /// Speak TLS with the certificate in this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file with its key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// `pluvio simulate cloudstack`
#[derive(Debug, Args)]
pub(crate) struct SimulateCloudstack {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8096")]
    pub(crate) listen: std::net::SocketAddr,
    /// Release that it behaves like: 4.9, 4.17, 4.20 or 4.22 [default: 4.20; with --from the lowest that
    /// knows all fields of the recorded rows]
    #[arg(long)]
    pub(crate) version: Option<pluvio_sim::cloudstack::Version>,
    /// Events per second
    #[arg(long, default_value_t = 2.0)]
    pub(crate) rate: f64,
    /// Decides machines and what happens to them
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Virtual machines
    #[arg(long, default_value_t = 60)]
    pub(crate) machines: usize,
    /// Events that already happened, spread over the last day
    #[arg(long, default_value_t = 0)]
    pub(crate) backlog: usize,
    #[command(flatten)]
    pub(crate) recording: SimulateFrom,
    #[command(flatten)]
    pub(crate) tls: SimulateTls,
}
