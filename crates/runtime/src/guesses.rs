//! Who guesses credentials is answered ever more slowly.
//!
//! ```text
//!  admit(address, name) ──▶ at once │ after a pause │ refused, unseen ──▶ the credential is looked at
//!                                                                          ──▶ failed(address, name)
//! ```
//!
//! The pause comes *before* the credential is looked at: a pause after a wrong one is seen by its
//! absence, and whoever hangs up early would guess as fast as before. Each address, and each name as soon
//! as the address has failed once, has an account of failures that is forgotten with time. A caller that
//! must wait too long is refused without a look.
//!
//! It refuses to lock anybody out for good: a lock is what an attacker would use.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use metrics::counter;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::LineLimit;

/// Failures without a pause: somebody who mistypes, or a client with a stale token on its first retries.
const FREE_FAILURES: u32 = 10;
/// The first pause; each further failure doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two looks at credentials of one address or name.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A caller waits at most this long for its turn; a longer wait is a refusal that says how long.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// For each such time without a failure, half of them do not count any more.
const FORGET_HALF_AFTER: Duration = Duration::from_secs(60);
/// After this without a failure, an address or name is not remembered at all.
const FORGET_AFTER: Duration = Duration::from_secs(3600);
/// Maximum number of addresses and names that are remembered.
const SUSPECTS_MAX: usize = 10_000;

/// Too many wrong credentials came from this address or for this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong credentials; try again in {} s", .retry_after.as_secs() + 1)]
pub struct TooManyGuesses {
    /// When the next credential will be looked at.
    pub retry_after: Duration,
}

/// Failures by address and by name.
#[derive(Debug, Default)]
pub struct Guesses {
    ledger: Mutex<Ledger>,
    hasher: RandomState,
}

/// Where failures are counted. An IPv6 address counts by its network: a host has all of a /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Suspect {
    Address(IpAddr),
    Name(u64),
}

#[derive(Clone, Copy, Debug)]
struct Account {
    failures: u32,
    last: Instant,
    /// When the next credential may be looked at.
    next: Instant,
}

#[derive(Debug, Default)]
struct Ledger {
    accounts: HashMap<Suspect, Account>,
    lines: LineLimit,
}

impl Guesses {
    /// Waits until a credential from `address` may be looked at; `name` is whom it claims to be, if it
    /// says so.
    pub async fn admit(&self, address: IpAddr, name: Option<&str>) -> Result<(), TooManyGuesses> {
        let wait =
            self.ledger(|ledger| ledger.admit(&self.suspects(address, name), Instant::now()));
        match wait {
            Ok(wait) if wait.is_zero() => Ok(()),
            Ok(wait) => {
                sleep(wait).await;
                Ok(())
            }
            Err(too_many) => {
                counter!("pluvio_authentication_refusals_total").increment(1);
                Err(too_many)
            }
        }
    }

    /// Notes a wrong credential. One log line a minute tells how many there were.
    pub fn failed(&self, address: IpAddr, name: Option<&str>) {
        counter!("pluvio_authentication_failures_total").increment(1);
        let suspects = self.suspects(address, name);
        let report = self.ledger(|ledger| ledger.failed(&suspects, Instant::now()));
        if let Some(failures) = report {
            warn!(failures, latest_from = %address, "wrong credentials were presented");
        }
    }

    fn suspects(&self, address: IpAddr, name: Option<&str>) -> Vec<Suspect> {
        let name = name.map(|name| Suspect::Name(self.hasher.hash_one(name)));
        std::iter::once(Suspect::Address(network(address))).chain(name).collect()
    }

    fn ledger<T>(&self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        work(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            Ipv6Addr::from(segments).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl Account {
    /// Failures that still count.
    fn counting(&self, now: Instant) -> u32 {
        let halvings = (now - self.last).as_secs() / FORGET_HALF_AFTER.as_secs();
        u32::try_from(halvings).ok().and_then(|by| self.failures.checked_shr(by)).unwrap_or(0)
    }
}

impl Ledger {
    /// How long to wait. The turn is taken: the next caller comes after it.
    fn admit(&mut self, suspects: &[Suspect], now: Instant) -> Result<Duration, TooManyGuesses> {
        for suspect in suspects {
            self.forget(suspect, now);
        }
        // A name counts against those only who have failed already: others cannot be kept out of their
        // own account by somebody else's guesses.
        let has_failed = suspects.first().is_some_and(|first| self.accounts.contains_key(first));
        let suspects = if has_failed { suspects } else { &[] };
        let accounts = suspects.iter().filter_map(|suspect| self.accounts.get(suspect));
        let turn = accounts.map(|account| account.next).max().unwrap_or(now).max(now);
        let wait = turn - now;
        if wait > WAIT_MAX {
            return Err(TooManyGuesses { retry_after: wait });
        }
        for suspect in suspects {
            if let Some(account) = self.accounts.get_mut(suspect) {
                account.next = turn + pause(account.counting(now));
            }
        }
        Ok(wait)
    }

    /// Counts a failure; gives how many there were since the last report, if one is due.
    fn failed(&mut self, suspects: &[Suspect], now: Instant) -> Option<u64> {
        for suspect in suspects {
            self.forget(suspect, now);
            self.make_room(suspect);
            let account = self.accounts.entry(*suspect);
            let account = account.or_insert(Account { failures: 0, last: now, next: now });
            account.failures = account.counting(now).saturating_add(1);
            account.last = now;
            account.next = account.next.max(now + pause(account.failures));
        }
        self.lines.count()
    }

    fn forget(&mut self, suspect: &Suspect, now: Instant) {
        if self.accounts.get(suspect).is_some_and(|account| now - account.last > FORGET_AFTER) {
            self.accounts.remove(suspect);
        }
    }

    /// Forgets the tenth that failed longest ago where a new one has no room.
    fn make_room(&mut self, suspect: &Suspect) {
        if self.accounts.len() < SUSPECTS_MAX || self.accounts.contains_key(suspect) {
            return;
        }
        let mut oldest: Vec<_> = self.accounts.iter().map(|(it, at)| (at.last, *it)).collect();
        oldest.sort_unstable_by_key(|(last, _)| *last);
        for (_, suspect) in oldest.into_iter().take(SUSPECTS_MAX / 10) {
            self.accounts.remove(&suspect);
        }
    }
}

fn pause(failures: u32) -> Duration {
    match failures.checked_sub(FREE_FAILURES) {
        None => Duration::ZERO,
        Some(further) => PAUSE_MIN.saturating_mul(1 << further.min(16)).min(PAUSE_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    /// Guesses for as long as `time`, with many connections at once, and counts the looks.
    async fn looks_in(time: Duration, from: impl Fn(u32) -> IpAddr, name: Option<&str>) -> u32 {
        let guesses = Guesses::default();
        let end = Instant::now() + time;
        let (mut looks, mut tries) = (0, 0);
        while Instant::now() < end {
            let address = from(tries);
            tries += 1;
            match guesses.admit(address, name).await {
                Ok(()) => {
                    guesses.failed(address, name);
                    looks += 1;
                }
                Err(_) => tokio::time::advance(Duration::from_millis(20)).await,
            }
        }
        looks
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_of_guessing_from_one_address_gets_some_hundred_looks() {
        let looks = looks_in(Duration::from_secs(3600), |_| HERE, None).await;
        assert!((50..500).contains(&looks), "{looks}");
    }

    #[tokio::test(start_paused = true)]
    async fn changing_the_name_or_the_low_half_of_an_ipv6_address_gains_nothing() {
        let hosts = |n: u32| IpAddr::V6(Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(n)));
        let looks = looks_in(Duration::from_secs(600), hosts, None).await;
        assert!(looks < 100, "{looks}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_guessed_from_a_thousand_addresses_is_slowed_down_too() {
        let from = |n: u32| IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + n % 1000));
        let looks = looks_in(Duration::from_secs(600), from, Some("acme")).await;
        // Each address has one look for free.
        assert!((1000..1200).contains(&looks), "{looks}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_mistypes_a_few_times_waits_for_nothing_and_others_neither() {
        let guesses = Guesses::default();
        let began = Instant::now();
        for _ in 0..FREE_FAILURES {
            assert_eq!(guesses.admit(HERE, Some("acme")).await, Ok(()));
            guesses.failed(HERE, Some("acme"));
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        for _ in 0..20 {
            guesses.failed(HERE, Some("acme"));
        }
        assert!(guesses.admit(HERE, Some("acme")).await.is_err());
        assert_eq!(
            guesses.admit(THERE, Some("acme")).await,
            Ok(()),
            "another address of that name"
        );
        assert_eq!(guesses.admit(THERE, Some("other")).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_forgotten_with_time() {
        let guesses = Guesses::default();
        for _ in 0..100 {
            guesses.failed(HERE, None);
        }
        let refused = guesses.admit(HERE, None).await;
        assert!(refused.is_err_and(|refused| refused.retry_after <= PAUSE_MAX));
        tokio::time::advance(8 * FORGET_HALF_AFTER).await;
        assert_eq!(guesses.admit(HERE, None).await, Ok(()));
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for_and_not_each_failure_has_a_line() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        let suspect = |n: u32| Suspect::Address(IpAddr::V4(n.into()));
        let reports: Vec<u64> =
            (0..20_000).filter_map(|n| ledger.failed(&[suspect(n)], now)).collect();
        assert_eq!(reports, [1]);
        assert!(ledger.accounts.len() <= SUSPECTS_MAX);
    }
}
