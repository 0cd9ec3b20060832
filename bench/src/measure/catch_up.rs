//! Catch-up: a long backlog into the log, against a bare drain by the same SOAP client.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use pluvio_e2e::{servers::Simulator, stage::Stage};

use super::{Pairs, Side, interleaved};
use crate::{
    report::{Goal, Row},
    servers,
    statistics::median,
    vcenter::{Drain, VCenter},
};

const EVENTS: usize = 100_000;
const PAIRS: usize = 4;
/// How often the log's length is asked for; small beside seconds.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let simulated = Simulator::start(stage, EVENTS).await?;
    drain(&simulated, Drain::Rendered).await?;
    let (mut rates, mut decoded) = (Pairs::default(), Vec::new());
    for side in interleaved(PAIRS) {
        let seconds = match side {
            Side::A => capture(stage, &simulated).await?,
            Side::B => {
                decoded.push(drain(&simulated, Drain::Decoded).await?);
                drain(&simulated, Drain::Rendered).await?
            }
        };
        rates.push(side, EVENTS as f64 / seconds);
    }
    let decoded = EVENTS as f64 / median(&decoded);
    let (a, b) = (median(&rates.a), median(&rates.b));
    let figures = format!(
        "{a:.0} events/s, bare drain {b:.0}/s; without rendering {decoded:.0}/s ({:.2})",
        a / decoded
    );
    let name = format!("catch-up of {EVENTS}, simulated vCenter");
    Ok(vec![Row::ratio(&name, Goal::AtLeast(0.9), &rates.ratios(), figures)])
}

/// From the start of the process until all is in the log.
async fn capture(stage: &Stage, simulated: &Simulator) -> Result<f64> {
    let begun = Instant::now();
    let pluvio = servers::pluvio(stage, simulated).await?;
    servers::holds(&pluvio, EVENTS, PAUSE).await?;
    Ok(begun.elapsed().as_secs_f64())
}

async fn drain(simulated: &Simulator, how: Drain) -> Result<f64> {
    let begun = Instant::now();
    let count = VCenter::login(simulated).await?.drain(how).await?;
    if count < EVENTS {
        bail!("the drain saw {count} of {EVENTS} events");
    }
    Ok(begun.elapsed().as_secs_f64())
}
