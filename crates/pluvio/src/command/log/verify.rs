//! `pluvio log verify`: is every byte what was written?

use std::path::Path;

use pluvio_log::{
    Offset,
    disk::RealDisk,
    inspect::{self, Finding, Severity, Verified},
};
use serde_json::{Value as Json, json};

use super::{
    Failed, Meter, failed, print_line,
    table::{counted, size},
};

pub(super) fn verify(folder: &Path, is_json: bool) -> Result<(), Failed> {
    let mut meter = Meter::new();
    let verified = inspect::verify(&RealDisk, folder, &mut |done, all| meter.tell(done, all));
    meter.clear();
    let verified = verified.map_err(failed)?;
    if is_json {
        print_line(&format!("{:#}", as_json(&verified)));
    } else {
        for finding in &verified.findings {
            if !print_line(&line(finding)) {
                return Ok(());
            }
        }
        print_line(&read(&verified));
    }
    let damage = verified.damage().count() as u64;
    if damage == 0 {
        return Ok(());
    }
    let places = counted(damage, "place is", "places are");
    let folder = folder.display();
    let text = format!("{places} damaged; `pluvio log repair {folder}` tells what can be mended");
    Err(anyhow::anyhow!(text).into())
}

/// One finding; what is harmless says so.
pub(super) fn line(finding: &Finding) -> String {
    match finding.severity {
        Severity::Damage => format!("{finding} (expected: {})", finding.right),
        Severity::Harmless => format!("{finding} (harmless: {})", finding.right),
    }
}

/// What was read.
pub(super) fn read(verified: &Verified) -> String {
    format!(
        "read {}: {}, {}, {}, {}",
        size(verified.bytes),
        counted(verified.streams as u64, "stream", "streams"),
        counted(verified.segments as u64, "segment", "segments"),
        counted(verified.batches, "batch", "batches"),
        counted(verified.records, "record", "records"),
    )
}

fn as_json(verified: &Verified) -> Json {
    let finding = |finding: &Finding| {
        json!({
            "severity": finding.severity.to_string(),
            "file": finding.file.display().to_string(),
            "byte": finding.bytes.start,
            "end": finding.bytes.end,
            "offset": finding.offset.map(Offset::get),
            "what": finding.what,
            "expected": finding.right,
        })
    };
    json!({
        "damaged": verified.damage().count(),
        "streams": verified.streams,
        "segments": verified.segments,
        "batches": verified.batches,
        "records": verified.records,
        "bytes": verified.bytes,
        "findings": verified.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
