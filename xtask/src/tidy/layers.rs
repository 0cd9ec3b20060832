//! The layers: which room may import which. ARCHITECTURE.md draws them; this table is the law.

use std::path::Path;

use anyhow::Context as _;

use super::{Finding, read};

/// Each package and the rooms it may import outside its tests.
const ROOMS: [(&str, &[&str]); 13] = [
    ("crates/event", &[]),
    ("crates/secret", &[]),
    ("crates/log", &["event"]),
    ("crates/net", &[]),
    ("crates/clouds", &["net", "secret"]),
    ("crates/runtime", &["event", "log", "secret"]),
    ("crates/connect", &["event", "log", "runtime", "clouds", "net", "secret"]),
    ("crates/listen", &["event", "log", "runtime", "net"]),
    ("crates/sim", &[]),
    (
        "crates/pluvio",
        &["event", "log", "net", "clouds", "runtime", "connect", "listen", "secret", "sim"],
    ),
    ("xtask", &[]),
    ("e2e", &["clouds", "net", "sim"]),
    ("bench", &["clouds", "e2e", "event", "log", "net", "secret", "sim"]),
];

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (room, allowed) in ROOMS {
        let manifest = format!("{room}/Cargo.toml");
        if !root.join(&manifest).exists() {
            findings
                .push(Finding::new(&manifest, "is gone: take it out of xtask's table of rooms"));
            continue;
        }
        let text = read(root, Path::new(&manifest))?;
        let manifest_toml: toml::Table =
            text.parse().with_context(|| format!("failed to parse `{manifest}`"))?;
        let dependencies = manifest_toml.get("dependencies").and_then(toml::Value::as_table);
        for name in dependencies.into_iter().flat_map(toml::Table::keys) {
            let Some(other) = name.strip_prefix("pluvio-") else { continue };
            if !allowed.contains(&other) {
                let allowed = allowed.join(", ");
                let remedy = format!(
                    "must not import `{other}`, only: {allowed}; move the code to the room where \
                     it belongs (ARCHITECTURE.md)"
                );
                findings.push(Finding::new(&manifest, remedy));
            }
        }
    }
    for room in std::fs::read_dir(root.join("crates"))? {
        let room = format!("crates/{}", room?.file_name().to_string_lossy());
        if !ROOMS.iter().any(|(known, _)| *known == room) {
            findings.push(Finding::new(room, "is a new room: give it a line in xtask's table"));
        }
    }
    Ok(findings)
}
