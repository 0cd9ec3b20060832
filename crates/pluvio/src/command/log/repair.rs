//! `pluvio log repair`: says what is wrong and what it would do, asks, does it.

use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use pluvio_log::{disk::RealDisk, inspect::Repair};

use super::{Failed, Meter, failed, print_line, table::counted, verify};

pub(super) fn repair(folder: &Path, is_agreed: bool) -> Result<(), Failed> {
    let mut meter = Meter::new();
    let disk = Arc::new(RealDisk);
    let repair = Repair::plan(disk, folder, &mut |done, all| meter.tell(done, all));
    meter.clear();
    let repair = repair.map_err(failed)?;
    print_line(&verify::read(repair.verified()));
    let findings = &repair.verified().findings;
    if findings.is_empty() {
        print_line("nothing is wrong");
        return Ok(());
    }
    print_line("\nFound:");
    for finding in findings {
        print_line(&format!("  {}", verify::line(finding)));
    }
    let count = repair.steps().len() as u64;
    if count == 0 {
        print_line("\nNothing of it needs a repair: the next start puts it right.");
        return Ok(());
    }
    print_line("\nTo do:");
    for (step, nth) in repair.steps().zip(1..) {
        print_line(&format!("  {nth}. {step}"));
    }
    if !is_agreed && !agreed(count)? {
        print_line("nothing was changed");
        return Ok(());
    }
    print_line("");
    let kept = match repair.keeps() {
        true => "; what was taken out is kept in the streams' `damaged/` folders",
        false => "",
    };
    let mut nth = 0;
    let applied = repair.apply(&mut |_| {
        nth += 1;
        print_line(&format!("step {nth} of {count} is done"));
    });
    applied.map_err(failed)?;
    print_line(&format!("repaired{kept}"));
    Ok(())
}

/// Asks whoever sits there; it is wrong usage if nobody does.
fn agreed(count: u64) -> Result<bool, Failed> {
    if !std::io::stdin().is_terminal() {
        return Err(Failed::Usage(
            "nothing was changed: there is nobody to ask; `--yes` does it without asking".into(),
        ));
    }
    let mut err = std::io::stderr();
    let steps = counted(count, "step", "steps");
    let asked = write!(err, "\nDo {steps}? [y/N] ").and_then(|()| err.flush());
    asked.context("failed to ask")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("failed to read the answer")?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
