//! A folder of one's own for as long as it is needed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};

/// Folders made by this process, to tell them apart.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A temporary folder, removed when dropped unless it is to be kept.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    is_kept: AtomicBool,
}

impl Folder {
    /// Makes an empty folder; `name` is shortened to letters and digits.
    pub fn new(name: &str) -> Result<Self> {
        let slug: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(40)
            .collect();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let path = std::env::temp_dir().join(format!("pluvio-e2e-{process}-{number:02}-{slug}"));
        fs::create_dir_all(&path)
            .with_context(|| format!("failed to make the folder `{}`", path.display()))?;
        Ok(Self { path, is_kept: AtomicBool::new(false) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it where it is.
    pub fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    /// Writes a file into it and gives its path.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, content)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
        Ok(path)
    }

    /// The last lines of every log in it, for a failure's report.
    pub fn log_tails(&self, lines_max: usize) -> String {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.path)
            .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
            .unwrap_or_default();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        paths.sort();
        let mut report = String::new();
        for path in paths {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines.len().saturating_sub(lines_max);
            if !lines.is_empty() {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                report += &format!("--- {name} (lines {} to {})\n", tail + 1, lines.len());
                report += &format!("{}\n", lines[tail..].join("\n"));
            }
        }
        report
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept.load(Ordering::Relaxed) {
            let _gone_already = fs::remove_dir_all(&self.path);
        }
    }
}
