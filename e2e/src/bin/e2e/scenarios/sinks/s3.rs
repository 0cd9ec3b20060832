//! The S3 sink against a gateway that verifies signatures: each event is in one object, once.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    arrived::{self, Message},
    servers::{Service, Toxiproxy, VersityGw},
    stage::Stage,
};

use super::through::{Login, Target, refused, through};
use crate::{report::Counts, runner::Scenario};

const BUCKET: &str = "sky";

pub(super) fn scenarios() -> Vec<Scenario> {
    let tools = [&VersityGw::TOOLS[..], &Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new("s3 sink: each event is in one object, once, whatever happens", plain)
            .needs(&tools),
        Scenario::new("s3 sink: the same packed, over TLS", packed).needs(&tools),
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
