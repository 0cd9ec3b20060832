//! What clouds draw from a seed: identifiers, and names that are believable and of nobody.

use rand::Rng;
use rand::rngs::StdRng;
use uuid::Uuid;

/// What machines are for; the first part of their names.
pub(crate) const ROLES: [&str; 16] = [
    "web",
    "app",
    "db-pg",
    "db-ora",
    "erp",
    "mail",
    "ldap",
    "dns",
    "ci-runner",
    "k8s-node",
    "cache",
    "queue",
    "fileserver",
    "monitor",
    "jump",
    "vdi",
];

/// An identifier drawn from the seed instead of the operating system.
pub(crate) fn seeded_uuid(rng: &mut StdRng) -> Uuid {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
