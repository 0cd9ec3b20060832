//! The note beside a file: which log its lines are of, and how far the finished files reach.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    config::Settings,
    error::{Doing, Error},
};

/// Permissions of everything that is made: the owner writes, the group reads.
pub(super) const MODE: u32 = 0o640;

/// What the note says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) stream: String,
    pub(super) log_id: Uuid,
    /// All lines before this offset are in finished files.
    pub(super) next: i64,
    /// When the file that grows was begun.
    pub(super) begun: Timestamp,
    /// What the growing file is while it is finished; nothing, once there is an empty one in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finishing: Option<Finishing>,
}

/// A file that is being finished: done again after a crash, it must get the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finishing {
    /// The offset of its last line.
    pub(super) last: i64,
    pub(super) stream: String,
    pub(super) log_id: Uuid,
}

pub(super) fn path(settings: &Settings) -> PathBuf {
    settings.folder.join(format!(".{}.pluvio", settings.file_name))
}

/// What is written first, so that a name never stands for a half-written file.
pub(super) fn draft(settings: &Settings) -> PathBuf {
    settings.folder.join(format!(".{}.pluvio-draft", settings.file_name))
}

impl Note {
    /// Reads the note; `None`: there is none.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, Error> {
        let path = path(settings);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::at(Doing::Read, &path)(error)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| Error::Note { path: path.clone(), source })
    }

    /// Writes the note; durable on return.
    pub(super) fn write(&self, settings: &Settings) -> Result<(), Error> {
        let (path, draft) = (path(settings), draft(settings));
        let text = serde_json::to_vec(self)
            .map_err(|source| Error::Note { path: path.clone(), source })?;
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(MODE);
        let written = options.open(&draft).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        written.map_err(Error::at(Doing::Write, &draft))?;
        fs::rename(&draft, &path).map_err(Error::at(Doing::Write, &path))?;
        sync_folder(settings)
    }
}

/// Makes names durable.
pub(super) fn sync_folder(settings: &Settings) -> Result<(), Error> {
    fs::File::open(&settings.folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::at(Doing::Sync, &settings.folder))
}
