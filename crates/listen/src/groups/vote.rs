//! Which of the protocols (ways to assign) that the members offer a group uses.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

/// What a member offers, in its order of preference, each with what it says of itself.
pub(super) type Protocols = Vec<(Arc<str>, Bytes)>;

/// Whether there is a protocol in `wanted` that all of `others` offer.
pub(super) fn has_common(wanted: &Protocols, others: &[&Protocols]) -> bool {
    wanted.iter().any(|(name, _)| others.iter().all(|offered| offers(offered, name)))
}

/// The protocol that all offer and most prefer; among equals, the one that the first member likes
/// more. `None` without members or without a common one.
pub(super) fn elect<'m>(members: impl Iterator<Item = &'m Protocols> + Clone) -> Option<Arc<str>> {
    let first = members.clone().next()?;
    let is_common = |name: &Arc<str>| members.clone().all(|offered| offers(offered, name));
    let candidates: Vec<&Arc<str>> =
        first.iter().map(|(name, _)| name).filter(|name| is_common(name)).collect();
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for offered in members {
        let liked = offered.iter().find(|(name, _)| candidates.contains(&name));
        if let Some((name, _)) = liked {
            *votes.entry(name).or_default() += 1;
        }
    }
    let most = votes.values().max()?;
    candidates.into_iter().find(|name| votes.get(&***name) == Some(most)).cloned()
}

fn offers(offered: &Protocols, name: &Arc<str>) -> bool {
    offered.iter().any(|(other, _)| other == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offering(names: &str) -> Protocols {
        names.split(' ').map(|name| (Arc::from(name), Bytes::new())).collect()
    }

    #[test]
    fn the_protocol_that_all_offer_and_most_prefer_is_elected() {
        let elected = |members: &[&str]| {
            let members: Vec<_> = members.iter().map(|names| offering(names)).collect();
            elect(members.iter()).map(|name| name.to_string())
        };
        assert_eq!(elected(&["range"]), Some("range".into()));
        assert_eq!(
            elected(&["range sticky", "sticky range", "sticky range"]),
            Some("sticky".into())
        );
        assert_eq!(elected(&["range sticky", "sticky"]), Some("sticky".into()));
        assert_eq!(elected(&["range sticky", "sticky range"]), Some("range".into()));
        assert_eq!(elected(&["range", "sticky"]), None);
        assert_eq!(elected(&[]), None);
    }

    #[test]
    fn a_newcomer_must_offer_what_all_others_do() {
        let others = [offering("range sticky"), offering("sticky")];
        let others: Vec<&Protocols> = others.iter().collect();
        assert!(has_common(&offering("x sticky"), &others));
        assert!(!has_common(&offering("range"), &others));
    }
}
