//! `[listeners.NAME]`: which listeners there are, and which of them want one address.
//!
//! A listener is resolved first, which takes nothing from the machine, and bound later. It refuses two
//! of one address before the system does, because the system would name only one of them.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpListener},
};

use pluvio_listen::{Context, http, kafka};

use super::{
    Configuration, Problem,
    section_spans::{SectionSpans, header},
};
use crate::registry::{self, BindError, BuildError, BuiltListener, UnboundListener};

/// A section in which every key is known and has its type.
pub(super) struct ListenerSection {
    pub(super) place: SectionSpans,
    pub(super) resolve: Resolve,
}

/// `true`: everybody must say who they are.
type Resolve = Box<dyn FnOnce(bool) -> Result<UnboundListener, BuildError>>;

/// A listener that can be bound.
pub(crate) struct ReadyListener {
    place: SectionSpans,
    unbound: UnboundListener,
    /// It is there only by default, so a port that is taken is no reason not to start.
    is_optional: bool,
}

/// Why a listener has no socket.
pub(crate) struct Unbindable {
    pub(crate) problem: Problem,
    /// Whether the same may work later, as when another process has the port.
    pub(crate) passes: bool,
}

impl Configuration {
    /// Whether it has a section of a listener.
    pub(crate) fn names_listeners(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Makes all listeners ready to be bound; everything that is wrong with them is told at once.
    /// Without any section, HTTP and Kafka on their default addresses.
    pub(crate) fn listeners(&mut self) -> Result<Vec<ReadyListener>, Vec<Problem>> {
        let is_default = self.listeners.is_empty();
        if is_default {
            self.listeners.extend([
                section("kafka", |it| registry::unbound_listener(kafka::Config::default(), it)),
                section("http", |it| registry::unbound_listener(http::Config::default(), it)),
            ]);
        }
        let is_closed = self.principals.demand_authentication();
        let v6_takes_v4 = !is_v6_only();
        let (mut problems, mut ready) = (Vec::new(), Vec::<ReadyListener>::new());
        for ListenerSection { place, resolve } in std::mem::take(&mut self.listeners) {
            let unbound = match resolve(is_closed) {
                Ok(unbound) => unbound,
                Err(BuildError { key, message }) => {
                    problems.push(place.problem(key, message));
                    continue;
                }
            };
            let is_optional = is_default && place.name == "kafka";
            let listener = ReadyListener { place, unbound, is_optional };
            let twin = |other: &&ReadyListener| {
                overlap(other.unbound.listen, listener.unbound.listen, v6_takes_v4)
            };
            if let Some(twin) = ready.iter().find(twin) {
                problems.push(listener.twin_of(twin));
            }
            ready.push(listener);
        }
        if problems.is_empty() { Ok(ready) } else { Err(problems) }
    }
}

pub(super) fn section(
    name: &str,
    resolve: impl FnOnce(bool) -> Result<UnboundListener, BuildError> + 'static,
) -> ListenerSection {
    let place = SectionSpans { name: name.to_owned(), keys: BTreeMap::new() };
    ListenerSection { place, resolve: Box::new(resolve) }
}

impl ReadyListener {
    fn twin_of(&self, twin: &Self) -> Problem {
        let (ours, theirs) = (self.unbound.listen, twin.unbound.listen);
        let other = header("listeners", &twin.place.name);
        let message = if ours == theirs {
            format!("`listen` is {ours}, as in {other}; give each a port of its own")
        } else {
            format!(
                "`listen` is {ours}, and {theirs} of {other} holds it too; give each a port of its own"
            )
        };
        self.place.problem(Some("listen"), message)
    }

    /// Why its address could not be had whatever the port: this machine does not have it. `None` if it
    /// has, or if nothing can be said.
    pub(crate) fn foreign_address(&self) -> Option<Problem> {
        let address = self.unbound.listen.ip();
        let bound = TcpListener::bind((address, 0));
        let is_foreign = bound.is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable);
        is_foreign.then(|| {
            let message = format!("`listen`: this machine does not have the address {address} now");
            self.place.problem(Some("listen"), message)
        })
    }

    /// Most connections that it admits at a time.
    pub(crate) fn connections_max(&self) -> usize {
        self.unbound.connections_max
    }

    /// Binds the socket; gives the listener with its name. `None`: nobody has asked for it, and it
    /// cannot be had.
    pub(crate) fn bind(
        self,
        context: Context,
    ) -> Result<Option<(String, BuiltListener)>, Unbindable> {
        let Self { place, unbound, is_optional } = self;
        match (unbound.bind)(context) {
            Ok(listener) => Ok(Some((place.name, listener))),
            Err(BindError { error: BuildError { message, .. }, .. }) if is_optional => {
                tracing::warn!(
                    message,
                    "not serving Kafka's clients; [listeners.kafka] takes another address"
                );
                Ok(None)
            }
            Err(BindError { error: BuildError { key, message }, passes }) => {
                Err(Unbindable { problem: place.problem(key, message), passes })
            }
        }
    }
}

/// Whether two listeners would want one port. Port 0 is any that is free.
fn overlap(one: SocketAddr, other: SocketAddr, v6_takes_v4: bool) -> bool {
    if one.port() != other.port() || one.port() == 0 {
        return false;
    }
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    let takes = |all: IpAddr, one: IpAddr| {
        all.is_unspecified() && (all.is_ipv4() == one.is_ipv4() || all.is_ipv6() && v6_takes_v4)
    };
    a == b || takes(a, b) || takes(b, a)
}

/// Whether `[::]` leaves the addresses of IPv4 alone on this machine (`net.ipv6.bindv6only`).
fn is_v6_only() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv6/bindv6only").is_ok_and(|it| it.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_held_by_another_if_the_system_would_say_so() {
        let is_held = |one: &str, other: &str, v6_takes_v4| {
            let address = |text: &str| text.parse().unwrap_or_else(|_| unreachable!("{text}"));
            let told = overlap(address(one), address(other), v6_takes_v4);
            assert_eq!(told, overlap(address(other), address(one), v6_takes_v4), "{one} {other}");
            told
        };
        assert!(is_held("127.0.0.1:9", "127.0.0.1:9", true));
        assert!(is_held("127.0.0.1:9", "0.0.0.0:9", true));
        assert!(is_held("127.0.0.1:9", "[::ffff:127.0.0.1]:9", true));
        assert!(is_held("127.0.0.1:9", "[::]:9", true));
        assert!(!is_held("127.0.0.1:9", "[::]:9", false));
        assert!(is_held("[::1]:9", "[::]:9", false));
        assert!(!is_held("[::1]:9", "0.0.0.0:9", true));
        assert!(!is_held("127.0.0.1:9", "127.0.0.1:10", true));
        assert!(!is_held("127.0.0.1:9", "127.0.0.2:9", true));
        assert!(!is_held("127.0.0.1:0", "127.0.0.1:0", true));
    }
}
