//! Names of members. A newcomer is told its name and comes back with it (KIP-394), so that a client that gives up
//! half-way leaves nobody behind in its group.
//!
//! It refuses to remember whom it told what: strangers could ask for more names than there is room for, or push
//! out those of others. A name tells by itself that it was given out here, for this group: half of its UUID is a
//! digest, under a key of this process, of the group and the rest of the name. Whoever comes back after a restart
//! is told that it is unknown, and asks for another.

use std::hash::{BuildHasher as _, RandomState};

use uuid::Uuid;

use super::{event::Name, offsets::GroupName};

/// Length of a UUID as text.
const UUID_BYTES: usize = 36;
/// Those of the digest's bits that the UUID's variant leaves.
const DIGEST_BITS: u64 = u64::MAX >> 2;

/// How long a name is at most that was given out with a prefix of at most so many bytes.
pub(crate) const fn longest(prefix_bytes: usize) -> usize {
    prefix_bytes + 1 + UUID_BYTES
}

/// What names are given out with.
#[derive(Debug, Default)]
pub(crate) struct Names(RandomState);

impl Names {
    /// A name that nobody has, in a group: `prefix-uuid`.
    pub(crate) fn fresh(&self, group: &GroupName, prefix: &str) -> Name {
        let (random, _) = Uuid::new_v4().as_u64_pair();
        let digest = self.digest(group, prefix, random) & DIGEST_BITS;
        // The variant of random UUIDs, as the version in the other half.
        let uuid = Uuid::from_u64_pair(random, 0b10 << 62 | digest);
        format!("{prefix}-{uuid}").into()
    }

    /// Whether that name was given out here, for that group.
    pub(crate) fn is_given(&self, group: &GroupName, name: &str) -> bool {
        let split = name.len().checked_sub(UUID_BYTES).and_then(|at| name.split_at_checked(at));
        let Some((prefix, uuid)) = split else { return false };
        let (Some(prefix), Ok(uuid)) = (prefix.strip_suffix('-'), Uuid::parse_str(uuid)) else {
            return false;
        };
        let (random, told) = uuid.as_u64_pair();
        self.digest(group, prefix, random) & DIGEST_BITS == told & DIGEST_BITS
    }

    fn digest(&self, group: &GroupName, prefix: &str, random: u64) -> u64 {
        self.0.hash_one((group, prefix, random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str) -> GroupName {
        GroupName { space: "".into(), id: id.into() }
    }

    #[test]
    fn a_name_is_known_where_it_was_given_out_and_nowhere_else() {
        let (names, others) = (Names::default(), Names::default());
        for prefix in ["consumer-1", "", "a-b-", "größe"] {
            let name = names.fresh(&group("g"), prefix);
            assert!(name.starts_with(prefix) && names.is_given(&group("g"), &name), "{name}");
            assert!(!names.is_given(&group("h"), &name), "another group's");
            assert!(!others.is_given(&group("g"), &name), "another process's");
            assert_ne!(names.fresh(&group("g"), prefix), name);
        }
        for name in ["", "consumer-1", "ö", &format!("consumer-{}", Uuid::new_v4())] {
            assert!(!names.is_given(&group("g"), name), "{name}");
        }
    }
}
