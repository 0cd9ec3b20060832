//! From a file that grows to one that never changes.
//!
//! Done again after a crash, it gives the same file under the same name. A name is taken by a call that
//! fails where there is one already, so that two who finish at one moment do not replace each other's file.

use std::{
    fs,
    io::{self, BufReader, ErrorKind, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use flate2::{Compression as Level, write::GzEncoder};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    config::{Compression, Settings},
    error::{Doing, Error},
    note::{MODE, draft, sync_folder},
};

/// Gives the file that grows the finished name `name`, packed if asked for, and says which it got. Its own
/// name is free then. Durable on return.
pub(super) fn finish(settings: &Settings, name: &str) -> Result<PathBuf, Error> {
    let grown = &settings.path;
    let Some(pack) = packer(settings.compression) else {
        let target = named(settings, name, grown)?;
        sync_folder(settings)?;
        return Ok(target);
    };
    let draft = draft(settings);
    pack(grown, &draft).map_err(Error::at(Doing::Finish, &draft))?;
    let target = named(settings, &settings.compression.ended(name), &draft)?;
    sync_folder(settings)?;
    fs::remove_file(grown).map_err(Error::at(Doing::Finish, grown))?;
    sync_folder(settings)?;
    Ok(target)
}

/// Writes what is in one file into another, packed; durable on return.
type Pack = fn(&Path, &Path) -> io::Result<()>;

/// How to pack.
fn packer(compression: Compression) -> Option<Pack> {
    match compression {
        Compression::None => None,
        Compression::Gzip => Some(gzip),
        Compression::Zstd => Some(zstandard),
    }
}

/// A name with a number before its extensions, by which others find such files: `a.ndjson.gz` becomes
/// `a-2.ndjson.gz`.
fn numbered(name: &str, number: u64) -> String {
    let plain = [".gz", ".zst"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(name);
    let file = plain.rfind('/').map_or(0, |slash| slash + 1);
    let dot = plain[file..].rfind('.').filter(|dot| *dot > 0).map_or(plain.len(), |dot| file + dot);
    format!("{}-{number}{}", &name[..dot], &name[dot..])
}

/// Gives the file `whole` the name `name`, or the same [with a number](numbered) if other content has it: an archive is
/// never overwritten. One with the very content of `whole` is what a crash left, and takes its place.
fn named(settings: &Settings, name: &str, whole: &Path) -> Result<PathBuf, Error> {
    let mut target = settings.folder.join(name);
    for number in 2_u64.. {
        let finish = Error::at(Doing::Finish, &target);
        match rename_new(whole, &target) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            renamed => {
                renamed.map_err(finish)?;
                break;
            }
        }
        let is_same = match is_same(&target, whole) {
            // A link to nothing, or somebody else's: it is not ours.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
                    && whole.exists() =>
            {
                false
            }
            is_same => is_same.map_err(Error::at(Doing::Read, &target))?,
        };
        if is_same {
            fs::remove_file(whole).map_err(finish)?;
            break;
        }
        target = settings.folder.join(numbered(name, number));
    }
    Ok(target)
}

/// Renames a file to a name that nothing has yet.
type RenameNew = fn(&Path, &Path) -> io::Result<()>;

/// From the one that does it at once to the one that every file system can do.
const RENAMES_NEW: [RenameNew; 3] = [rename_at_once, rename_by_link, rename_over_claim];

/// Renames a file; [`ErrorKind::AlreadyExists`] where something has the name.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let is_unknown = |error: &io::Error| {
        use rustix::io::Errno;
        let unknown = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::PERM];
        Errno::from_io_error(error).is_some_and(|errno| unknown.contains(&errno))
    };
    let mut renamed = rename_at_once(from, to);
    for rename in &RENAMES_NEW[1..] {
        if !renamed.as_ref().is_err_and(is_unknown) {
            break;
        }
        renamed = rename(from, to);
    }
    renamed
}

fn rename_at_once(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// For file systems without the first, such as NFS. A crash in between leaves both names, which have the
/// same content.
fn rename_by_link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

/// For those without hard links. A crash in between leaves an empty file of that name: as nothing empty is
/// ever finished, that is a claim, and the next attempt takes it.
fn rename_over_claim(from: &Path, to: &Path) -> io::Result<()> {
    let claimed = fs::OpenOptions::new().write(true).create_new(true).mode(MODE).open(to);
    match claimed {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && is_empty(to) => {}
        claimed => drop(claimed?),
    }
    let renamed = fs::rename(from, to);
    if renamed.is_err() && is_empty(to) {
        let _the_next_attempt_takes_it = fs::remove_file(to);
    }
    renamed
}

fn is_empty(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.is_file() && it.len() == 0)
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
    if !fs::metadata(one)?.is_file() {
        return Ok(false);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(path: &Path, content: &str) {
        fs::write(path, content).unwrap_or_else(|error| unreachable!("{error}"));
    }

    fn content(path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    #[test]
    fn a_number_stands_before_the_extensions() {
        for (name, expected) in [
            ("a.ndjson", "a-2.ndjson"),
            ("a.ndjson.gz", "a-2.ndjson.gz"),
            ("of.day/a.b.ndjson.zst", "of.day/a.b-2.ndjson.zst"),
            ("of.day/a", "of.day/a-2"),
            (".a.gz", ".a-2.gz"),
        ] {
            assert_eq!(numbered(name, 2), expected);
        }
    }

    #[test]
    fn a_name_that_something_has_is_never_replaced_whatever_the_file_system_can_do() {
        let folder = std::env::temp_dir().join(format!("pluvio-named-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap_or_else(|error| unreachable!("{error}"));
        let (from, to) = (folder.join("from"), folder.join("to"));
        for (nth, rename) in RENAMES_NEW.into_iter().chain([rename_new as RenameNew]).enumerate() {
            let _not_there = fs::remove_file(&to);
            written(&from, "one");
            let renamed = rename(&from, &to);
            assert!(renamed.is_ok(), "{nth}: {renamed:?}");
            assert_eq!((content(&from), content(&to).as_deref()), (None, Some("one")), "{nth}");
            written(&from, "two");
            let refused = rename(&from, &to).map_err(|error| error.kind());
            assert_eq!(refused, Err(ErrorKind::AlreadyExists), "{nth}");
            let left = (content(&from), content(&to));
            assert_eq!(left, (Some("two".to_owned()), Some("one".to_owned())), "{nth}");
        }
        written(&to, "");
        let claimed = rename_over_claim(&from, &to);
        assert!(claimed.is_ok(), "an empty file is a claim that a crash left: {claimed:?}");
        let nothing = rename_over_claim(&from, &folder.join("new"));
        assert_eq!(nothing.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
        assert!(!folder.join("new").exists(), "no claim is left where there is nothing to rename");
        let _best_effort = fs::remove_dir_all(&folder);
    }
}
