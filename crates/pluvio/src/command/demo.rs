//! `pluvio demo`: two simulated clouds, captured into one feed, served and shown. Nothing to install,
//! nothing to configure.
//!
//! Its operators are on their way from vSphere to CloudStack: a machine that is removed there is
//! imported here.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use pluvio_connect::{
    cloudstack,
    stdout::{Palette, line},
};
use pluvio_event::{Data, Event};
use pluvio_log::{Log as _, LogHandle, ReadLimit, StreamName};
use pluvio_secret::SecretSource;
use pluvio_sim::{
    CloudStack, CloudStackConfig, VCenter, VCenterConfig,
    cloudstack::{Emission, State},
};

use super::{
    Failed, block_on, print_line, print_painted,
    run::{Running, start},
    stopped,
};
use crate::{cli::Demo, config};

/// Runs until stopped.
pub(crate) fn demo(options: &Demo) -> Result<(), Failed> {
    block_on(async {
        let vcenter = VCenter::start(VCenterConfig {
            events_per_second: options.rate / 2.0,
            seed: options.seed,
            ..VCenterConfig::default()
        });
        let vcenter = vcenter.await.context("failed to simulate a vCenter")?;
        let cloudstack = CloudStack::start(CloudStackConfig {
            events_per_second: options.rate / 2.0,
            seed: options.seed,
            ..CloudStackConfig::default()
        });
        let cloudstack = cloudstack.await.context("failed to simulate a CloudStack")?;
        let (listen, kafka) = (free_address(options.port), free_address(options.kafka_port));
        let source = source_of(&cloudstack);
        let configuration = config::demo(&vcenter.url(), source, listen, kafka, &options.data);
        let running = start(configuration).await?;
        print_line(&welcome(&running, &vcenter, &cloudstack));
        tokio::select! {
            shown = show(&running.log, &cloudstack) => shown?,
            reason = stopped() => drop(reason?),
        }
        running.supervisor.drain().await;
        vcenter.stop().await;
        cloudstack.stop().await;
        Ok(())
    })
}

/// The root admin sees everything. Each start simulates another cloud whose events have the same ids,
/// so it is told apart by its `source`.
fn source_of(cloudstack: &CloudStack) -> cloudstack::Config {
    let keys = cloudstack.keys().into_iter().next();
    let secret = |key: String| SecretSource::literal(&key);
    cloudstack::Config {
        api_key: keys.clone().map(|keys| secret(keys.api_key)),
        secret_key: keys.map(|keys| secret(keys.secret_key)),
        source: Some(format!("urn:pluvio:demo:cloudstack:{}", jiff::Timestamp::now().as_second())),
        ..cloudstack::Config::new(cloudstack.url())
    }
}

/// The port asked for, or any other if somebody has it.
fn free_address(port: u16) -> SocketAddr {
    let wished = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(wished) {
        Ok(_) => wished,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

fn welcome(running: &Running, vcenter: &VCenter, cloudstack: &CloudStack) -> String {
    let url = |name: &str| {
        let url = running.urls.iter().find(|(listener, _)| listener == name);
        url.map(|(_, url)| url.as_str()).unwrap_or_default()
    };
    let (kafka, url) = (url("kafka").trim_start_matches("kafka://"), url("http"));
    let (sdk, api) = (vcenter.url(), cloudstack.url());
    let (of_vcenter, of_cloudstack) = (vcenter.control_url(), cloudstack.control_url());
    format!(
        "A simulated vCenter is at {sdk}, a simulated CloudStack at {api};\n\
         Pluvio captures the events of both into one feed and serves it on {url}\n\
         Try in another terminal:\n\
         \n  curl -s {url}/api/v1/range\
         \n  curl -sN '{url}/api/v1/events?watch=true&type=VmPowered*'\
         \n  curl -sN '{url}/api/v1/events?watch=true&type=org.apache.cloudstack.*'\
         \n  kcat -C -b {kafka} -t events -o -5 -c 5  # any Kafka client\
         \n  curl -sX POST '{of_vcenter}/post?count=20'       # make twenty things happen\
         \n  curl -sX POST '{of_cloudstack}/post?count=20'    # and there\n\
         \nWhat comes in (Ctrl-C ends):"
    )
}

async fn show(log: &LogHandle, cloudstack: &CloudStack) -> anyhow::Result<()> {
    let (stream, palette, zone) = (StreamName::events(), Palette::of_stdout(), TimeZone::system());
    let mut from = log.extent(&stream)?.next;
    loop {
        let limit =
            ReadLimit { wait: std::time::Duration::from_secs(3600), ..ReadLimit::default() };
        let chunk = log.read(&stream, from, limit).await?;
        for record in chunk.records() {
            let event = record.event().context("failed to decode a stored event")?;
            if !print_painted(&line(&event, palette, &zone)) {
                return Ok(());
            }
            if let Some(machine) = removed(&event) {
                import(cloudstack, &machine);
            }
        }
        from = chunk.next;
    }
}

/// The machine that left vSphere with this event.
fn removed(event: &Event) -> Option<String> {
    if event.event_type() != "com.vmware.vsphere.VmRemovedEvent.v0" {
        return None;
    }
    let data: serde_json::Value = serde_json::from_slice(event.data().map(Data::as_bytes)?).ok()?;
    Some(data.get("Vm")?.get("Name")?.as_str()?.to_owned())
}

/// The machine arrives.
fn import(cloudstack: &CloudStack, machine: &str) {
    let step = |state, description: String, parent| Emission {
        kind: "VM.IMPORT".to_owned(),
        state,
        description: Some(description),
        parent,
        ..Emission::default()
    };
    let begun = format!("importing the virtual machine {machine} from vSphere");
    let begun = cloudstack.emit(&step(State::Started, begun, None));
    let done = format!("imported the virtual machine {machine} from vSphere");
    cloudstack.emit(&step(State::Completed, done, Some(begun)));
}
