//! `pluvio demo`: a simulated vCenter, captured, served and shown. Nothing to install, nothing to
//! configure.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use pluvio_connect::stdout::{Palette, line};
use pluvio_log::{Log as _, LogHandle, ReadLimit, StreamName};
use pluvio_sim::{VCenter, VCenterConfig};

use super::{
    Failed, block_on, print_line,
    run::{Running, start},
    stopped,
};
use crate::{cli::Demo, config};

/// Runs until stopped.
pub(crate) fn demo(options: &Demo) -> Result<(), Failed> {
    block_on(async {
        let vcenter = VCenter::start(VCenterConfig {
            events_per_second: options.rate,
            seed: options.seed,
            ..VCenterConfig::default()
        });
        let vcenter = vcenter.await.context("failed to simulate a vCenter")?;
        let (listen, kafka) = (free_address(options.port), free_address(options.kafka_port));
        let running = start(config::demo(&vcenter.url(), listen, kafka, &options.data)).await?;
        print_line(&welcome(&running, &vcenter));
        tokio::select! {
            shown = show(&running.log) => shown?,
            reason = stopped() => drop(reason?),
        }
        running.supervisor.drain().await;
        vcenter.stop().await;
        Ok(())
    })
}

/// The port asked for, or any other if somebody has it.
fn free_address(port: u16) -> SocketAddr {
    let wished = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(wished) {
        Ok(_) => wished,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

fn welcome(running: &Running, vcenter: &VCenter) -> String {
    let url = |name: &str| {
        let url = running.urls.iter().find(|(listener, _)| listener == name);
        url.map(|(_, url)| url.as_str()).unwrap_or_default()
    };
    let (kafka, url) = (url("kafka").trim_start_matches("kafka://"), url("http"));
    let (cloud, control) = (vcenter.url(), vcenter.control_url());
    format!(
        "A simulated vCenter is at {cloud}; Pluvio captures its events and serves them on {url}\n\
         Try in another terminal:\n\
         \n  curl -s {url}/api/v1/range\
         \n  curl -sN '{url}/api/v1/events?watch=true&type=VmPowered*'\
         \n  kcat -C -b {kafka} -t events -o -5 -e    # any Kafka client\
         \n  curl -sX POST '{control}/post?count=20'    # make twenty things happen\n\
         \nWhat comes in (Ctrl-C ends):"
    )
}

async fn show(log: &LogHandle) -> anyhow::Result<()> {
    let (stream, palette, zone) = (StreamName::events(), Palette::of_stdout(), TimeZone::system());
    let mut from = log.extent(&stream)?.next;
    loop {
        let limit =
            ReadLimit { wait: std::time::Duration::from_secs(3600), ..ReadLimit::default() };
        let chunk = log.read(&stream, from, limit).await?;
        for record in chunk.records() {
            let shown = record.event().map(|event| line(&event, palette, &zone));
            if !print_line(&shown.context("failed to decode a stored event")?) {
                return Ok(());
            }
        }
        from = chunk.next;
    }
}
