//! What a section of a configuration makes: the contract between the binary and each folder of this room.
//!
//! A folder's `Config` is its section, read by serde; the implementation of [`SourceConfig`] or [`SinkConfig`] for
//! it, in the folder's `mod.rs`, says what it is called and makes the component. The binary lists the types and
//! asks nothing else of them: adding one is a folder here and a line there, and the compiler says what is missing.
//!
//! It refuses to start anything: what is made knows its settings, and no connection.

use pluvio_runtime::{Sink, Source};
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{file::File, s3::S3};

/// Why a section makes no component.
pub trait KeyedError: std::error::Error + 'static {
    /// The key that is to be changed.
    fn key(&self) -> &'static str;
}

/// A section that cannot be wrong once it was read.
impl KeyedError for std::convert::Infallible {
    fn key(&self) -> &'static str {
        match *self {}
    }
}

/// What a source learns of its place.
#[derive(Clone, Copy, Debug)]
pub struct SourceSlot {
    /// No other source writes to its stream.
    pub is_alone: bool,
}

/// The section of a source.
pub trait SourceConfig: DeserializeOwned + JsonSchema {
    /// The `type` in a configuration.
    const TYPE: &'static str;
    /// One line for `--help` and the default configuration.
    const SUMMARY: &'static str;
    /// A section that a newcomer can begin with, in TOML.
    const EXAMPLE: &'static str;
    /// What it makes.
    type Source: Source + Clone;
    /// What can be wrong with it.
    type Error: KeyedError;

    /// Its secrets by key, to be checked before anything starts.
    fn secrets(&self) -> Vec<(&'static str, &SecretSource)>;

    /// Checks the section and makes the source.
    fn build(self, slot: SourceSlot) -> Result<Self::Source, Self::Error>;

    /// What no two sources may have: they would store everything twice.
    fn identity(source: &Self::Source) -> String;
}

/// The section of a sink, beside what every sink's may hold.
pub trait SinkConfig: DeserializeOwned + JsonSchema {
    /// The `type` in a configuration.
    const TYPE: &'static str;
    /// One line for `--help` and the default configuration.
    const SUMMARY: &'static str;
    /// A section that a newcomer can begin with, in TOML.
    const EXAMPLE: &'static str;
    /// How its batches are made unless the section says so.
    const BATCH: Batch = Batch { events: None, age: None, size: None };
    /// What it makes.
    type Sink: Sink + Clone;
    /// What can be wrong with it.
    type Error: KeyedError;

    /// Its secrets by key, to be checked before anything starts.
    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        Vec::new()
    }

    /// Which events it can be handed at all, in CEL: its format has no form for the others.
    fn only(&self) -> Option<&'static str> {
        None
    }

    /// Checks the section and makes the sink.
    fn build(self) -> Result<Self::Sink, Self::Error>;

    /// What it writes to, as far as another sink may be in its way.
    fn target(_: &Self::Sink) -> Target {
        Target::default()
    }
}

/// How large a sink's batches grow; `None`: as all sinks' do.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// `batch_events`.
    pub events: Option<i64>,
    /// `batch_age`, as a section has it.
    pub age: Option<&'static str>,
    /// `batch_size`, as a section has it.
    pub size: Option<&'static str>,
}

/// What a sink writes to, as far as another sink may be in its way.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Where it keeps its place, as people call it. No other sink may write there, except to a bucket, under
    /// other names.
    pub exclusive: Option<String>,
    /// The client that it connects as, if nobody else can be connected as that.
    pub client: Option<String>,
    /// The files that it makes, if it makes some.
    pub files: Option<Files>,
}

impl Target {
    /// The file of this machine that grows, if it writes one.
    pub fn local(&self) -> Option<&File> {
        match &self.files {
            Some(Files::Local(file)) => Some(file),
            Some(Files::Bucket(_)) | None => None,
        }
    }

    /// The bucket that it fills, if it is one of S3.
    pub fn bucket(&self) -> Option<&S3> {
        match &self.files {
            Some(Files::Bucket(bucket)) => Some(bucket),
            Some(Files::Local(_)) | None => None,
        }
    }

    /// Which key makes names that are too long there, and why; of the sink's name and its stream's.
    pub fn too_long(&self, sink: &str, stream: &str) -> Option<(&'static str, String)> {
        match self.files.as_ref()? {
            Files::Local(file) => file.too_long(sink, stream),
            Files::Bucket(bucket) => bucket.too_long(sink, stream),
        }
    }
}

/// Files under names of their own.
#[derive(Clone, Debug)]
pub enum Files {
    /// Of this machine; those that are finished lie beside the one that grows.
    Local(File),
    /// Objects in a bucket.
    Bucket(S3),
}
