//! Secrets in files that others on this machine can read.
//!
//! A configuration is inspected once; on the way every literal secret, secret file and private key is
//! noted here. What others can read is warned of and not refused: a volume of a container may have no
//! other modes, and a Pluvio that does not start captures nothing.

use std::{
    ops::Range,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::document::{Document, Problem};

/// The permission bit of a file that everybody on the machine can read.
const READABLE_BY_OTHERS: u32 = 0o004;

/// What a configuration holds or names that only its owner should read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sensitive {
    /// Where literal secrets stand, as bytes of the document.
    literals: Vec<Range<usize>>,
    /// Secret files and private keys, and where they are named.
    files: Vec<(PathBuf, Range<usize>)>,
}

impl Sensitive {
    /// Notes a secret that stands in the configuration itself.
    pub(super) fn literal(&mut self, span: Range<usize>) {
        self.literals.push(span);
    }

    /// Notes a file that holds a secret or a private key.
    pub(super) fn file(&mut self, path: &Path, span: Range<usize>) {
        self.files.push((path.to_owned(), span));
    }

    /// Adds what another section holds.
    pub(super) fn extend(&mut self, other: Self) {
        self.literals.extend(other.literals);
        self.files.extend(other.files);
    }

    /// One warning a file that others can read: the document once, at its first literal secret.
    pub(super) fn warnings(self, document: &Document) -> Vec<Problem> {
        let mut warnings = Vec::new();
        let own = Path::new(document.name());
        if let Some(span) = self.literals.into_iter().min_by_key(|span| span.start)
            && is_readable_by_others(own)
        {
            let message = format!(
                "the secret here can be read by everybody on this machine; run `chmod o-rwx {}`, or \
                 move the secret into a file of its own: {{ file = \"…\" }}",
                own.display()
            );
            warnings.push(document.problem(span, message));
        }
        for (path, span) in self.files.into_iter().filter(|(path, _)| is_readable_by_others(path)) {
            let path = path.display();
            let message = format!(
                "`{path}` can be read by everybody on this machine; run `chmod o-rwx {path}`"
            );
            warnings.push(document.problem(span, message));
        }
        warnings
    }
}

/// `false` also for a file that is not there: whoever needs it reports that.
fn is_readable_by_others(path: &Path) -> bool {
    let mode = std::fs::metadata(path).map(|metadata| metadata.permissions().mode());
    mode.is_ok_and(|mode| mode & READABLE_BY_OTHERS != 0)
}
