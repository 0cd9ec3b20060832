//! Starts a simulated CloudStack and waits until it is interrupted.
//!
//! ```text
//! cargo run -p pluvio-sim --example cloudstack -- listen=127.0.0.1:8080 rate=5 backlog=1000
//! ```
//!
//! Settings: `listen` or `port`, `integration` (address without signatures), `seed`, `machines`,
//! `rate` (events per second), `backlog` (events), `hours` (that the backlog is spread over),
//! `version` (4.9, 4.17, 4.20, 4.22), `zone` (POSIX), `start` (a time at which the clock stands),
//! `job-ms` (that a job takes). Also spelled `--port 8080`. It prints the URLs and, for each user,
//! account, role and simulated keys.

#![expect(clippy::print_stdout, reason = "the URLs and keys are what the user starts it for")]

use std::io;
use std::time::Duration;

use pluvio_sim::{CloudStack, CloudStackConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cloud = CloudStack::start(configure(std::env::args().skip(1))?).await?;
    println!("{}\n{}", cloud.url(), cloud.control_url());
    if let Some(url) = cloud.integration_url() {
        println!("{url}");
    }
    for keys in cloud.keys() {
        println!("{}\t{}\t{}\t{}", keys.account, keys.role, keys.api_key, keys.secret_key);
    }
    tokio::signal::ctrl_c().await?;
    cloud.stop().await;
    Ok(())
}

fn configure(
    mut arguments: impl Iterator<Item = String>,
) -> Result<CloudStackConfig, Box<dyn std::error::Error>> {
    let mut config = CloudStackConfig::default();
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (argument, arguments.next().unwrap_or_default()),
        };
        match name.trim_start_matches("--") {
            "listen" => config.listen = value.parse()?,
            "port" => config.listen.set_port(value.parse()?),
            "integration" => config.integration_listen = Some(value.parse()?),
            "seed" => config.seed = value.parse()?,
            "machines" => config.machines = value.parse()?,
            "rate" => config.events_per_second = value.parse()?,
            "backlog" => config.backlog_events = value.parse()?,
            "hours" => config.backlog_span = Duration::from_secs(value.parse::<u64>()? * 3600),
            "version" => config.version = value.parse()?,
            "zone" => config.time_zone = value,
            "start" => config.starts_at = Some(value.parse()?),
            "job-ms" => config.job_duration = Duration::from_millis(value.parse()?),
            _ => {
                let valid = "listen, port, integration, seed, machines, rate, backlog, hours, \
                             version, zone, start, job-ms";
                let text = format!("unknown setting `{name}`; valid: {valid}");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text).into());
            }
        }
    }
    Ok(config)
}
