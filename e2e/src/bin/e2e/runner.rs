//! Runs scenarios side by side, each on a stage and a thread of its own.
//!
//! A thread, so that a scenario which waits for a server's end holds up no other. Told to stop, the
//! scenarios that run are dropped, which stops their servers.

use std::{collections::HashMap, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use anyhow::{Result, anyhow};
use pluvio_e2e::{
    folder::Folder,
    stage::Stage,
    tools::{NotRun, Tool, Tools},
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    task::{Id, JoinSet, spawn_blocking},
    time::{Instant, timeout},
};

use crate::report::{Counts, Outcome, Verdict};

/// A scenario that takes longer hangs. The longest waits twice for a quiet minute.
const SCENARIO_MAX: Duration = Duration::from_secs(200);
/// Scenarios that keep the machine busy at a time.
const BUSY_MAX: u32 = 2;
/// Scenarios that mostly wait, beside those.
const PATIENT_MAX: u32 = 6;
/// Lines of each log that a failure shows.
const LOG_TAIL_LINES: usize = 25;

/// What a scenario does with the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// It works.
    Busy,
    /// It works at the machine's limit: nothing else works beside it.
    Alone,
    /// It waits, most of the time.
    Patient,
}

type Run = dyn Fn(Arc<Stage>) -> Pin<Box<dyn Future<Output = Result<Counts>>>> + Send + Sync;

/// A sentence about Pluvio, and how it is tried.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    lane: Lane,
    pub(crate) needs: Vec<Tool>,
    /// Only run with `--all`, or by name.
    pub(crate) is_rare: bool,
    within: Duration,
    run: Arc<Run>,
}

impl Scenario {
    /// A scenario of the busy lane.
    pub(crate) fn new<F, R>(name: &'static str, run: R) -> Self
    where
        R: Fn(Arc<Stage>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Counts>> + 'static,
    {
        let run: Arc<Run> = Arc::new(move |stage| Box::pin(run(stage)));
        Self {
            name,
            lane: Lane::Busy,
            needs: Vec::new(),
            is_rare: false,
            within: SCENARIO_MAX,
            run,
        }
    }

    /// The same scenario, which waits for its turn until these are installed: a slow mirror takes
    /// nothing from the scenario's own time.
    pub(crate) fn needs(mut self, tools: &[Tool]) -> Self {
        self.needs.extend_from_slice(tools);
        self
    }

    /// The same scenario, only run with `--all` or by name.
    pub(crate) fn rare(mut self) -> Self {
        self.is_rare = true;
        self
    }

    /// The same scenario with another limit.
    pub(crate) fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// The same scenario in another lane.
    pub(crate) fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }
}

/// What all scenarios are run with.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    pub(crate) pluvio: PathBuf,
    pub(crate) tools: Tools,
    pub(crate) seed: u64,
    pub(crate) keep: bool,
    /// Becomes `true` when everything shall stop.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Runner {
    /// Runs all; tells each as it ends, and gives them in their own order.
    pub(crate) async fn run(self, scenarios: Vec<Scenario>) -> Vec<Outcome> {
        let lane = |turns: u32| Arc::new(Semaphore::new(turns as usize));
        let (busy, patient) = (lane(BUSY_MAX), lane(PATIENT_MAX));
        let mut tasks = JoinSet::new();
        let mut places: HashMap<Id, usize> = HashMap::new();
        for (place, scenario) in scenarios.iter().cloned().enumerate() {
            let (lane, share) = match scenario.lane {
                Lane::Busy => (Arc::clone(&busy), 1),
                Lane::Alone => (Arc::clone(&busy), BUSY_MAX),
                Lane::Patient => (Arc::clone(&patient), 1),
            };
            let runner = self.clone();
            let task = tasks.spawn(async move {
                for tool in &scenario.needs {
                    // What cannot be had is told by the scenario.
                    let _installed = runner.tools.path(*tool).await;
                }
                let _turn = lane.acquire_many(share).await;
                let thread =
                    spawn_blocking(move || Handle::current().block_on(runner.one(&scenario)));
                thread.await
            });
            places.insert(task.id(), place);
        }
        let mut outcomes: Vec<Option<Outcome>> = vec![None; scenarios.len()];
        while let Some(joined) = tasks.join_next_with_id().await {
            let (id, outcome) = match joined {
                Ok((id, outcome)) => (id, outcome.ok()),
                Err(error) => (error.id(), None),
            };
            let Some(place) = places.get(&id).copied() else { continue };
            let outcome = outcome.unwrap_or_else(|| Outcome {
                name: scenarios[place].name,
                verdict: Verdict::Failed("the scenario panicked".to_owned()),
                took: Duration::ZERO,
            });
            println!("{outcome}");
            outcomes[place] = Some(outcome);
        }
        outcomes.into_iter().flatten().collect()
    }

    async fn one(&self, scenario: &Scenario) -> Outcome {
        let begun = Instant::now();
        let mut stop = self.stop.clone();
        let verdict = match Folder::new(scenario.name) {
            Ok(folder) => tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Verdict::Skipped("stopped".to_owned()),
                verdict = self.on_stage(scenario, folder) => verdict,
            },
            Err(error) => Verdict::Failed(format!("{error:#}")),
        };
        Outcome { name: scenario.name, verdict, took: begun.elapsed() }
    }

    async fn on_stage(&self, scenario: &Scenario, folder: Folder) -> Verdict {
        let stage = Arc::new(Stage {
            folder,
            seed: self.seed,
            pluvio: self.pluvio.clone(),
            tools: self.tools.clone(),
        });
        if self.keep {
            stage.folder.keep();
        }
        let run = timeout(scenario.within, (scenario.run)(Arc::clone(&stage)));
        let done = run.await.unwrap_or_else(|_| {
            Err(anyhow!("the scenario did not end within {}s", scenario.within.as_secs()))
        });
        match done {
            Ok(counts) => Verdict::Passed(counts),
            Err(error) => match error.downcast_ref::<NotRun>() {
                Some(reason) => Verdict::Skipped(reason.to_string()),
                None => {
                    stage.folder.keep();
                    let kept = stage.folder.path().display();
                    println!("FAILED {}: {error:#}\nlogs are kept in {kept}", scenario.name);
                    println!("{}", stage.folder.log_tails(LOG_TAIL_LINES));
                    Verdict::Failed(format!("{error:#}"))
                }
            },
        }
    }
}
