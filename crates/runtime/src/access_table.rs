//! All principals by their credentials.
//!
//! Credentials are kept as SHA-256 digests: the table can be printed, dumped and compared without a secret in
//! it. Looking a digest up tells an attacker's stopwatch nothing about the token. For SCRAM, which
//! needs more than a digest, keys are derived from each password when it is added.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
    sync::Arc,
};

use sha2::{Digest, Sha256};

use crate::{
    Credential, Principal, Unauthenticated,
    scram::{ScramExchange, ScramKeys, ScramMechanism},
};

/// A token that somebody else presents already; the name is theirs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is also that of principal `{0}`")]
pub struct SameToken(String);

/// All principals by their credentials.
#[derive(Clone)]
pub struct AccessTable {
    /// Who presents which bearer token. Each principal has one at most.
    tokens: BTreeMap<TokenDigest, Arc<Principal>>,
    /// Who logs in with which name and password. Each principal has one at most.
    passwords: BTreeMap<[u8; 32], Arc<Principal>>,
    scram: BTreeMap<(ScramMechanism, String), (ScramKeys, Arc<Principal>)>,
    /// The salts of all users are derived from it, of those that do not exist too. A table that is
    /// made from another one keeps it, so a salt that changes or stays tells nothing.
    secret: [u8; 32],
    anonymous: Option<Arc<Principal>>,
}

impl fmt::Debug for AccessTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let principals = self.tokens.values().chain(self.passwords.values());
        f.debug_struct("AccessTable")
            .field("principals", &principals.map(|p| &p.name).collect::<BTreeSet<_>>())
            .field("anonymous", &self.anonymous)
            .finish_non_exhaustive()
    }
}

impl AccessTable {
    /// Lets everybody in as [`Principal::anonymous`].
    pub fn open() -> Self {
        Self { anonymous: Some(Arc::new(Principal::anonymous())), ..Self::closed() }
    }

    /// Lets nobody in until credentials are added.
    pub fn closed() -> Self {
        Self {
            tokens: BTreeMap::new(),
            passwords: BTreeMap::new(),
            scram: BTreeMap::new(),
            secret: rand::random(),
            anonymous: None,
        }
    }

    /// Adds a bearer token for `principal`. Refused if it is somebody else's already: who is asking
    /// could not be told.
    pub fn add_bearer(&mut self, token: &str, principal: Arc<Principal>) -> Result<(), SameToken> {
        match self.tokens.entry(digest(&["bearer", token])) {
            Entry::Occupied(other) => Err(SameToken(other.get().name.clone())),
            Entry::Vacant(place) => {
                place.insert(principal);
                Ok(())
            }
        }
    }

    /// Adds a password; the principal's name is the user name. A password that it had is not valid any
    /// more.
    pub fn add_password(&mut self, password: &str, principal: Arc<Principal>) {
        for mechanism in ScramMechanism::ALL {
            let name = principal.name.clone();
            let keys = ScramKeys::derive(mechanism, &self.secret, &name, password);
            self.scram.insert((mechanism, name), (keys, Arc::clone(&principal)));
        }
        self.passwords.retain(|_, other| other.name != principal.name);
        self.passwords.insert(digest(&["basic", &principal.name, password]), principal);
    }

    /// From now on, each of the named principals presents the token beside its name, and no other. All
    /// are replaced at once, so two principals may exchange their tokens.
    ///
    /// A token that another principal presents too is refused, because the table could not tell them
    /// apart: the principal keeps its previous token. Of two that get the same new token, both do.
    /// A name without a token in this table is left out.
    pub fn replace_tokens<'n>(&mut self, tokens: &[(&'n str, &str)]) -> Vec<(&'n str, SameToken)> {
        let before: BTreeMap<&str, (TokenDigest, &Arc<Principal>)> =
            self.tokens.iter().map(|(digest, who)| (who.name.as_str(), (*digest, who))).collect();
        let mut replaced: BTreeMap<&'n str, TokenDigest> = BTreeMap::new();
        for (name, token) in tokens {
            let digest = digest(&["bearer", token]);
            if before.get(name).is_some_and(|(old, _)| *old != digest) {
                replaced.insert(name, digest);
            }
        }
        let mut refused = Vec::new();
        // A token that is kept may be the new one of somebody else, so this is repeated until nothing
        // changes. Tokens in the table differ, so each clash has a new one in it to refuse.
        loop {
            let mut holders: BTreeMap<TokenDigest, Vec<&str>> = BTreeMap::new();
            for (name, (old, _)) in &before {
                holders.entry(replaced.get(name).copied().unwrap_or(*old)).or_default().push(name);
            }
            let clashes = replaced.iter().filter_map(|(name, digest)| {
                let other = holders.get(digest)?.iter().find(|other| *other != name)?;
                Some((*name, SameToken((*other).to_owned())))
            });
            let clashes: Vec<_> = clashes.collect();
            if clashes.is_empty() {
                break;
            }
            replaced.retain(|name, _| clashes.iter().all(|(refused, _)| refused != name));
            refused.extend(clashes);
        }
        let renewed = before.iter().map(|(name, (old, who))| {
            (replaced.get(name).copied().unwrap_or(*old), Arc::clone(who))
        });
        self.tokens = renewed.collect();
        refused
    }

    /// From now on, the principal called `name` logs in with `password`, and with no other. Keys of a
    /// password that has not changed are kept. A name without a password in this table is left out.
    pub fn replace_password(&mut self, name: &str, password: &str) {
        if self.passwords.contains_key(&digest(&["basic", name, password])) {
            return;
        }
        let known = self.passwords.values().find(|principal| principal.name == name).cloned();
        if let Some(principal) = known {
            self.add_password(password, principal);
        }
    }

    /// Whether everybody must say who they are.
    pub fn demands_authentication(&self) -> bool {
        self.anonymous.is_none()
    }

    /// Who presents `credential`. A wrong credential is refused even where none is needed.
    pub fn authenticate(
        &self,
        credential: Credential<'_>,
    ) -> Result<Arc<Principal>, Unauthenticated> {
        let known = match credential {
            Credential::None => self.anonymous.as_ref(),
            Credential::Bearer(token) => self.tokens.get(&digest(&["bearer", token])),
            Credential::Basic { user, password } => {
                self.passwords.get(&digest(&["basic", user, password]))
            }
        };
        known.cloned().ok_or(Unauthenticated)
    }

    /// Reads the first message of a SCRAM exchange; gives what to go on with, and the challenge.
    /// Whether there is such a user is not told here.
    pub fn scram(
        &self,
        mechanism: ScramMechanism,
        message: &[u8],
    ) -> Result<(ScramExchange, Vec<u8>), Unauthenticated> {
        ScramExchange::begin(mechanism, message, &self.secret, |user| {
            let known = self.scram.get(&(mechanism, user.to_owned()));
            known.map(|(keys, principal)| (keys, principal))
        })
    }
}

/// What is kept of a bearer token.
type TokenDigest = [u8; 32];

/// Lengths go in too, so that parts cannot be shifted into each other.
fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use pluvio_event::{Filter, Pattern};

    use super::*;
    use crate::{Streams, Verb};

    fn tenant() -> Arc<Principal> {
        let streams = Streams::Matching(vec![Pattern::new("tenant-*")]);
        let verbs = BTreeSet::from([Verb::Read]);
        Arc::new(Principal { name: "acme".into(), streams, verbs, filter: Filter::default() })
    }

    #[test]
    fn a_closed_table_lets_in_who_has_the_right_credential_and_nobody_else() {
        let mut table = AccessTable::closed();
        assert_eq!(table.add_bearer("s3cret", tenant()), Ok(()));
        assert_eq!(table.add_bearer("s3cret", tenant()), Err(SameToken("acme".into())));
        table.add_password("pa55", tenant());
        let name = |credential| table.authenticate(credential).map(|p| p.name.clone());
        assert_eq!(name(Credential::Bearer("s3cret")), Ok("acme".into()));
        assert_eq!(name(Credential::Basic { user: "acme", password: "pa55" }), Ok("acme".into()));
        assert_eq!(name(Credential::None), Err(Unauthenticated));
        assert_eq!(name(Credential::Bearer("pa55")), Err(Unauthenticated));
        assert_eq!(
            name(Credential::Basic { user: "acm", password: "epa55" }),
            Err(Unauthenticated)
        );
        assert!(!format!("{table:?}").contains("s3cret"));
    }

    /// A table in which each principal presents the token `old-NAME`.
    fn closed_to(names: &[&str]) -> AccessTable {
        let mut table = AccessTable::closed();
        for name in names {
            let principal = Principal { name: (*name).to_owned(), ..Principal::anonymous() };
            let added = table.add_bearer(&format!("old-{name}"), Arc::new(principal));
            assert_eq!(added, Ok(()));
        }
        table
    }

    fn who(table: &AccessTable, token: &str) -> Option<String> {
        Some(table.authenticate(Credential::Bearer(token)).ok()?.name.clone())
    }

    #[test]
    fn a_replaced_token_is_refused_and_who_is_not_named_keeps_its_own() {
        let mut table = closed_to(&["a", "b"]);
        assert_eq!(table.replace_tokens(&[("b", "new-b"), ("nobody", "x")]), []);
        assert_eq!(who(&table, "old-a").as_deref(), Some("a"));
        assert_eq!(who(&table, "new-b").as_deref(), Some("b"));
        assert_eq!((who(&table, "old-b"), who(&table, "x")), (None, None));
    }

    #[test]
    fn two_principals_may_exchange_their_tokens() {
        let mut table = closed_to(&["a", "b"]);
        assert_eq!(table.replace_tokens(&[("a", "old-b"), ("b", "old-a")]), []);
        assert_eq!(who(&table, "old-a").as_deref(), Some("b"));
        assert_eq!(who(&table, "old-b").as_deref(), Some("a"));
    }

    #[test]
    fn one_token_never_stands_for_two_and_nobody_gets_the_token_of_another() {
        let refused = |tokens: &[(&'static str, &str)]| {
            let mut table = closed_to(&["a", "b", "c"]);
            let refused = table.replace_tokens(tokens);
            assert_eq!(table.tokens.len(), 3, "{tokens:?}");
            let refused: Vec<&str> = refused.into_iter().map(|(name, _)| name).collect();
            for name in &refused {
                assert_eq!(who(&table, &format!("old-{name}")).as_deref(), Some(*name));
            }
            refused
        };
        // Which comes first does not matter: who has a token already keeps it.
        assert_eq!(refused(&[("a", "old-b"), ("b", "old-b")]), ["a"]);
        assert_eq!(refused(&[("b", "old-b"), ("a", "old-b")]), ["a"]);
        assert_eq!(refused(&[("a", "same"), ("b", "same"), ("c", "new")]), ["a", "b"]);
        // What `b` keeps is what `c` would get.
        assert_eq!(refused(&[("b", "old-a"), ("c", "old-b")]), ["b", "c"]);
    }

    #[test]
    fn a_replaced_password_is_refused_and_one_that_stays_keeps_its_keys() {
        let mut table = AccessTable::closed();
        table.add_password("old", tenant());
        let keys = |table: &AccessTable| format!("{:?}", table.challenge("acme"));
        let salt = keys(&table);
        table.replace_password("acme", "old");
        table.replace_password("nobody", "x");
        let name = |table: &AccessTable, user, password| {
            table.authenticate(Credential::Basic { user, password }).map(|p| p.name.clone())
        };
        assert_eq!(name(&table, "acme", "old"), Ok("acme".into()));
        assert!(name(&table, "nobody", "x").is_err());
        let invented = table.challenge("nobody");
        table.replace_password("acme", "new");
        assert_eq!(name(&table, "acme", "new"), Ok("acme".into()));
        assert!(name(&table, "acme", "old").is_err());
        // Who compares salts before and after learns of no user.
        assert_eq!(keys(&table), salt);
        assert_eq!(table.challenge("nobody"), invented);
    }

    impl AccessTable {
        /// The salt that a user is challenged with, whether there is such a one or not.
        fn challenge(&self, user: &str) -> Option<String> {
            let first = format!("n,,n={user},r=nonce");
            let (_, challenge) = self.scram(ScramMechanism::Sha256, first.as_bytes()).ok()?;
            let challenge = String::from_utf8(challenge).ok()?;
            challenge.split(',').find(|part| part.starts_with("s=")).map(ToOwned::to_owned)
        }
    }

    #[test]
    fn an_open_table_still_refuses_a_wrong_credential() {
        let table = AccessTable::open();
        assert!(table.authenticate(Credential::None).is_ok());
        assert!(table.authenticate(Credential::Bearer("x")).is_err());
    }
}
