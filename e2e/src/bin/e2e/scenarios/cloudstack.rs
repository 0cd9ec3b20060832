//! A CloudStack as a source: whatever becomes of the cloud or of Pluvio, the log holds each event
//! that the cloud recorded, once.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    feed::{self, Seen},
    servers::{Deployment, Happened, Ordered, Pluvio, SimulatedCloudstack, Simulator},
    stage::Stage,
    tools::{NotRun, Tool},
    wait,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    report::Counts,
    runner::{Lane, Scenario},
};

const VERSIONS: [&str; 4] = ["4.9", "4.17", "4.20", "4.22"];
const BACKLOG: usize = 3_000;
const EVENTS_PER_SECOND: u32 = 300;
const KILLS: u32 = 4;
const LIFE_MILLIS_MAX: u64 = 1_500;
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
/// Each hits the next calls; Pluvio asks again.
const FAULTS: [&str; 5] = [
    "faults/unavailable?count=1",
    "faults/throttled?count=2&retry_ms=200",
    "faults/reset?count=1",
    "faults/malformed?count=1",
    "faults/cut?count=1",
];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "CloudStack: killed again and again, each release's events are in the log, each once",
            killed_while_it_captures,
        ),
        Scenario::new("both clouds are in one feed, each event once", both_clouds),
        Scenario::new(
            "CloudStack: five public clients order from a simulated one, and it is all in the feed",
            public_clients,
        )
        .needs(&[Tool::Cloudstack, Tool::CloudstackGo, Tool::CsClient, Tool::Jclouds]),
        Scenario::new(
            "CloudStack: a simulated one speaks TLS, to cs as it says itself, and to Pluvio",
            over_tls,
        )
        .needs(&[Tool::Cloudstack]),
        Scenario::new(
            "recordings: every answer of a real CloudStack that was recorded is understood",
            recordings,
        )
        .lane(Lane::Patient),
    ]
}

/// What happens to a machine that is ordered, stopped, started and destroyed.
const LIFE: [(&str, &[&str]); 4] = [
    ("VM.CREATE", &["Created", "Scheduled", "Started", "Completed"]),
    ("VM.STOP", &["Scheduled", "Started", "Completed"]),
    ("VM.START", &["Scheduled", "Started", "Completed"]),
    ("VM.DESTROY", &["Scheduled", "Started", "Completed"]),
];

async fn public_clients(stage: Arc<Stage>) -> Result<Counts> {
    let mut counts = Counts::default();
    for version in ["4.17", "4.22"] {
        let cloud = SimulatedCloudstack::start(&stage, version, 200).await?;
        let deployment = Deployment::of_section(cloud.section("cloud", "begin = \"2d\""))
            .log(&format!("dir = \"data-{version}\""));
        let pluvio = deployment.start(&stage).await?;
        for client in ["cs", "libcloud", "cloudstack-go", "csclient", "jclouds"] {
            let ordered = cloud.ordered_by(&stage, client).await?;
            as_it_should(&ordered).with_context(|| format!("{client} on {version}"))?;
            let collector = pluvio.collect().await?;
            let subject = format!("VirtualMachine/{}", ordered.machine);
            let is_about = |seen: &&Seen| seen.subject.as_deref() == Some(&subject);
            let has_all =
                |feed: &[Seen]| feed.iter().filter(is_about).count() >= ordered.events.len();
            collector.until("what was ordered", ARRIVAL_MAX, has_all).await?;
            counts = counts.with(client, format!("{} on {version}", ordered.events.len()));
        }
        let collector = pluvio.collect().await?;
        let happened = cloud.happened().await?;
        let has_all = |feed: &[Seen]| feed.len() >= happened.len();
        collector.until("everything", ARRIVAL_MAX, has_all).await?;
        same(&collector.seen(), &happened)?;
    }
    Ok(counts)
}

async fn over_tls(stage: Arc<Stage>) -> Result<Counts> {
    const EVENTS: usize = 300;
    let (cloud, introduction) = SimulatedCloudstack::over_tls(&stage, EVENTS).await?;
    let python = stage.tools.path(Tool::Cloudstack).await?;
    let folder = python.parent().context("the interpreter lies nowhere")?.display();
    let output = tokio::process::Command::new("sh")
        .args(["-c", &format!("PATH=\"{folder}:$PATH\" && {}", introduction.attempt)])
        .kill_on_drop(true)
        .output();
    let output = wait::at_most("cs", ARRIVAL_MAX, async {
        output.await.context("failed to run what is to be tried")
    })
    .await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{}` ended so: {said}", introduction.attempt);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let listed = answer["event"].as_array().map_or(0, Vec::len);
    ensure!(listed > 0, "cs lists nothing: {answer}");
    let more = format!("begin = \"2d\"\n{}", introduction.trust);
    let pluvio = Deployment::of_section(cloud.section("cloud", &more)).start(&stage).await?;
    let collector = pluvio.collect().await?;
    let has_all = |feed: &[Seen]| feed.len() >= EVENTS;
    collector.until("everything", ARRIVAL_MAX, has_all).await?;
    Ok(Counts::default().with("listed by cs", listed).with("captured", collector.seen().len()))
}

fn as_it_should(ordered: &Ordered) -> Result<()> {
    let states = |(kind, states): (&str, &'static [&'static str])| {
        let kind = kind.to_owned();
        states.iter().map(move |state| (kind.clone(), (*state).to_owned())).collect::<Vec<_>>()
    };
    let life = feed::bag(LIFE.into_iter().flat_map(states));
    let told = feed::bag(ordered.events.iter().cloned());
    ensure!(told == life, "the machine's events are {told:?}");
    let empty = ordered.listed.iter().find(|(_, rows)| **rows == 0);
    ensure!(empty.is_none() && ordered.listed.len() >= 6, "a list is empty: {ordered:?}");
    ensure!(ordered.refused.is_some(), "a wrong key opens the cloud");
    Ok(())
}

/// Where they lie, seen from the repository; they are not in it.
const RECORDINGS: &str = "../shared/fixtures/cloudstack-libcloud";

/// Runs the tests of the client on them, which must then find them.
async fn recordings(_: Arc<Stage>) -> Result<Counts> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = workspace.join(RECORDINGS);
    if !folder.is_dir() {
        return Err(NotRun(format!("no `{RECORDINGS}`")).into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = tokio::process::Command::new(cargo)
        .args(["test", "--quiet", "--package", "pluvio-clouds", "--test", "cloudstack", "record"])
        .env("PLUVIO_TEST_CLOUDSTACK_RECORDINGS", folder.canonicalize()?)
        .current_dir(&workspace)
        .kill_on_drop(true)
        .output()
        .await
        .context("failed to start cargo")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the tests failed: {said}{errors}");
    let passed = said.lines().find_map(|line| line.strip_prefix("test result: ok. "));
    let passed = passed.and_then(|it| it.split_once(" passed")).context("no test ran")?.0;
    ensure!(passed.parse::<u32>()? >= 4, "only {passed} tests ran");
    let count = std::fs::read_dir(&folder)?.count();
    Ok(Counts::default().with("recordings", count).with("tests", passed))
}

async fn killed_while_it_captures(stage: Arc<Stage>) -> Result<Counts> {
    let mut rng = StdRng::seed_from_u64(stage.seed);
    let mut counts = Counts::default();
    for (number, version) in VERSIONS.into_iter().enumerate() {
        let cloud = SimulatedCloudstack::start(&stage, version, BACKLOG).await?;
        let deployment = Deployment::of_section(cloud.section("cloud", "begin = \"2d\""))
            .log(&format!("dir = \"data-{number}\""));
        cloud.control(&format!("rate?per_second={EVENTS_PER_SECOND}")).await?;
        for _ in 0..KILLS {
            let mut pluvio = deployment.start(&stage).await?;
            cloud.control(FAULTS[rng.random_range(0..FAULTS.len())]).await?;
            wait::a_moment(Duration::from_millis(rng.random_range(0..LIFE_MILLIS_MAX))).await;
            pluvio.kill().await?;
        }
        cloud.control("rate?per_second=0").await?;
        let happened = cloud.happened().await?;
        let pluvio = deployment.start(&stage).await?;
        let collector = pluvio.collect().await?;
        let has_all = |feed: &[Seen]| feed.len() >= happened.len();
        let arrived = collector.until(&format!("all of {version}"), ARRIVAL_MAX, has_all).await;
        same(&collector.seen(), &happened).with_context(|| format!("of {version}"))?;
        arrived?;
        counts = counts.with(version, happened.len());
    }
    Ok(counts.with("kills each", KILLS).with("missing", 0).with("twice", 0))
}

/// What was watched is what happened: each once, of its type, in any order.
fn same(feed: &[Seen], happened: &[Happened]) -> Result<()> {
    let counted = feed::bag(feed.iter().map(|seen| seen.id.as_str()));
    let twice = counted.iter().find(|(_, count)| **count > 1);
    ensure!(twice.is_none(), "it is there twice: {twice:?}");
    let by_id: BTreeMap<&str, &Seen> = feed.iter().map(|seen| (seen.id.as_str(), seen)).collect();
    let is_missing = |event: &&Happened| !by_id.contains_key(event.id.as_str());
    let missing = happened.iter().filter(is_missing).count();
    let first = happened.iter().find(is_missing);
    ensure!(missing == 0, "{missing} are missing, the first: {first:?}");
    for event in happened {
        let seen = by_id.get(event.id.as_str()).context("it is there")?;
        let kind = format!("org.apache.cloudstack.{}", event.kind);
        let is_same = seen.kind == kind && seen.time == Some(event.created);
        ensure!(is_same, "{event:?} was watched as {seen:?}");
    }
    ensure!(feed.len() == happened.len(), "{} instead of {}", feed.len(), happened.len());
    Ok(())
}

async fn both_clouds(stage: Arc<Stage>) -> Result<Counts> {
    let vcenter = Simulator::start(&stage, 0).await?;
    let cloud = SimulatedCloudstack::start(&stage, "4.20", 0).await?;
    let beside = stage.folder.path().join("beside.ndjson");
    let deployment = Deployment::of(&vcenter)
        .section(cloud.section("cloud", "begin = \"1h\""))
        .sink("beside", &format!("type = \"file\"\npath = \"{}\"", beside.display()));
    let pluvio = deployment.start(&stage).await?;
    pluvio.until_ready(ARRIVAL_MAX).await?;
    vcenter.control("post?count=500").await?;
    cloud.control("post?count=500").await?;
    let (of_vcenter, of_cloud) = (vcenter.produced().await?.len(), cloud.happened().await?);
    let collector = pluvio.collect().await?;
    let is_of_cloud = |seen: &Seen| seen.kind.starts_with("org.apache.cloudstack.");
    let has_all = |feed: &[Seen]| {
        let count = feed.iter().filter(|seen| is_of_cloud(seen)).count();
        count >= of_cloud.len() && feed.len() - count >= of_vcenter
    };
    let arrived = collector.until("all of both", ARRIVAL_MAX, has_all).await;
    let feed = collector.seen();
    let (cloudstack, vsphere): (Vec<_>, Vec<_>) = feed.into_iter().partition(is_of_cloud);
    same(&cloudstack, &of_cloud)?;
    feed::in_order_none_twice(&vsphere)?;
    arrived?;
    let metrics = described(&pluvio).await?;
    Ok(Counts::default()
        .with("of vSphere", vsphere.len())
        .with("of CloudStack", cloudstack.len())
        .with("metrics", metrics))
}

/// Every metric says what it means; gives how many there are.
async fn described(pluvio: &Pluvio) -> Result<usize> {
    let text = pluvio.get("/metrics").await?.text();
    let names = |what: &str| -> BTreeSet<&str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(what));
        lines.filter_map(|rest| rest.split(' ').next()).collect()
    };
    let (all, described) = (names("# TYPE "), names("# HELP "));
    let silent: Vec<_> = all.difference(&described).collect();
    ensure!(silent.is_empty(), "these metrics do not say what they mean: {silent:?}");
    ensure!(all.contains("pluvio_cloudstack_calls_total"), "{all:?}");
    Ok(all.len())
}
