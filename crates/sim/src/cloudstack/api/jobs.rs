//! Asynchronous jobs as clients ask for them: always with HTTP 200, however the job ended.

use serde_json::{Map, Value, json};

use super::call::{Answer, ApiError, Call};
use super::dates::printed;
use super::lists::members;
use super::page::Page;
use super::scope;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::jobs::{Job, Outcome};

/// `queryAsyncJobResult`.
pub(crate) fn query(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let index = call.index_required("jobid", cloud.jobs.iter().map(|job| job.id))?;
    let job = &cloud.jobs[index];
    if !cloud.directory.may_see(call.caller.account, job.account) {
        return Err(scope::denied(cloud, call.caller.account, "the job"));
    }
    Ok(Answer::Object(Value::Object(row(cloud, job))))
}

/// `listAsyncJobs`.
pub(crate) fn list(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(cloud, call)?;
    let accounts = scope::accounts(cloud, call, false)?;
    let jobs = cloud.jobs.iter().rev().filter(|job| accounts[job.account]);
    let rows = jobs.map(|job| Value::Object(row(cloud, job))).collect();
    Ok(page.of_list("asyncjobs", rows))
}

fn row(cloud: &Cloud, job: &Job) -> Map<String, Value> {
    let account = &cloud.directory.accounts[job.account];
    let mut row = members(json!({
        "accountid": account.id, "account": account.name,
        "userid": cloud.directory.users[job.user].id, "cmd": job.command,
    }));
    let (status, code, kind, result) = match &job.outcome {
        Outcome::Pending => (0, 0, None, None),
        Outcome::Succeeded(value) => (1, 0, Some("object"), Some(value.clone())),
        Outcome::Failed { code, text } => {
            (2, 530, Some("object"), Some(json!({"errorcode": code, "errortext": text})))
        }
    };
    row.insert("jobstatus".to_owned(), json!(status));
    row.insert("jobprocstatus".to_owned(), json!(0));
    row.insert("jobresultcode".to_owned(), json!(code));
    if let (Some(kind), Some(result)) = (kind, result) {
        row.insert("jobresulttype".to_owned(), json!(kind));
        row.insert("jobresult".to_owned(), result);
    }
    if let Some((kind, id)) = job.instance {
        row.insert("jobinstancetype".to_owned(), json!(kind));
        row.insert("jobinstanceid".to_owned(), json!(id));
    }
    row.insert("created".to_owned(), json!(printed(cloud, job.created)));
    if let Some(completed) = job.completed {
        row.insert("completed".to_owned(), json!(printed(cloud, completed)));
    }
    row.insert("jobid".to_owned(), json!(job.id));
    row
}
