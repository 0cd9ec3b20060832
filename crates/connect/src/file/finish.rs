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
    let Some((pack, ending)) = packer(settings.compression) else {
        let target = free(settings, name, grown)?;
        fs::rename(grown, &target).map_err(Error::at(Doing::Finish, &target))?;
        return sync_folder(settings);
    };
    let draft = draft(settings);
    pack(grown, &draft).map_err(Error::at(Doing::Finish, &draft))?;
    let name = if name.ends_with(ending) { name.to_owned() } else { format!("{name}{ending}") };
    let target = free(settings, &name, &draft)?;
    fs::rename(&draft, &target).map_err(Error::at(Doing::Finish, &target))?;
    sync_folder(settings)?;
    fs::remove_file(grown).map_err(Error::at(Doing::Finish, grown))?;
    sync_folder(settings)
}

/// Writes what is in one file into another, packed; durable on return.
type Pack = fn(&Path, &Path) -> io::Result<()>;

/// How to pack, and what that adds to a name.
fn packer(compression: Compression) -> Option<(Pack, &'static str)> {
    match compression {
        Compression::None => None,
        Compression::Gzip => Some((gzip, ".gz")),
        Compression::Zstd => Some((zstandard, ".zst")),
    }
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

fn gzip(from: &Path, to: &Path) -> io::Result<()> {
    let mut packed = GzEncoder::new(begun(to)?, Level::default());
    io::copy(&mut fs::File::open(from)?, &mut packed)?;
    packed.finish()?.sync_all()
}

fn zstandard(from: &Path, to: &Path) -> io::Result<()> {
    let mut packed = zstd::Encoder::new(begun(to)?, zstd::DEFAULT_COMPRESSION_LEVEL)?;
    // So that a damaged archive is told when it is read.
    packed.include_checksum(true)?;
    io::copy(&mut fs::File::open(from)?, &mut packed)?;
    packed.finish()?.sync_all()
}

fn begun(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(MODE).open(path)
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
