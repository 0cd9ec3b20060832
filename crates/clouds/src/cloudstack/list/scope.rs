//! Whose things are listed. The defaults of CloudStack surprise everybody once.

use super::super::params::Params;

/// Whose things are listed: everything that the account may see.
///
/// The server's own default is narrower: without `listall` a root administrator gets the things of
/// his own account only, and `domainid` without `isrecursive` leaves out all domains below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Everything that the caller may see, not only what is his own.
    pub list_all: bool,
    /// Only this domain.
    pub domain_id: Option<String>,
    /// Domains below `domain_id` as well.
    pub is_recursive: bool,
    /// Only this account, by name; needs `domain_id`.
    pub account: Option<String>,
    /// What belongs to projects.
    pub projects: Projects,
}

/// Whether things of projects are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Projects {
    /// The server's default: none.
    #[default]
    None,
    /// `projectid=-1`: those of all projects. With `list_all`, new servers list them beside all
    /// else; to administrators older ones list nothing else. So whoever wants everything lists
    /// twice, with [`Projects::None`] and with this, and tells rows apart by id.
    All,
    /// Those of one project only.
    One(String),
}

impl Default for Scope {
    fn default() -> Scope {
        Scope {
            list_all: true,
            domain_id: None,
            is_recursive: true,
            account: None,
            projects: Projects::None,
        }
    }
}

impl Scope {
    pub(in super::super) fn add_to(&self, params: Params) -> Params {
        let params = self.add_without_projects(params);
        match &self.projects {
            Projects::None => params,
            Projects::All => params.with("projectid", "-1"),
            Projects::One(id) => params.with("projectid", id),
        }
    }

    /// For accounts and users, which belong to no project.
    pub(in super::super) fn add_without_projects(&self, params: Params) -> Params {
        params
            .with_flag("listall", self.list_all)
            .with_some("domainid", self.domain_id.as_deref())
            .with_flag("isrecursive", self.is_recursive && self.domain_id.is_some())
            .with_some("account", self.account.as_deref())
    }
}
