//! Domains, accounts, users, projects.

use serde_json::{Value, json};

use super::call::{Answer, ApiError, Call};
use super::lists::chosen;
use super::page::Page;
use super::scope;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::directory::Role;

/// `listDomains`.
pub(crate) fn domains(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let directory = &cloud.directory;
    let own = directory.accounts[call.caller.account].domain;
    let domains = directory.domains.iter().enumerate();
    let rows =
        domains.filter(|(index, _)| directory.is_within(*index, own)).map(|(index, domain)| {
            let mut row = json!({
                "id": domain.id, "name": domain.name, "level": domain.path.matches('/').count(),
                "haschild": directory.domains.iter().any(|d| d.parent == Some(index)),
                "path": domain.path, "state": "Active",
            });
            if let Some(parent) = domain.parent {
                row["parentdomainid"] = json!(directory.domains[parent].id);
                row["parentdomainname"] = json!(directory.domains[parent].name);
            }
            row
        });
    let rows = rows.collect();
    Ok(Page::of(cloud, call)?.of_list("domain", chosen(call, rows)))
}

/// `listAccounts`.
pub(crate) fn accounts(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let seen = scope::accounts(cloud, call, call.text("id").is_some())?;
    let accounts = cloud.directory.accounts.iter().enumerate();
    let shown = |role: Role| role != Role::Project;
    let rows =
        accounts.filter(|(index, a)| seen[*index] && shown(a.role)).map(|(index, account)| {
            let domain = &cloud.directory.domains[account.domain];
            let users = cloud.directory.users.iter().enumerate();
            let users: Vec<_> = users.filter(|(_, user)| user.account == index).collect();
            json!({
                "id": account.id, "name": account.name, "accounttype": account.role.number(),
                "roletype": account.role.name().replace("Root ", "").replace(' ', ""),
                "rolename": account.role.name(), "domainid": domain.id, "domain": domain.name,
                "domainpath": domain.path, "state": "enabled",
                "user": users.into_iter().map(|(index, _)| user(cloud, index)).collect::<Vec<_>>(),
                "isdefault": index <= crate::cloudstack::directory::ADMIN, "groups": [],
            })
        });
    let rows = rows.collect();
    Ok(Page::of(cloud, call)?.of_list("account", chosen(call, rows)))
}

/// `listUsers`.
pub(crate) fn users(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let seen = scope::accounts(cloud, call, call.text("id").is_some())?;
    let users = cloud.directory.users.iter().enumerate();
    let rows = users.filter(|(_, user)| seen[user.account]).map(|(index, _)| user(cloud, index));
    let rows = rows.collect();
    Ok(Page::of(cloud, call)?.of_list("user", chosen(call, rows)))
}

/// A user; keys are never told.
fn user(cloud: &Cloud, index: usize) -> Value {
    let user = &cloud.directory.users[index];
    let account = &cloud.directory.accounts[user.account];
    let domain = &cloud.directory.domains[account.domain];
    json!({
        "id": user.id, "username": user.name, "firstname": user.name, "lastname": "service",
        "email": format!("{}@example.com", user.name), "state": "enabled",
        "account": account.name, "accountid": account.id, "accounttype": account.role.number(),
        "rolename": account.role.name(), "domainid": domain.id, "domain": domain.name,
        "iscallerchilddomain": false, "isdefault": false,
    })
}

/// `listProjects`.
pub(crate) fn projects(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let directory = &cloud.directory;
    let caller = call.caller.account;
    let all = call.is_admin(cloud) && call.flag("listall");
    let projects = directory.projects.iter().filter(|project| {
        project.members.contains(&caller) || (all && directory.may_see(caller, project.account))
    });
    let rows = projects.map(|project| {
        let domain = &directory.domains[directory.accounts[project.account].domain];
        let owner = project.members.first().map(|owner| directory.accounts[*owner].name.clone());
        json!({
            "id": project.id, "name": project.name, "displaytext": project.name,
            "domainid": domain.id, "domain": domain.name, "account": owner, "state": "Active",
            "projectaccountname": directory.accounts[project.account].name, "tags": [],
        })
    });
    let rows = rows.collect();
    Ok(Page::of(cloud, call)?.of_list("project", chosen(call, rows)))
}
