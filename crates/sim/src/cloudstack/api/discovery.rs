//! What a client may find out about the API: `listApis`, `listCapabilities`, `getApiLimit`.

use serde_json::json;

use super::call::{Answer, ApiError, Call};
use super::table::COMMANDS;
use crate::cloudstack::cloud::Cloud;

/// `listApis`: what the caller's role may call.
///
/// A name that is unknown, or of a command that the role lacks, is an internal error in every
/// release (`ListApisCmd`).
pub(crate) fn apis(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let role = call.role(cloud);
    let name = call.text("name");
    let commands = COMMANDS
        .iter()
        .filter(|command| command.is_for(role) && name.is_none_or(|name| name == command.name));
    let rows: Vec<_> = commands.map(|command| command.told(call.version)).collect();
    if rows.is_empty() {
        let text =
            "Api Discovery plugin was unable to find an api by that name or process any apis";
        return Err(ApiError::new(530, text));
    }
    Ok(Answer::List { object: "api", count: rows.len(), rows })
}

/// `listCapabilities`.
pub(crate) fn capabilities(cloud: &mut Cloud, _: &Call<'_>) -> Result<Answer, ApiError> {
    Ok(Answer::Object(json!({"capability": {
        "securitygroupsenabled": true, "dynamicrolesenabled": true,
        "cloudstackversion": cloud.version.full(), "userpublictemplateenabled": true,
        "supportELB": "false", "projectinviterequired": false,
        "allowusercreateprojects": true, "customdiskofferingminsize": 1,
        "customdiskofferingmaxsize": 1024, "regionsecondaryenabled": false,
        "kvmsnapshotenabled": false, "allowuserviewdestroyedvm": false,
        "allowuserexpungerecovervm": false,
    }})))
}

/// `getApiLimit`.
pub(crate) fn limit(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let account = call.caller.account;
    let (began, issued) = cloud.windows.get(&account).copied().unwrap_or((cloud.now(), 0));
    let (allowed, expires) = cloud.throttle.map_or((-1, 0), |throttle| {
        let interval = i64::try_from(throttle.interval.as_secs()).unwrap_or(i64::MAX);
        let passed = cloud.now().duration_since(began).as_secs();
        (i64::from(throttle.calls_max).saturating_sub(issued.into()), interval - passed)
    });
    Ok(Answer::Object(json!({"apilimit": {
        "accountid": cloud.directory.accounts[account].id,
        "account": cloud.directory.accounts[account].name,
        "apiIssued": issued, "apiAllowed": allowed, "expireAfter": expires.max(0),
    }})))
}
