//! Documents and objects: what was written is there under its key, before and after a restart.

use std::sync::Arc;

use anyhow::{Result, ensure};
use pluvio_e2e::{
    arrived::Message,
    servers::{FerretDb, OpenSearch, VersityGw},
    stage::Stage,
};

use super::{MESSAGES, same, samples, timed, without_properties};
use crate::{report::Counts, runner::Scenario};

const PLACE: &str = "rain";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("servers: FerretDB keeps what pymongo inserted over a restart", ferretdb)
            .needs(&FerretDb::TOOLS),
        Scenario::new("servers: OpenSearch keeps what opensearch-py indexed", opensearch)
            .needs(&OpenSearch::TOOLS),
        Scenario::new("servers: versitygw keeps what boto3 put over a restart", versitygw)
            .needs(&VersityGw::TOOLS),
    ]
}

fn same_keys(told: &[Message], sent: &[Message]) -> Result<()> {
    let is_same = told.iter().zip(sent).all(|(told, sent)| told.key == sent.key);
    ensure!(is_same, "other keys: {told:?}");
    Ok(())
}

async fn ferretdb(stage: Arc<Stage>) -> Result<Counts> {
    let (mut server, start) = timed(FerretDb::start(&stage)).await?;
    ensure!(server.read(&stage, "sky", PLACE).await?.is_empty(), "something is there already");
    let sent = without_properties(&samples(PLACE));
    server.write(&stage, "sky", PLACE, &sent).await?;
    same(&server.read(&stage, "sky", PLACE).await?, &sent)?;
    let again = server.write(&stage, "sky", PLACE, &sent[..1]).await;
    ensure!(again.is_err(), "a key is taken twice");
    server.service().restart().await?;
    let told = server.read(&stage, "sky", PLACE).await?;
    same(&told, &sent)?;
    same_keys(&told, &sent)?;
    Ok(Counts::default().with("documents", MESSAGES).with("start s", start))
}

async fn opensearch(stage: Arc<Stage>) -> Result<Counts> {
    let (mut server, start) = timed(OpenSearch::start(&stage)).await?;
    ensure!(server.read(&stage, PLACE).await?.is_empty(), "something is there already");
    let sent = without_properties(&samples(PLACE));
    server.write(&stage, PLACE, &sent).await?;
    same(&server.read(&stage, PLACE).await?, &sent)?;
    server.service().restart().await?;
    let told = server.read(&stage, PLACE).await?;
    same(&told, &sent)?;
    same_keys(&told, &sent)?;
    Ok(Counts::default().with("documents", MESSAGES).with("start s", start))
}

async fn versitygw(stage: Arc<Stage>) -> Result<Counts> {
    let mut starts = Vec::new();
    for has_tls in [false, true] {
        let (mut server, start) = timed(VersityGw::start(&stage, has_tls)).await?;
        starts.push(start);
        server.make_bucket(&stage, PLACE).await?;
        // Metadata is headers of HTTP, which are ASCII.
        let sent = without_properties(&samples(PLACE));
        let tagged = sent.iter().map(|message| Message {
            properties: [("origin".to_owned(), "sky".to_owned())].into(),
            ..message.clone()
        });
        let sent: Vec<Message> = tagged.collect();
        server.write(&stage, PLACE, &sent).await?;
        server.service().restart().await?;
        let told = server.read(&stage, PLACE, "drop-").await?;
        same(&told, &sent)?;
        same_keys(&told, &sent)?;
        let none = server.read(&stage, PLACE, "hail-").await?;
        ensure!(none.is_empty(), "below another prefix: {none:?}");
    }
    Ok(Counts::default().with("objects", 2 * MESSAGES).with("start s", starts.join(" and ")))
}
