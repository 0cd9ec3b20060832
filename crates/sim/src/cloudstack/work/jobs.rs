//! How jobs run: the operation that a command started, and the answer to the command when it ends.
//!
//! A job waits for its operation and has none of its own: what is done is done by steps, as the workload does it.

use jiff::Timestamp;
use uuid::Uuid;

use crate::cloudstack::api;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::jobs::{Job, Outcome};
use crate::cloudstack::life::{Chain, Op, Subject};
use crate::seed::seeded_uuid;

impl Cloud {
    /// Starts a job that runs an operation; returns its identifier.
    ///
    /// The first events are written at once, the rest as time passes.
    pub(crate) fn start_job(&mut self, mut job: Job, mut chain: Chain) -> Uuid {
        let id = job.id;
        let now = self.now();
        job.created = now;
        chain.job = Some(self.jobs.len());
        chain.fails |= self.troubles.next_failing_job();
        self.jobs.push(job);
        let first_steps = chain.op.trail().steps.len().saturating_sub(2);
        let mut chain = Some(chain);
        for _ in 0..first_steps {
            chain = chain.and_then(|chain| self.step(chain, now));
        }
        if let Some(chain) = chain {
            self.agenda.add(now, chain);
        }
        id
    }

    /// Does the steps of jobs that have become due.
    pub(crate) fn run_jobs(&mut self, now: Timestamp) {
        while let Some((due, chain)) = self.agenda.pop_due(now) {
            if let Some(chain) = self.step(chain, due) {
                let done = due.saturating_add(self.job_duration).unwrap_or(due);
                self.agenda.add(done, chain);
            }
        }
    }

    /// Ends the job that waits for an operation, if one does.
    pub(crate) fn finish_job(&mut self, chain: &Chain, failed: bool, at: Timestamp) {
        let Some(index) = chain.job else { return };
        let result = match chain.subject {
            _ if failed => None,
            Subject::Machine(machine) => Some(api::machine_result(self, machine)),
            Subject::Volume(volume, _) => Some(api::volume_result(self, volume)),
            Subject::Rules { group, first, end }
                if matches!(chain.op, Op::IngressAuthorize | Op::EgressAuthorize) =>
            {
                Some(api::group_result(self, group, first..end))
            }
            Subject::Network(_)
            | Subject::SecurityGroup(_)
            | Subject::Rules { .. }
            | Subject::Nothing => Some(serde_json::json!({"success": true})),
        };
        let job = &mut self.jobs[index];
        job.completed = Some(at);
        job.outcome = match result {
            Some(value) => Outcome::Succeeded(value),
            None => {
                let (code, text) = job.failure.clone();
                Outcome::Failed { code, text }
            }
        };
    }

    /// An identifier for a job or an object that a client asked for.
    pub(crate) fn fresh_id(&mut self) -> Uuid {
        seeded_uuid(&mut self.client_rng)
    }
}
