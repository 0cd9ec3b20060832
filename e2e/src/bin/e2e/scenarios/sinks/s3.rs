//! The S3 sink against a gateway that verifies signatures: each event is in one object, once.

use std::{collections::HashSet, fs, io, net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    arrived::{self, Message},
    feed::Seen,
    servers::{Deployment, Service, Simulator, Toxiproxy, VersityGw},
    stage::Stage,
};

use super::through::{ARRIVAL_MAX, Login, SINK, Target, caught_up, refused, through};
use crate::{report::Counts, runner::Scenario, scenarios::crashes::captured};

const BUCKET: &str = "sky";
/// More than are in the copy of a log that is put back.
const EVENTS: usize = 60;

pub(super) fn scenarios() -> Vec<Scenario> {
    let tools = [&VersityGw::TOOLS[..], &Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new("s3 sink: each event is in one object, once, whatever happens", plain)
            .needs(&tools),
        Scenario::new("s3 sink: the same packed, over TLS", packed).needs(&tools),
        Scenario::new(
            "s3 sink: a log that is put back from a copy takes nothing from the bucket",
            put_back,
        )
        .needs(&VersityGw::TOOLS),
        Scenario::new("s3 sink: a wrong key is told, and loses nothing", wrong_key)
            .needs(&VersityGw::TOOLS),
    ]
}

struct Gateway {
    gateway: VersityGw,
    more: String,
}

impl Target for Gateway {
    const IS_ONCE: bool = true;

    fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    fn lines(&self, address: SocketAddr, login: Login) -> String {
        let secret = if login == Login::Right { VersityGw::PASSWORD } else { "drought" };
        let scheme = self.gateway.url();
        let scheme = scheme.split(':').next().unwrap_or_default();
        format!(
            "type = \"s3\"\nendpoint = \"{scheme}://localhost:{}\"\nbucket = \"{BUCKET}\"\n\
             prefix = \"a rchive+/\"\naccess_key = \"{}\"\nsecret_key = \"{secret}\"\n\
             batch_age = \"500ms\"\n{}",
            address.port(),
            VersityGw::USERNAME,
            self.more
        )
    }

    fn service(&mut self) -> &mut Service {
        self.gateway.service()
    }

    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>> {
        let objects = self.gateway.read(stage, BUCKET, "a rchive+/events/").await?;
        for object in &objects {
            let key = object.key.as_deref().context("an object has no key")?;
            let events = arrived::events(std::slice::from_ref(object))?;
            let first = events.first().and_then(|event| event.sequence.as_deref());
            let is_named = first.is_some_and(|first| key.contains(first));
            ensure!(is_named, "{key} begins with {first:?}");
        }
        Ok(objects)
    }
}

async fn started(stage: &Stage, has_tls: bool) -> Result<Gateway> {
    let gateway = VersityGw::start(stage, has_tls).await?;
    gateway.make_bucket(stage, BUCKET).await?;
    let more = match has_tls {
        true => format!(
            "compression = \"gzip\"\ntls.ca_file = \"{}\"\n",
            gateway.tls().authority.display()
        ),
        false => String::new(),
    };
    Ok(Gateway { gateway, more })
}

async fn plain(stage: Arc<Stage>) -> Result<Counts> {
    let gateway = started(&stage, false).await?;
    through(stage, gateway).await
}

async fn packed(stage: Arc<Stage>) -> Result<Counts> {
    let gateway = started(&stage, true).await?;
    through(stage, gateway).await
}

async fn wrong_key(stage: Arc<Stage>) -> Result<Counts> {
    let gateway = started(&stage, false).await?;
    refused(stage, gateway).await
}

/// The offsets behind the copy's end go to other events than before, and each has an object of its own.
async fn put_back(stage: Arc<Stage>) -> Result<Counts> {
    let mut gateway = started(&stage, false).await?;
    let lines = gateway.lines(gateway.address(), Login::Right) + "batch_events = 1\n";
    let deployment = |simulator: &Simulator| Deployment::of(simulator).sink(SINK, &lines);
    let [data, copy] = [Deployment::DATA, "copy"].map(|name| stage.folder.path().join(name));

    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control("post?count=20").await?;
    let mut pluvio = deployment(&simulator).start(&stage).await?;
    let copied = captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, SINK).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    copy_folder(&data, &copy)?;
    let mut pluvio = deployment(&simulator).start(&stage).await?;
    simulator.control(&format!("post?count={EVENTS}")).await?;
    captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, SINK).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    let before = arrived::events(&gateway.arrived(&stage).await?)?;

    fs::remove_dir_all(&data)?;
    fs::rename(&copy, &data)?;
    let other = Simulator::start(&stage, 0).await?;
    let mut pluvio = deployment(&other).start(&stage).await?;
    other.control(&format!("post?count={EVENTS}")).await?;
    let collector = pluvio.collect().await?;
    let is_enough = |feed: &[Seen]| feed.len() >= copied + EVENTS;
    collector.until("the events of another cloud", ARRIVAL_MAX, is_enough).await?;
    let feed = collector.seen();
    caught_up(&pluvio, SINK).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;

    let objects = gateway.arrived(&stage).await?;
    let after = arrived::events(&objects)?;
    let there: HashSet<_> = after.iter().collect();
    let lost = before.iter().find(|event| !there.contains(event));
    ensure!(lost.is_none(), "{lost:?} was in the bucket and is no longer");
    let there: HashSet<_> =
        after.iter().map(|event| (event.id.as_str(), event.sequence.as_deref())).collect();
    let lost = feed.iter().find(|seen| !there.contains(&(&seen.id, Some(&seen.sequence))));
    ensure!(lost.is_none(), "{lost:?} is in the log and not in the bucket");
    let numbered = objects.iter().filter_map(|object| object.key.as_deref());
    let numbered = numbered.filter(|key| key.ends_with("-2.ndjson")).count();
    ensure!(numbered > 0, "no two objects wanted one name");
    Ok(Counts::default()
        .with("before", before.len())
        .with("after", after.len())
        .with("numbered", numbered))
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}
