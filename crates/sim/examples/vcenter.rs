//! Starts a simulated vCenter and waits until it is interrupted.
//!
//! ```text
//! cargo run -p pluvio-sim --example vcenter -- listen=127.0.0.1:8989 rate=5 backlog=1000
//! GOVC_URL=http://user:pass@127.0.0.1:8989/sdk govc events
//! ```
//!
//! Settings: `listen`, `seed`, `machines`, `rate` (events per second), `backlog` (events),
//! `history` (events remembered), `version` (of the API). It prints the two URLs and nothing else.

#![expect(clippy::print_stdout, reason = "the URLs are what the user starts it for")]

use std::io;

use pluvio_sim::{VCenter, VCenterConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let vcenter = VCenter::start(configure(std::env::args().skip(1))?).await?;
    println!("{}\n{}", vcenter.url(), vcenter.control_url());
    tokio::signal::ctrl_c().await?;
    vcenter.stop().await;
    Ok(())
}

fn configure(
    settings: impl Iterator<Item = String>,
) -> Result<VCenterConfig, Box<dyn std::error::Error>> {
    let mut config = VCenterConfig::default();
    for setting in settings {
        let (name, value) = setting.split_once('=').unwrap_or((setting.as_str(), ""));
        match name {
            "listen" => config.listen = value.parse()?,
            "seed" => config.seed = value.parse()?,
            "machines" => config.machines = value.parse()?,
            "rate" => config.events_per_second = value.parse()?,
            "backlog" => config.backlog_events = value.parse()?,
            "history" => config.history_events_max = Some(value.parse()?),
            "version" => config.api_version = value.to_owned(),
            _ => {
                let valid = "listen, seed, machines, rate, backlog, history, version";
                let text = format!("unknown setting `{name}`; valid: {valid}");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text).into());
            }
        }
    }
    Ok(config)
}
