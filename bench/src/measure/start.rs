//! From the start of the process to the first good answer.

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use pluvio_e2e::{
    http,
    process::Process,
    servers::{Vcsim, free_address},
    stage::Stage,
};

use crate::{
    report::Row,
    servers,
    statistics::{Estimate, millis, quantile_of},
};

const STARTS: usize = 20;
const START_MAX_MILLIS: f64 = 50.0;
const PAUSE: Duration = Duration::from_micros(500);
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let vcsim = servers::vcsim(stage).await?;
    servers::by_environment(stage, &vcsim)?;
    let (mut answers, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        // The harness waits for the program to say where it serves: that is too late here.
        let address = free_address()?;
        let mut command = command(stage, &vcsim, address);
        let begun = Instant::now();
        let _pluvio = Process::start("start", &mut command, stage.folder.path())?;
        until_good(address, "/api/v1/range").await?;
        answers.push(millis(begun.elapsed()));
        until_good(address, "/readyz").await?;
        ready.push(millis(begun.elapsed()));
    }
    let Estimate { median, low, high } = Estimate::of(&answers);
    Ok(vec![Row {
        name: "start to the first good answer".to_owned(),
        goal: format!("≤ {START_MAX_MILLIS} ms"),
        measured: format!("{median:.1} ms ({low:.1} … {high:.1})"),
        figures: format!(
            "worst of {STARTS} {:.1} ms; connected to vcsim after {:.1} ms",
            quantile_of(&answers, 1.0),
            quantile_of(&ready, 0.5)
        ),
        is_met: median <= START_MAX_MILLIS,
    }])
}

fn command(stage: &Stage, vcsim: &Vcsim, address: SocketAddr) -> Command {
    let mut command = Command::new(&stage.pluvio);
    command
        .env_clear()
        .env("VCENTER_URL", vcsim.url())
        .env("VCENTER_INSECURE", "true")
        .env("VCENTER_SECRET_PATH", stage.folder.path())
        .env("PORT", address.port().to_string());
    command
}

async fn until_good(address: SocketAddr, target: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let answer = http::get(address, target).await;
        if answer.as_ref().is_ok_and(|answer| matches!(answer.status(), 200 | 204)) {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!("no good answer to {target} within {PATIENCE:?}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
