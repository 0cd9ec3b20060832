//! What files say and where they stand.

use std::path::{Path, PathBuf};

use super::{Finding, read};

/// What may stand at the root.
const AT_ROOT: [&str; 16] = [
    ".editorconfig",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    ".dockerignore",
    "LICENSE",
    "README.md",
    "STYLE.md",
    "clippy.toml",
    "deny.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
];
const LINES_MAX: usize = 700;
/// Words that say "unfinished"; put together here so that this file does not find itself.
const LEFTOVERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];

pub(super) fn check(root: &Path, files: &[PathBuf]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in files {
        let shown = path.display().to_string();
        if path.components().count() == 1 && !AT_ROOT.contains(&shown.as_str()) {
            findings.push(Finding::new(&shown, "does not belong at the root: move or remove it"));
        }
        if is_generated(&shown) {
            continue;
        }
        let text = read(root, path)?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => findings.extend(rust(root, path, &shown, &text)),
            Some("md") => findings.extend(links(root, path, &shown, &text)),
            _ => {}
        }
        findings.extend(lines(&shown, &text));
    }
    Ok(findings)
}

fn is_generated(path: &str) -> bool {
    path == "Cargo.lock" || path.contains("/fixtures/") || path.ends_with("table.txt")
}

fn rust(root: &Path, path: &Path, shown: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        let remedy = "lacks module docs: open with `//!` what it is, why, and what it refuses";
        findings.push(Finding::new(shown, remedy));
    }
    let count = text.lines().count();
    if count > LINES_MAX {
        let remedy = format!("has {count} lines, more than {LINES_MAX}: it has become two things");
        findings.push(Finding::new(shown, remedy));
    }
    if root.join(path.with_extension("")).is_dir() {
        let remedy = "stands beside a folder of its name: move it to mod.rs in there";
        findings.push(Finding::new(shown, remedy));
    }
    findings
}

fn lines(shown: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let at = || format!("{shown}:{number}");
        if let Some(word) = LEFTOVERS.iter().find(|word| line.contains(**word)) {
            findings.push(Finding::new(at(), format!("says {word}: do it, or file an issue")));
        }
        let is_of_one_machine = |path: &&&str| {
            line.match_indices(**path).any(|(start, _)| {
                !line[..start].ends_with(|c: char| c.is_alphanumeric() || ".:/}".contains(c))
            })
        };
        if let Some(path) = MACHINE_PATHS.iter().find(|path| is_of_one_machine(path)) {
            findings.push(Finding::new(at(), format!("names `{path}…`, a path of one machine")));
        }
    }
    findings
}

/// Relative links must lead somewhere.
fn links(root: &Path, path: &Path, shown: &str, text: &str) -> Vec<Finding> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            let is_relative = !target.is_empty() && !target.contains(':');
            if is_relative && !root.join(folder).join(target).exists() {
                let remedy = format!("links to `{target}`, which is not there");
                findings.push(Finding::new(format!("{shown}:{number}"), remedy));
            }
        }
    }
    findings
}
