//! What a scenario counted, how it ended, and the table of all.

use std::{fmt, path::Path, time::Duration};

use anyhow::{Context as _, Result};

/// Characters of a failure's causes behind the table.
const ERROR_CHARS_MAX: usize = 2_000;

/// Figures of one scenario, in the order in which they were counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Vec<(&'static str, String)>);

impl Counts {
    /// Adds a figure.
    pub(crate) fn with(mut self, name: &'static str, figure: impl fmt::Display) -> Self {
        self.0.push((name, figure.to_string()));
        self
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = self.0.iter().map(|(name, figure)| format!("{name} {figure}"));
        f.write_str(&figures.collect::<Vec<_>>().join(", "))
    }
}

/// How a scenario ended.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// As it should.
    Passed(Counts),
    /// Not so; with the chain of causes.
    Failed(String),
    /// It could not be tried on this machine.
    Skipped(String),
}

impl Verdict {
    /// In the table: one word, and what there is to say.
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Passed(counts) => ("ok", counts.to_string()),
            Self::Failed(error) => ("FAILED", first_line(error)),
            Self::Skipped(reason) => ("skipped", reason.clone()),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = self.verdict.words();
        write!(f, "{:<78} | {word:<7} | {text} | {:.1}", self.name, self.took.as_secs_f64())
    }
}

/// The whole of it was printed when it failed.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

/// Prints the table, and behind it what failed once more: of a long output the end is kept. `false` if
/// something failed.
pub(crate) fn print(outcomes: &[Outcome]) -> bool {
    println!("\n{:<78} | {:<7} | counts | seconds", "scenario", "result");
    println!("{}", "-".repeat(110));
    outcomes.iter().for_each(|outcome| println!("{outcome}"));
    println!("\n{}", summary(outcomes));
    let failures = outcomes.iter().filter_map(|outcome| match &outcome.verdict {
        Verdict::Failed(error) => Some((outcome.name, error)),
        Verdict::Passed(_) | Verdict::Skipped(_) => None,
    });
    let mut all_well = true;
    for (name, error) in failures {
        all_well = false;
        println!("FAILED {name}: {}", error.chars().take(ERROR_CHARS_MAX).collect::<String>());
    }
    all_well
}

/// Writes the table as a page of the documentation.
pub(crate) fn write(path: &Path, seed: u64, outcomes: &[Outcome]) -> Result<()> {
    let mut page = format!(
        "# Against real servers\n\nWritten by `cargo xtask e2e --all --write {}`; do not edit. Each line is \
         a scenario of\n`e2e/src/bin/e2e/scenarios`, with what it counted and the seconds it took with \
         others\nbeside it. One run, seed {seed}: {}.\n\n| scenario | result | counts | \
         seconds |\n|---|---|---|---|\n",
        path.display(),
        summary(outcomes),
    );
    for Outcome { name, verdict, took } in outcomes {
        let (word, text) = verdict.words();
        let text = text.replace('|', "\\|");
        page.push_str(&format!("| {name} | {word} | {text} | {:.1} |\n", took.as_secs_f64()));
    }
    std::fs::write(path, page).with_context(|| format!("failed to write {}", path.display()))
}

fn summary(outcomes: &[Outcome]) -> String {
    let count = |is: fn(&Verdict) -> bool| outcomes.iter().filter(|o| is(&o.verdict)).count();
    let passed = count(|verdict| matches!(verdict, Verdict::Passed(_)));
    let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
    let skipped = count(|verdict| matches!(verdict, Verdict::Skipped(_)));
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}
