//! A storm: machines switched off and on by several clients at once, at a rate.
//!
//! Each client owns its share of the machines and goes round them, first off, then on, so that a
//! machine's last switch is done long before the next. The rate is kept by a timetable: operation
//! `n` is due at `n / rate`, and whoever is late does not wait.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::Soap;

/// Events that one switch makes: "is stopping" and "is powered off", or the same for on.
const EVENTS_PER_OPERATION: f64 = 2.0;

/// Which load is put on a vCenter.
#[derive(Clone, Debug)]
pub struct PowerStorm {
    /// The vCenter, without TLS.
    pub address: SocketAddr,
    /// Who does it.
    pub username: String,
    /// The password.
    pub password: String,
    /// Connections, each with its own session and machines.
    pub connections: usize,
    /// Events per second to aim at, over all connections.
    pub events_per_second: f64,
    /// For how long.
    pub duration: Duration,
}

/// What a storm was.
#[derive(Clone, Copy, Debug)]
pub struct StormReport {
    /// Switches that the vCenter took on.
    pub operations: u64,
    /// Switches that it refused.
    pub refused: u64,
    /// Events it recorded from before the first switch until after the last, by its own keys.
    pub events: i64,
    /// How long it took in seconds.
    pub seconds: f64,
}

impl StormReport {
    /// Events recorded per second.
    pub fn events_per_second(&self) -> f64 {
        self.events as f64 / self.seconds
    }
}

impl PowerStorm {
    /// Lets it rage until it is over.
    pub async fn run(&self) -> Result<StormReport> {
        let mut observer = self.login().await?;
        let machines = observer.machines().await?;
        ensure!(machines.len() >= self.connections, "too few machines for a storm");
        let mut clients = Vec::new();
        for number in 0..self.connections {
            let share = machines.iter().skip(number).step_by(self.connections).cloned();
            clients.push((self.login().await?, share.collect::<Vec<_>>()));
        }
        let before = observer.newest_event().await?.key;
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for (soap, share) in clients {
            tasks.spawn(self.clone().switch(soap, share, begun));
        }
        let (mut operations, mut refused) = (0, 0);
        while let Some(done) = tasks.join_next().await {
            let (done, not_done) = done.context("a client of the storm broke")??;
            operations += done;
            refused += not_done;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let events = observer.newest_event().await?.key - before;
        observer.logout().await?;
        Ok(StormReport { operations, refused, events, seconds })
    }

    async fn login(&self) -> Result<Soap> {
        Soap::login(self.address, &self.username, &self.password).await
    }

    async fn switch(
        self,
        mut soap: Soap,
        machines: Vec<String>,
        begun: Instant,
    ) -> Result<(u64, u64)> {
        let per_second = self.events_per_second / EVENTS_PER_OPERATION / self.connections as f64;
        let (mut done, mut refused) = (0_u64, 0_u64);
        for round in 0.. {
            let on = round % 2 == 1;
            for machine in &machines {
                let due = Duration::from_secs_f64((done + refused) as f64 / per_second);
                if due.max(begun.elapsed()) >= self.duration {
                    soap.logout().await?;
                    return Ok((done, refused));
                }
                sleep_until(begun + due).await;
                match soap.power(machine, on).await? {
                    true => done += 1,
                    false => refused += 1,
                }
            }
        }
        Ok((done, refused))
    }
}
