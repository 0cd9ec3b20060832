//! Our simulated vCenter, judged by VMware's own clients.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    feed,
    servers::{Govc, GovcEvent, Monitors, Pluvio, Produced, Simulator, Source, Visited},
    stage::Stage,
    tools::Tool,
};

use super::faults::until_feed_is_true;
use crate::{report::Counts, runner::Scenario};

const ARRIVAL_MAX: Duration = Duration::from_secs(60);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "govc finds our simulated vCenter to be what its control URL says",
            govc_and_our_simulated_vcenter,
        ),
        Scenario::new(
            "pyVmomi reads properties, events and managers of our simulated vCenter, by TLS and ids too",
            pyvmomi_and_our_simulated_vcenter,
        )
        .needs(&[Tool::PyVmomi]),
        Scenario::new(
            "vmware_exporter and checkvsphere watch our simulated vCenter as they watch others",
            monitored,
        )
        .needs(&[Tool::Monitors]),
        Scenario::new("Telegraf gathers from our simulated vCenter", gathered)
            .needs(&[Tool::Telegraf])
            .rare(),
        Scenario::new(
            "a day's history of our simulated vCenter is captured completely, exactly once",
            a_days_history,
        ),
    ]
}

async fn govc_and_our_simulated_vcenter(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 100).await?;
    let govc = Govc::of_simulator(&stage, &simulator).await?;
    let status = simulator.status().await?;
    let about = govc.run(&["about"]).await?;
    let uuid = status["instanceUuid"].as_str().context("the simulator has no uuid")?;
    ensure!(about.contains(uuid), "govc about does not show {uuid}: {about}");

    let lines = govc.run(&["events"]).await?.lines().count();
    ensure!(lines == 25, "govc shows {lines} events where it shows 25 by default");
    let newest = govc.run(&["events", "-n", "5", "-json"]).await?;
    let newest = newest.matches("\"createdTime\"").count();
    ensure!(newest == 5, "govc was asked for 5 events and gave {newest}");
    let shown = govc.events(40).await?;
    let produced = simulator.produced().await?;
    agree(&shown, &produced)?;

    let folders = govc.run(&["ls"]).await?;
    for kind in ["vm", "host", "datastore", "network"] {
        let has = folders.lines().any(|line| line.ends_with(&format!("/{kind}")));
        ensure!(has, "govc ls shows no folder of {kind}: {folders}");
    }
    let machines = govc.machines().await?.len();
    ensure!(status["machines"] == machines, "{machines} machines, but {}", status["machines"]);
    Ok(Counts::default().with("events compared", shown.len()).with("machines", machines))
}

async fn pyvmomi_and_our_simulated_vcenter(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 500).await?;
    let happened: Vec<i64> = simulator.produced().await?.iter().map(|event| event.key).collect();
    let visited = simulator.visited_by_pyvmomi(&stage).await?;
    as_it_should(&visited)?;
    ensure!(visited.events.starts_with(&happened), "a collector read {:?}", visited.events);
    let status = simulator.status().await?;
    ensure!(status["machines"] == visited.machines, "{} machines", visited.machines);
    let over_tls = Simulator::start_over_tls(&stage, 500).await?.visited_by_pyvmomi(&stage).await?;
    as_it_should(&over_tls).context("over TLS")?;
    ensure!(over_tls.events == visited.events, "over TLS a collector read {:?}", over_tls.events);
    let nine = Simulator::of_version(&stage, 500, "9.1.0.0").await?;
    let newest = nine.visited_by_pyvmomi(&stage).await?;
    as_it_should(&newest).context("of API 9.1")?;
    ensure!(newest.paged == newest.events, "behind ids it read {:?}", newest.paged);
    ensure!(newest.audited.as_deref() == Some("a-7"), "its audit id is {:?}", newest.audited);
    Ok(Counts::default()
        .with("events", visited.events.len())
        .with("by ids", newest.paged.len())
        .with("values", visited.read.len())
        .with("machines", visited.machines))
}

async fn monitored(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start_over_tls(&stage, 0).await?;
    let monitors = Monitors::of(&stage, &simulator).await?;
    let samples = monitors.exported().await?;
    let hosts = samples.get("vmware_host_power_state").copied().unwrap_or_default();
    let machines = samples.get("vmware_vm_power_state").copied().unwrap_or_default();
    ensure!(hosts > 0 && machines == 200, "{hosts} hosts and {machines} machines: {samples:?}");
    for sampled in ["vmware_host_cpu_usage_average", "vmware_vm_net_received_average"] {
        ensure!(samples.get(sampled).is_some_and(|count| *count > 0), "no {sampled}: {samples:?}");
    }
    let checks = monitors.checked().await?;
    let refused = checks.iter().find(|check| !check.is_ok);
    ensure!(refused.is_none(), "a check is not satisfied: {refused:?}");
    Ok(Counts::default()
        .with("metrics", samples.len())
        .with("samples", samples.values().sum::<usize>())
        .with("checks", checks.len()))
}

async fn gathered(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start_over_tls(&stage, 100).await?;
    let gathered = Monitors::telegraf(&stage, &simulator).await?;
    for resource in ["vm", "host", "cluster", "datastore"] {
        let has = gathered.keys().any(|name| name.starts_with(&format!("vsphere_{resource}_")));
        ensure!(has, "nothing of a {resource}: {gathered:?}");
    }
    Ok(Counts::default()
        .with("measurements", gathered.len())
        .with("metrics", gathered.values().sum::<usize>()))
}

fn as_it_should(visited: &Visited) -> Result<()> {
    ensure!(visited.queried.len() == 7, "QueryEvents gave {:?}", visited.queried);
    let logged = ["vim.event.GeneralUserEvent", "seen <by> pyVmomi", &visited.name];
    ensure!(visited.logged.iter().eq(logged), "it logged {:?}", visited.logged);
    let unset = visited.read.iter().find(|(_, value)| matches!(value.as_str(), "" | "0" | "None"));
    ensure!(unset.is_none() && visited.read.len() == 17, "{unset:?} is unset: {:?}", visited.read);
    let full = visited.empty.iter().find(|(_, rows)| **rows > 0);
    ensure!(full.is_none() && visited.empty.len() == 5, "{full:?} is not empty");
    ensure!(visited.misspelt.as_deref() == Some("nosuch"), "{:?}", visited.misspelt);
    Ok(())
}

/// What govc shows is a run of what happened, up to its own login.
fn agree(shown: &[GovcEvent], produced: &[Produced]) -> Result<()> {
    let first = shown.first().context("govc shows nothing")?;
    let begin = produced.iter().position(|event| event.key == first.key);
    let begin = begin.with_context(|| format!("{first:?} never happened"))?;
    for (shown, truth) in shown.iter().zip(&produced[begin..]) {
        // Of these two classes govc shows the event type's id.
        let is_named_by_class = !matches!(truth.class.as_str(), "EventEx" | "ExtendedEvent");
        let is_same = shown.key == truth.key
            && shown.created_time == truth.created_time
            && (shown.class == truth.class || !is_named_by_class);
        ensure!(is_same, "govc shows {shown:?} for {truth:?}");
    }
    // Behind the list comes only govc's own logout.
    let rest = produced.len() - begin - shown.len();
    ensure!(rest <= 1, "govc leaves out the newest {rest} events");
    Ok(())
}

async fn a_days_history(stage: Arc<Stage>) -> Result<Counts> {
    const BACKLOG: usize = 5_000;
    let simulator = Simulator::start(&stage, BACKLOG).await?;
    let source = Source { more: "begin = \"25h\"".to_owned(), ..Source::from(&simulator) };
    let pluvio = Pluvio::capture(&stage, source).await?;
    let collector = pluvio.collect().await?;
    simulator.control("post?count=1500").await?;
    let figures = until_feed_is_true(&simulator, &collector, ARRIVAL_MAX).await?;
    feed::in_order_none_twice(&collector.seen())?;
    ensure!(figures.odd == 0 && figures.gaps == 0, "the feed is not what happened: {figures:?}");
    Ok(Counts::default()
        .with("happened", figures.produced)
        .with("watched", collector.seen().len())
        .with("missing", 0))
}
