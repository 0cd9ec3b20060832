//! What an operator may say about a file, and how that becomes the settings of a sink.

use std::{path::PathBuf, time::Duration};

use pluvio_net::unit::{ByteSize, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    component::KeyedError,
    outbound::object_name::{InvalidTemplate, Template},
};

/// A file of events, one line of JSON each.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file that grows, for example `/var/lib/pluvio/events.ndjson`. Its folder must be there, and
    /// not be the log's; it must be no link, because finished files lie beside it. The file is made with the
    /// permissions 0640.
    pub path: PathBuf,
    /// Names of finished files, in the same folder. `{first}` and `{last}` are the offsets of the
    /// first and the last event in 20 digits, `{date}` and `{time}` tell when the first was recorded,
    /// in UTC, `{stream}` and `{sink}` are names, `{log}` is the log's. One of `{first}` and `{last}` must be
    /// there, and no other sink's files may get the same names. If a file of other events has the name (the log
    /// was put back from a copy, or the sink moved back with another `filter`), `-2` and so on stands before the
    /// extension.
    #[serde(default = "finished")]
    pub finished: String,
    /// The file is finished before it grows beyond this.
    #[serde(default = "rotate_size")]
    pub rotate_size: ByteSize,
    /// The file is finished by the first event that comes so long after it was begun.
    #[serde(default = "rotate_age")]
    pub rotate_age: Period,
    /// How finished files are packed: `none`, `gzip`, which adds `.gz` to their names, or `zstd`, which
    /// adds `.zst`.
    #[serde(default)]
    pub compression: Compression,
}

/// How finished files are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
}

impl Compression {
    /// What the name of a file that is packed so ends with.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// The name of a file that is packed so.
    pub(super) fn ended(self, name: &str) -> String {
        let ending = self.ending();
        if name.ends_with(ending) { name.to_owned() } else { format!("{name}{ending}") }
    }
}

fn finished() -> String {
    "{stream}-{sink}-{first}.ndjson".to_owned()
}

fn rotate_size() -> ByteSize {
    ByteSize(128 << 20)
}

fn rotate_age() -> Period {
    Period(Duration::from_secs(86_400))
}

/// A finished file has at least this size, if size finishes it: a folder is no database.
const ROTATE_BYTES_MIN: u64 = 4 << 10;

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no file name.
    #[error("`path` names no file; write for example \"events.ndjson\"")]
    Path,
    /// The value is not a valid template.
    #[error("`finished` is no name for files")]
    Finished(#[from] InvalidTemplate),
    /// Too small.
    #[error("`rotate_size` is below {}", ByteSize(ROTATE_BYTES_MIN))]
    Size,
    /// Every event would finish a file.
    #[error("`rotate_age` is 0; write for example \"1h\" or \"1d\"")]
    Age,
}

impl KeyedError for ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Finished(_) => "finished",
            Self::Size => "rotate_size",
            Self::Age => "rotate_age",
        }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    /// Absolute, as far as the current folder is known.
    pub(super) path: PathBuf,
    pub(super) folder: PathBuf,
    /// The name of the file that grows.
    pub(super) file_name: String,
    pub(super) finished: Template,
    pub(super) rotate_bytes: u64,
    pub(super) rotate_age: Duration,
    pub(super) compression: Compression,
}

impl Config {
    /// A file at `path` with every default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            finished: finished(),
            rotate_size: rotate_size(),
            rotate_age: rotate_age(),
            compression: Compression::None,
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let path = std::path::absolute(&self.path).map_err(|_| ConfigError::Path)?;
        let folder = path.parent().ok_or(ConfigError::Path)?.to_owned();
        let file_name = path.file_name().and_then(|name| name.to_str());
        let file_name = file_name.ok_or(ConfigError::Path)?.to_owned();
        if self.path.as_os_str().to_string_lossy().ends_with('/') {
            return Err(ConfigError::Path);
        }
        if self.rotate_size.0 < ROTATE_BYTES_MIN {
            return Err(ConfigError::Size);
        }
        if self.rotate_age.0.is_zero() {
            return Err(ConfigError::Age);
        }
        Ok(Settings {
            finished: Template::new(&self.finished)?,
            path,
            folder,
            file_name,
            rotate_bytes: self.rotate_size.0,
            rotate_age: self.rotate_age.0,
            compression: self.compression,
        })
    }
}
