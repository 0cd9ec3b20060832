//! 168 answers of real servers of 2011 to 2015, which lie outside the repository.
//!
//! They are read in the folder that `PLUVIO_TEST_CLOUDSTACK_RECORDINGS` names, and then they must be
//! there; else in `../shared/fixtures/cloudstack-libcloud`, seen from the repository, and skipped,
//! which is said, if that is not there.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use http::{HeaderMap, StatusCode};
use pluvio_clouds::cloudstack::{
    Error, FaultKind, Page, Query, Reply, Row, VirtualMachineQuery, VolumeQuery, ZoneQuery,
};
use serde_json::Value;

use crate::server::NOW;

const VARIABLE: &str = "PLUVIO_TEST_CLOUDSTACK_RECORDINGS";
const FOLDER: &str = "../shared/fixtures/cloudstack-libcloud";

/// Name and text of each recording.
fn recordings(test: &str) -> BTreeMap<String, String> {
    let folder = match std::env::var_os(VARIABLE) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FOLDER);
            if !folder.is_dir() {
                // Past the capture of output, because a test that did nothing must be seen.
                let said = format!("skipped {test}: no `{FOLDER}`; set {VARIABLE}\n");
                std::io::stderr().write_all(said.as_bytes()).unwrap();
                return BTreeMap::new();
            }
            folder
        }
    };
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let recordings: BTreeMap<String, String> = files
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned())
        })
        .collect();
    assert!(!recordings.is_empty(), "`{}` holds no recordings", folder.display());
    recordings
}

fn decode(name: &str, text: &str) -> Result<Reply, Error> {
    let command = name.split('_').next().unwrap();
    let (headers, received) = (HeaderMap::new(), NOW.parse().unwrap());
    Reply::decode(command, StatusCode::OK, &headers, text.as_bytes(), received)
}

#[test]
fn every_recorded_answer_is_a_reply_or_a_refusal() {
    let mut refusals = Vec::new();
    for (name, text) in recordings("every recorded answer is a reply or a refusal") {
        let inside: Value = serde_json::from_str(&text).unwrap();
        let inside = inside.as_object().unwrap().values().next().unwrap().clone();
        match decode(&name, &text) {
            Ok(reply) => {
                let object: Value = serde_json::from_str(reply.object().get()).unwrap();
                assert_eq!(object, inside, "{name}");
            }
            Err(error) => {
                assert_eq!(error.kind(), Some(FaultKind::Parameter), "{name}: {error}");
                let text = inside["errortext"].as_str().unwrap();
                assert!(error.to_string().contains(text), "{name}: {error}");
                refusals.push(name);
            }
        }
    }
    if !refusals.is_empty() {
        assert_eq!(refusals, ["deployVirtualMachine_deployfail", "registerSSHKeyPair_error"]);
    }
}

/// Reads all recordings of a list; how many rows there were.
fn rows_of<Q: Query>(check: impl Fn(&Q::Row, &Value)) -> usize {
    let mut count = 0;
    let title = format!("recorded answers of {}", Q::COMMAND);
    for (name, text) in recordings(&title) {
        if name.split('_').next() != Some(Q::COMMAND) {
            continue;
        }
        let page = Page::<Q::Row>::of(&decode(&name, &text).unwrap(), Q::OBJECT).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let inside = value.as_object().unwrap().values().next().unwrap();
        let expected = inside[Q::OBJECT].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(page.rows.len(), expected.len(), "{name}");
        assert_eq!(page.count, inside["count"].as_u64(), "{name}");
        for (row, expected) in page.rows.iter().zip(expected) {
            let row = row.as_ref().unwrap();
            assert_eq!(row.id(), plain(&expected["id"]), "{name}");
            check(row, expected);
        }
        count += expected.len();
    }
    count
}

/// Ids were numbers, and became text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn recorded_machines_are_read() {
    let count = rows_of::<VirtualMachineQuery>(|machine, expected| {
        assert_eq!(machine.state.as_deref(), expected["state"].as_str());
        assert_eq!(machine.cpu_number, expected["cpunumber"].as_u64());
        assert_eq!(machine.memory_mib, expected["memory"].as_u64());
        assert_eq!(machine.owner.domain_id, Some(plain(&expected["domainid"])));
    });
    assert!(count == 0 || count >= 2, "{count}");
}

#[test]
fn recorded_volumes_are_read() {
    let count = rows_of::<VolumeQuery>(|volume, expected| {
        assert_eq!(volume.volume_type.as_deref(), expected["type"].as_str());
        assert_eq!(volume.size_bytes, expected["size"].as_u64());
    });
    assert!(count == 0 || count >= 2, "{count}");
}

#[test]
fn recorded_zones_are_read() {
    rows_of::<ZoneQuery>(|zone, expected| {
        assert_eq!(zone.name.as_deref(), expected["name"].as_str());
        assert_eq!(zone.network_type.as_deref(), expected["networktype"].as_str());
    });
}
