//! How many files and connections the process may have open at a time.
//!
//! The soft limit of most shells and of systemd is 1024, for programs that still use `select`; the hard
//! one is hundreds of times that. A connection is a file: when strangers hold all of them, the log cannot
//! open its next segment. So `pluvio run` takes what the system would give anyway, and says when that is
//! less than the listeners may admit. It refuses to change the hard limit: that is the operator's.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the log, sources and sinks may have open beside the connections of listeners: 128 sealed segments,
/// a few files and a connection for each stream, source and sink, and those of the runtime.
const BESIDE_CONNECTIONS: u64 = 512;

/// Raises the soft limit to the hard one. What is refused is seen in the limit that is left.
pub(super) fn allow_all() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let _as_it_was = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// What `pluvio run` may have open on this machine, as this user: the hard limit.
pub(super) fn most() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// What `pluvio run` has now. `None`: as many as it likes.
pub(super) fn allowed() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Why a limit of `allowed` open files is too low for listeners that admit `connections`, and what helps.
pub(super) fn too_few(allowed: Option<u64>, connections: u64) -> Option<String> {
    let needed = connections.saturating_add(BESIDE_CONNECTIONS);
    let allowed = allowed.filter(|allowed| *allowed < needed)?;
    Some(format!(
        "{allowed} files may be open at a time, and the listeners admit {connections} connections, each of \
         which is one: when all come, the log cannot open its next file, and takes nothing until some have \
         gone; allow {needed} with `LimitNOFILE=` in the unit or `ulimit -Hn`, or lower `connections_max`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_below_what_listeners_admit_and_the_log_needs_is_told_with_what_helps() {
        assert_eq!(too_few(None, 6000), None);
        assert_eq!(too_few(Some(6512), 6000), None);
        let told = too_few(Some(6511), 6000).unwrap_or_default();
        assert!(told.starts_with("6511 files may be open"), "{told}");
        assert!(told.contains("allow 6512 with `LimitNOFILE=`"), "{told}");
    }

    #[test]
    fn as_many_files_may_be_open_as_the_hard_limit_says() {
        allow_all();
        assert_eq!(allowed(), most());
    }
}
