//! What is wrong with a PEM file, without a letter of what is in it.
//!
//! The reader's own errors quote the line at which it stopped, as numbers. A private key whose line ends were
//! lost, in a variable or a template, is one line.

use std::io;

use rustls::pki_types::pem::Error;

/// Why a PEM file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PemFault {
    /// The file itself cannot be read.
    #[error(transparent)]
    Unreadable(io::Error),
    /// There is a line that begins a section, and none that ends it.
    #[error(
        "a `-----BEGIN …-----` has no `-----END …-----` on a line of its own; were the line ends lost?"
    )]
    Unended,
    /// The line that begins a section has something behind it, or lacks its end.
    #[error(
        "a line with `-----BEGIN` holds more, or less, than that mark; were the line ends lost?"
    )]
    Unbegun,
    /// What is between the two lines cannot be decoded.
    #[error("what stands between `-----BEGIN …-----` and `-----END …-----` is no base64")]
    NoBase64,
    /// It holds nothing of the kind that is looked for.
    #[error("it holds nothing of the kind")]
    Nothing,
    /// It is larger than any certificate or key.
    #[error("it is too large")]
    TooLarge,
    /// Something that the reader has learned to tell since.
    #[error("it cannot be read as PEM")]
    Other,
}

impl From<Error> for PemFault {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => Self::Unreadable(error),
            Error::MissingSectionEnd { .. } => Self::Unended,
            Error::IllegalSectionStart { .. } => Self::Unbegun,
            Error::Base64Decode(_) => Self::NoBase64,
            Error::NoItemsFound => Self::Nothing,
            Error::SectionTooLarge => Self::TooLarge,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};

    use super::*;

    #[test]
    fn a_key_whose_line_ends_were_lost_is_refused_without_a_letter_or_a_number_of_it() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let key = made.map(|made| made.signing_key.serialize_pem()).unwrap_or_default();
        for between in [" ", "\\n", ""] {
            let line = key.trim().replace('\n', between);
            let fault =
                PrivateKeyDer::from_pem_slice(line.as_bytes()).map(|_| ()).map_err(PemFault::from);
            let Err(fault) = fault else { unreachable!("it was taken") };
            for told in [fault.to_string(), format!("{fault:?}")] {
                assert!(!told.contains(|c: char| c.is_ascii_digit()) && told.len() < 150, "{told}");
            }
            assert!(fault.to_string().contains("were the line ends lost?"), "{fault}");
        }
    }
}
