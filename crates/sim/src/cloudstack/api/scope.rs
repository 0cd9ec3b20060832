//! Whose objects a list shows: `account`, `domainid`, `isrecursive`, `listall`, `projectid`.
//!
//! The rules are those of the account manager, surprises included: a root admin without `listall`
//! sees only what is its own, `domainid` alone is not recursive, and projects are left out unless
//! `projectid` asks for them.
//!
//! `projectid=-1` (`AccountManagerImpl.buildACLSearchParameters`): up to 4.13 objects of projects, to whom
//! is no user those of all; later a root admin gets with `listall` everything there is, and a domain admin
//! no more than a user: the projects that it is a member of, and with `listall` what is its own.

use super::call::{ApiError, Call};
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::directory::Role;
use crate::cloudstack::version::Version;

/// What becomes of projects' accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Projects {
    Any,
    Without,
    Only,
}

/// The accounts that a list covers, by index.
///
/// `by_id` says that the call asks for one object: then projects are not left out.
pub(crate) fn accounts(cloud: &Cloud, call: &Call<'_>, by_id: bool) -> Result<Vec<bool>, ApiError> {
    let directory = &cloud.directory;
    let caller = call.caller.account;
    let own = &directory.accounts[caller];
    let is_user = !call.is_admin(cloud);
    let is_newer = cloud.version >= Version::V4_17;
    let mut domain = call.index_of("domainid", directory.domains.iter().map(|d| &d.id))?;
    let mut recursive = call.flag("isrecursive");
    if let Some(domain) = domain {
        let mine =
            if is_user { domain == own.domain } else { directory.is_within(domain, own.domain) };
        if own.role != Role::Admin && !mine {
            return Err(denied(cloud, caller, "the domain"));
        }
    }
    let mut permitted = Vec::new();
    if let Some(name) = call.text("account") {
        permitted.push(named_account(cloud, call, name, domain.unwrap_or(own.domain))?);
    }
    let projects = match call.text("projectid") {
        Some("-1") if is_user || (is_newer && own.role != Role::Admin) => {
            let mine = directory.projects.iter().filter(|p| p.members.contains(&caller));
            permitted.extend(mine.map(|project| project.account));
            if permitted.is_empty() || call.flag("listall") {
                permitted.push(caller);
            }
            Projects::Any
        }
        Some("-1") if is_newer && call.flag("listall") => Projects::Any,
        Some("-1") => Projects::Only,
        Some(_) => {
            let ids = directory.projects.iter().map(|project| &project.id);
            let project = call.index_required("projectid", ids)?;
            let account = directory.projects[project].account;
            if !directory.may_see(caller, account) {
                return Err(denied(cloud, caller, "the project"));
            }
            permitted.push(account);
            Projects::Any
        }
        None => {
            if permitted.is_empty() && domain.is_none() {
                if is_user || (!call.flag("listall") && !by_id) {
                    permitted.push(caller);
                } else if own.role == Role::DomainAdmin {
                    (domain, recursive) = (Some(own.domain), true);
                }
            } else if domain.is_some() && is_user && permitted.is_empty() {
                permitted.push(caller);
            }
            if by_id { Projects::Any } else { Projects::Without }
        }
    };
    if projects != Projects::Any && own.role == Role::DomainAdmin && domain.is_none() {
        (domain, recursive) = (Some(own.domain), true);
    }
    let covered = |index: usize| {
        let account = &directory.accounts[index];
        let in_domain = domain.is_none_or(|domain| {
            account.domain == domain || (recursive && directory.is_within(account.domain, domain))
        });
        let by_project = match projects {
            Projects::Any => true,
            Projects::Without => account.project.is_none() || permitted.contains(&index),
            Projects::Only => account.project.is_some(),
        };
        let by_account = permitted.is_empty() || permitted.contains(&index);
        let by_id_of_user = !(by_id && is_user) || directory.may_see(caller, index);
        in_domain && by_project && by_account && by_id_of_user
    };
    Ok((0..directory.accounts.len()).map(covered).collect())
}

/// The account that a command acts for: named, of a project, or the caller's own.
pub(crate) fn owner(cloud: &Cloud, call: &Call<'_>) -> Result<usize, ApiError> {
    let directory = &cloud.directory;
    let caller = call.caller.account;
    let ids = directory.projects.iter().map(|project| &project.id);
    if let Some(project) = call.index_of("projectid", ids)? {
        let account = directory.projects[project].account;
        return if directory.may_see(caller, account) {
            Ok(account)
        } else {
            Err(denied(cloud, caller, "the project"))
        };
    }
    let Some(name) = call.text("account") else { return Ok(caller) };
    let domain = call.index_of("domainid", directory.domains.iter().map(|d| &d.id))?;
    named_account(cloud, call, name, domain.unwrap_or(directory.accounts[caller].domain))
}

fn named_account(
    cloud: &Cloud,
    call: &Call<'_>,
    name: &str,
    domain: usize,
) -> Result<usize, ApiError> {
    let directory = &cloud.directory;
    let mut accounts = directory.accounts.iter();
    let account = accounts.position(|a| a.name == name && a.domain == domain);
    let account = account.ok_or_else(|| {
        let domain = &directory.domains[domain].id;
        ApiError::parameter(format!("Unable to find account {name} in domain {domain}"))
    })?;
    if directory.may_see(call.caller.account, account) {
        Ok(account)
    } else {
        Err(denied(cloud, call.caller.account, "the account"))
    }
}

/// The error about an object that is not the caller's to touch.
pub(crate) fn denied(cloud: &Cloud, caller: usize, what: &str) -> ApiError {
    let name = &cloud.directory.accounts[caller].name;
    ApiError::new(531, format!("Account {name} does not have permission to operate with {what}"))
}
