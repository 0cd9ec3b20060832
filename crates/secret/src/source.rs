//! Where a secret comes from: the three forms that a configuration may use.
//!
//! `password = "literal"`, `password = { env = "NAME" }`, `password = { file = "/path" }`.
//! A source is resolved anew each time a connection is made, so a rotated secret needs no restart;
//! that is why configuration holds a [`SecretSource`] and never a [`Secret`].
//!
//! The forms are told apart by hand instead of by an untagged enum, because that one answers every
//! mistake with "data did not match any variant".

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::{Secret, known};

/// No password, token or key is longer; a larger file is a wrong path (a core dump, a device).
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A place from which a secret is read at every [`resolve`](SecretSource::resolve).
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The value stands in the configuration itself.
    Literal(Secret),
    /// The value of an environment variable.
    Env(String),
    /// The content of a file, without white space at its end.
    File(PathBuf),
}

/// Why a secret could not be had. Names the place and the remedy, never a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable does not exist.
    #[error("environment variable `{name}` is not set; set it, or use {{ file = \"…\" }}")]
    EnvMissing {
        /// The variable's name.
        name: String,
    },
    /// The variable holds bytes that are not text.
    #[error("environment variable `{name}` is not valid UTF-8")]
    EnvNotText {
        /// The variable's name.
        name: String,
    },
    /// The file cannot be opened or read.
    #[error("failed to read secret file `{}`; check that it exists and may be read", path.display())]
    File {
        /// The file's path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is too large to be a secret.
    #[error("secret file `{}` is larger than {SECRET_BYTES_MAX} bytes; is the path right?", path.display())]
    FileTooLarge {
        /// The file's path.
        path: PathBuf,
    },
    /// The place exists and holds nothing.
    #[error("{place} is empty; write the secret into it")]
    Empty {
        /// The variable or file, in words.
        place: String,
    },
    /// A literal that holds nothing.
    #[error("the value is empty; write the secret there, or leave the key out if none is needed")]
    EmptyLiteral,
}

impl SecretSource {
    /// A secret given in place.
    pub fn literal(value: impl Into<String>) -> SecretSource {
        SecretSource::Literal(Secret::new(value))
    }

    /// Reads the secret now; never a remembered value. What was read is searched for in all that is shown.
    pub fn resolve(&self) -> Result<Secret, SecretError> {
        let secret = self.resolve_name()?;
        self.note(secret.expose());
        Ok(secret)
    }

    /// Remembers `secret` as one that was made of what is here, so that it is hidden as long.
    pub fn note(&self, secret: &str) {
        match self {
            SecretSource::Literal(_) => known::note(secret),
            SecretSource::Env(name) => known::note_of(&format!("${name}"), secret),
            SecretSource::File(path) => known::note_of(&path.to_string_lossy(), secret),
        }
    }

    /// Reads what comes from the same places and is no secret, such as a user name: errors may show it.
    pub fn resolve_name(&self) -> Result<Secret, SecretError> {
        match self {
            SecretSource::Literal(secret) => Ok(secret.clone()),
            SecretSource::Env(name) => from_env(name),
            SecretSource::File(path) => from_file(path),
        }
    }

    /// Whether there is a value that could be read now; it is not kept.
    pub fn check(&self) -> Result<(), SecretError> {
        match self.resolve_name()?.expose().trim_end() {
            // Variables and files that hold nothing have been refused already.
            "" => Err(SecretError::EmptyLiteral),
            _ => Ok(()),
        }
    }
}

fn from_env(name: &str) -> Result<Secret, SecretError> {
    match std::env::var(name) {
        Ok(value) => trimmed(&value, || format!("environment variable `{name}`")),
        Err(std::env::VarError::NotPresent) => {
            Err(SecretError::EnvMissing { name: name.to_owned() })
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(SecretError::EnvNotText { name: name.to_owned() })
        }
    }
}

fn from_file(path: &Path) -> Result<Secret, SecretError> {
    let mut text = String::new();
    let read = open(path)?.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|source| SecretError::File { path: path.to_owned(), source })?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(SecretError::FileTooLarge { path: path.to_owned() });
    }
    trimmed(&text, || format!("secret file `{}`", path.display()))
}

fn open(path: &Path) -> Result<std::fs::File, SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    let kind = std::fs::metadata(path).map_err(failed)?;
    if kind.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    // Opening a pipe waits for somebody who writes, and it could be read but once.
    if !kind.is_file() {
        let kind = std::io::ErrorKind::InvalidInput;
        return Err(failed(std::io::Error::new(kind, "it is no regular file")));
    }
    std::fs::File::open(path).map_err(failed)
}

/// Editors and `echo` leave a newline at the end; no cloud's password ends in white space on purpose.
fn trimmed(value: &str, place: impl FnOnce() -> String) -> Result<Secret, SecretError> {
    match value.trim_end() {
        "" => Err(SecretError::Empty { place: place() }),
        value => Ok(Secret::new(value)),
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Literal(_) => f.write_str("Literal(…)"),
            SecretSource::Env(name) => f.debug_tuple("Env").field(name).finish(),
            SecretSource::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SecretSource, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret: a string, { env = \"NAME\" } or { file = \"path\" }")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<SecretSource, E> {
        Ok(SecretSource::literal(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        const KEYS: &[&str] = &["env", "file"];
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            let source = match key.as_str() {
                "env" => SecretSource::Env(map.next_value()?),
                "file" => SecretSource::File(map.next_value()?),
                other => return Err(A::Error::unknown_field(other, KEYS)),
            };
            if found.replace(source).is_some() {
                return Err(A::Error::custom("a secret has one of `env` and `file`, not both"));
            }
        }
        found.ok_or_else(|| A::Error::custom("a secret table needs one of `env` and `file`"))
    }
}

impl JsonSchema for SecretSource {
    fn schema_name() -> Cow<'static, str> {
        "SecretSource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A secret: the value itself, or the place it is read from at each connect.",
            "oneOf": [
                { "type": "string", "description": "the value itself" },
                {
                    "type": "object",
                    "properties": { "env": { "type": "string", "description": "name of an environment variable" } },
                    "required": ["env"],
                    "additionalProperties": false
                },
                {
                    "type": "object",
                    "properties": { "file": { "type": "string", "description": "path of a file; white space at its end is ignored" } },
                    "required": ["file"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn parse(json: &str) -> Result<SecretSource, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn each_form_is_understood() {
        assert_eq!(parse(r#""s3cret""#).unwrap(), SecretSource::literal("s3cret"));
        assert_eq!(parse(r#"{"env":"A"}"#).unwrap(), SecretSource::Env("A".into()));
        assert_eq!(parse(r#"{"file":"/x"}"#).unwrap(), SecretSource::File("/x".into()));
    }

    #[test]
    fn a_wrong_form_is_told_what_is_valid() {
        let unknown = parse(r#"{"envv":"A"}"#).unwrap_err();
        assert!(unknown.contains("`envv`") && unknown.contains("`env` or `file`"), "{unknown}");
        assert!(parse(r#"{"env":"A","file":"b"}"#).unwrap_err().contains("not both"));
        assert!(parse("{}").unwrap_err().contains("needs one of"));
        assert!(parse("7").unwrap_err().contains("expected a secret"));
    }

    #[test]
    fn a_file_is_read_anew_and_trimmed() {
        let path = std::env::temp_dir().join(format!("pluvio-secret-{}", std::process::id()));
        let source = SecretSource::File(path.clone());
        std::fs::write(&path, "one \n").unwrap();
        assert_eq!(source.resolve().unwrap().expose(), "one");
        std::fs::write(&path, " two\r\n").unwrap();
        assert_eq!(source.resolve().unwrap().expose(), " two");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(source.resolve(), Err(SecretError::Empty { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(source.check(), Err(SecretError::File { .. })));
    }

    #[test]
    fn a_place_that_holds_nothing_is_no_secret() {
        let path = std::env::temp_dir().join(format!("pluvio-nothing-{}", std::process::id()));
        std::fs::write(&path, " \n").unwrap();
        let checked = SecretSource::File(path.clone()).check();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(checked, Err(SecretError::Empty { .. })), "{checked:?}");
        for empty in ["", " "] {
            let checked = SecretSource::literal(empty).check();
            assert!(matches!(checked, Err(SecretError::EmptyLiteral)), "{checked:?}");
        }
        assert!(SecretSource::literal("x").check().is_ok());
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let (client, _server) = std::os::unix::net::UnixStream::pair().unwrap();
        let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&client));
        let error = SecretSource::File(path.into()).resolve().unwrap_err();
        assert!(matches!(error, SecretError::File { .. }), "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("no regular file"), "{cause}");
    }

    #[test]
    fn a_missing_variable_is_named_with_its_remedy() {
        let error = SecretSource::Env("PLUVIO_NO_SUCH".into()).resolve().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`PLUVIO_NO_SUCH`") && text.contains("set it"), "{text}");
    }

    #[test]
    fn no_literal_shows_in_debug() {
        assert_eq!(format!("{:?}", SecretSource::literal("hunter2")), "Literal(…)");
    }
}
