//! From a file that grows to one that never changes.
//!
//! Done again after a crash, it gives the same file under the same name.

use std::{
    fs,
    io::{self, BufReader, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use flate2::{Compression as Level, write::GzEncoder};

use super::{
    config::{Compression, Settings},
    error::{Doing, Error},
    note::{MODE, draft, sync_folder},
};

/// Gives the file that grows the finished name `name`, packed if asked for. Its own name is free
/// then. Durable on return.
pub(super) fn finish(settings: &Settings, name: &str) -> Result<(), Error> {
    let grown = &settings.path;
    match settings.compression {
        Compression::None => {
            let target = free(settings, name, grown)?;
            fs::rename(grown, &target).map_err(Error::at(Doing::Finish, &target))?;
        }
        Compression::Gzip => {
            let draft = draft(settings);
            pack(grown, &draft).map_err(Error::at(Doing::Finish, &draft))?;
            let name = if name.ends_with(".gz") { name.to_owned() } else { format!("{name}.gz") };
            let target = free(settings, &name, &draft)?;
            fs::rename(&draft, &target).map_err(Error::at(Doing::Finish, &target))?;
            sync_folder(settings)?;
            fs::remove_file(grown).map_err(Error::at(Doing::Finish, grown))?;
        }
    }
    sync_folder(settings)
}

/// The path for `name`, or for `name-2` and so on if other content has it: an archive is never
/// overwritten. One with the very content of `whole` is what a crash left, and is replaced.
fn free(settings: &Settings, name: &str, whole: &Path) -> Result<PathBuf, Error> {
    let mut target = settings.folder.join(name);
    for number in 2_u64.. {
        let is_free =
            !target.exists() || is_same(&target, whole).map_err(Error::at(Doing::Read, &target))?;
        if is_free {
            break;
        }
        target = settings.folder.join(format!("{name}-{number}"));
    }
    Ok(target)
}

fn pack(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(MODE).open(to)?;
    let mut packed = GzEncoder::new(file, Level::default());
    io::copy(&mut fs::File::open(from)?, &mut packed)?;
    packed.finish()?.sync_all()
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (fs::File::open(one)?, fs::File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    for (ours, theirs) in BufReader::new(one).bytes().zip(BufReader::new(other).bytes()) {
        if ours? != theirs? {
            return Ok(false);
        }
    }
    Ok(true)
}
