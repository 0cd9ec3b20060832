//! Who is in the cloud: a tree of domains, accounts, users with their keys, and a project.
//!
//! The people are the same in every simulated cloud, so that tests and examples can name them; only
//! their identifiers come from the seed. Keys say of themselves that they are simulated. A cloud that
//! plays a recording has the people of its recording instead.

use rand::rngs::StdRng;

use crate::seed::seeded_uuid;

/// The account type as CloudStack numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Admin,
    DomainAdmin,
    /// The account that a project's resources belong to; nobody logs in as it.
    Project,
}

impl Role {
    /// The number in `accounttype`.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::User => 0,
            Self::Admin => 1,
            Self::DomainAdmin => 2,
            Self::Project => 5,
        }
    }

    /// The name in `rolename`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User | Self::Project => "User",
            Self::Admin => "Root Admin",
            Self::DomainAdmin => "Domain Admin",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Domain {
    /// A UUID as a rule; old servers had numbers.
    pub(crate) id: String,
    pub(crate) name: String,
    /// From the root, with slashes: `ROOT/engineering/lab`.
    pub(crate) path: String,
    pub(crate) parent: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domain: usize,
    pub(crate) role: Role,
    /// The project whose resources it holds.
    pub(crate) project: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) account: usize,
    pub(crate) api_key: String,
    pub(crate) secret_key: String,
    pub(crate) password: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The account that its resources belong to.
    pub(crate) account: usize,
    /// Accounts that may see into it; the first one owns it.
    pub(crate) members: Vec<usize>,
}

/// Everybody.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    pub(crate) domains: Vec<Domain>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) users: Vec<User>,
    pub(crate) projects: Vec<Project>,
}

/// Name, path, parent.
const DOMAINS: [(&str, &str, Option<usize>); 4] = [
    ("ROOT", "ROOT", None),
    ("engineering", "ROOT/engineering", Some(0)),
    ("lab", "ROOT/engineering/lab", Some(1)),
    ("research", "ROOT/research", Some(0)),
];

/// Name, domain, role, users. The first is the cloud itself and has no keys.
const ACCOUNTS: [(&str, usize, Role, &[&str]); 8] = [
    ("system", 0, Role::Admin, &["system"]),
    ("admin", 0, Role::Admin, &["admin"]),
    ("eng-admin", 1, Role::DomainAdmin, &["eng-admin"]),
    ("web", 1, Role::User, &["web-deploy", "web-ops"]),
    ("data", 1, Role::User, &["data-deploy"]),
    ("lab", 2, Role::User, &["lab-deploy"]),
    ("research-admin", 3, Role::DomainAdmin, &["research-admin"]),
    ("batch", 3, Role::User, &["batch-deploy"]),
];

/// The cloud itself: nobody's account.
pub(crate) const SYSTEM: usize = 0;
/// The root admin.
pub(crate) const ADMIN: usize = 1;
/// The user of the root admin.
pub(crate) const ADMIN_USER: usize = 1;

impl User {
    /// A user with keys that say of themselves that they are simulated.
    pub(crate) fn new(id: String, name: &str, account: usize) -> Self {
        Self {
            id,
            account,
            api_key: format!("simulated-api-key-{name}"),
            secret_key: format!("simulated-secret-key-{name}"),
            password: format!("simulated-password-{name}"),
            name: name.to_owned(),
        }
    }
}

impl Directory {
    pub(crate) fn build(rng: &mut StdRng) -> Self {
        let domains = DOMAINS
            .into_iter()
            .map(|(name, path, parent)| Domain {
                id: seeded_uuid(rng).to_string(),
                name: name.to_owned(),
                path: path.to_owned(),
                parent,
            })
            .collect();
        let mut directory =
            Self { domains, accounts: Vec::new(), users: Vec::new(), projects: Vec::new() };
        for (name, domain, role, users) in ACCOUNTS {
            let account = directory.accounts.len();
            let id = seeded_uuid(rng).to_string();
            let name = name.to_owned();
            directory.accounts.push(Account { id, name, domain, role, project: None });
            for name in users {
                directory.users.push(User::new(seeded_uuid(rng).to_string(), name, account));
            }
        }
        directory.add_project("storefront", vec![2, 3], rng);
        directory
    }

    fn add_project(&mut self, name: &str, members: Vec<usize>, rng: &mut StdRng) {
        let (id, name) = (seeded_uuid(rng).to_string(), name.to_owned());
        let account = self.accounts.len();
        let domain = members.first().map_or(0, |owner| self.accounts[*owner].domain);
        self.accounts.push(Account {
            id: seeded_uuid(rng).to_string(),
            name: format!("PrjAcct-{name}-{account}"),
            domain,
            role: Role::Project,
            project: Some(self.projects.len()),
        });
        self.projects.push(Project { id, name, account, members });
    }

    /// Whether a domain is another one or lies below it.
    pub(crate) fn is_within(&self, domain: usize, ancestor: usize) -> bool {
        let mut at = Some(domain);
        while let Some(domain) = at {
            if domain == ancestor {
                return true;
            }
            at = self.domains[domain].parent;
        }
        false
    }

    /// Whether a caller's account may look at another one.
    pub(crate) fn may_see(&self, caller: usize, account: usize) -> bool {
        let (from, to) = (&self.accounts[caller], &self.accounts[account]);
        let is_member = to.project.is_some_and(|p| self.projects[p].members.contains(&caller));
        match from.role {
            Role::Admin => true,
            Role::DomainAdmin => self.is_within(to.domain, from.domain),
            Role::User | Role::Project => caller == account || is_member,
        }
    }

    /// The user who acts for an account when the workload needs one.
    pub(crate) fn users_of(&self, account: usize) -> Vec<usize> {
        let holders = match self.accounts[account].project {
            Some(project) => self.projects[project].members.clone(),
            None => vec![account],
        };
        (0..self.users.len()).filter(|user| holders.contains(&self.users[*user].account)).collect()
    }

    /// Accounts that own machines.
    pub(crate) fn owners(&self) -> Vec<usize> {
        (ADMIN..self.accounts.len()).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{ADMIN, Directory};

    #[test]
    fn a_domain_admin_sees_its_subtree_and_its_projects_only() {
        let directory = Directory::build(&mut StdRng::seed_from_u64(1));
        let seen = |caller| -> Vec<_> {
            (0..directory.accounts.len()).filter(|a| directory.may_see(caller, *a)).collect()
        };
        assert_eq!(seen(ADMIN).len(), 9);
        assert_eq!(seen(2), [2, 3, 4, 5, 8]);
        assert_eq!(seen(3), [3, 8]);
        assert_eq!(seen(7), [7]);
    }
}
