//! The sink: one unordered insert a batch, and what MongoDB says to each document.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::TryStreamExt as _;
use mongodb::{
    Client, Collection, Database,
    bson::{RawDocumentBuf, doc},
    error::{Error as DriverError, ErrorKind, IndexedWriteError},
    options::{
        Acknowledgment, ClientOptions, Credential, ServerAddress, Tls as DriverTls,
        TlsOptions as DriverTlsOptions, WriteConcern,
    },
};
use pluvio_runtime::{Answers, Connected, Delivered, Outcome, Sink, Standing, Writer};

use super::{
    config::{Settings, Tls},
    document::document,
    error::Error,
};
use crate::fate::{Fate, Tally};

/// How long the driver looks for a server that can be written to.
const SELECTION_MAX: Duration = Duration::from_secs(5);
/// How long the majority may take; the driver's own waiting has an end, too.
const WRITE_CONCERN_MAX: Duration = Duration::from_secs(30);
/// One to write with, and one in reserve for looking.
const POOL_MAX: u32 = 2;
const DUPLICATE_KEY: i32 = 11000;
const NAMESPACE_EXISTS: i32 = 48;
/// What MongoDB says of one document for ever: bad value, failed to parse, type mismatch, overflow,
/// invalid BSON, names with a dollar or a dot, an empty name, validation, arrays that an index cannot
/// have both of, size (of the document, of an index's key), a place that is none on a map.
const OF_ONE: [i32; 15] =
    [2, 9, 14, 15, 22, 52, 56, 57, 121, 171, 10_334, 16_755, 17_280, 17_419, 17_420];
/// What it says of a document that it may take in a moment: a limit of time, write conflict, a primary
/// that steps down or is not one, interrupted, a chunk that moves.
const NOT_NOW: [i32; 13] =
    [50, 63, 91, 112, 133, 189, 262, 10_107, 11_600, 11_602, 13_388, 13_435, 13_436];
/// MongoDB rounds the size of a capped collection up to a multiple of this.
const CAPPED_STEP: u64 = 256;

/// A collection as a sink.
#[derive(Clone, Debug)]
pub struct Mongodb(pub(super) Arc<Settings>);

impl Sink for Mongodb {
    type Writer = Inserter;
    type Error = Error;

    async fn connect(&mut self, _: Standing) -> Result<Connected<Inserter>, Error> {
        let open = self.open().await?;
        let found = self.look(&open).await?;
        if found.is_none() {
            self.make(&open).await?;
        }
        let collection = open.database.collection(&self.0.collection);
        let writer = Inserter { client: open.client, name: open.name, collection };
        Ok(Connected { writer, cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let open = self.open().await?;
        let info = open.database.run_command(doc! { "buildInfo": 1 }).await;
        let info = info.map_err(|source| open.look(source))?;
        let version = info.get_str("version").unwrap_or("of unknown version");
        let found = match self.look(&open).await? {
            None => "will be made".to_owned(),
            Some(None) => "is there".to_owned(),
            Some(Some(bytes)) => format!("is there, capped at {bytes} bytes"),
        };
        let text =
            format!("MongoDB {version} at {}: collection `{}` {found}", open.server, open.name);
        open.client.shutdown().immediate(true).await;
        Ok(text)
    }
}

/// A client that has not said anything yet.
struct Open {
    client: Client,
    database: Database,
    server: String,
    /// Database and collection.
    name: String,
}

impl Open {
    fn look(&self, source: DriverError) -> Error {
        let (server, collection) = (self.server.clone(), self.name.clone());
        Error::Look { server, collection, source: source.into() }
    }
}

impl Mongodb {
    async fn open(&self) -> Result<Open, Error> {
        let settings = &self.0;
        let url = settings.url.resolve()?;
        let url = url.expose();
        if !url.starts_with("mongodb://") {
            return Err(Error::Url);
        }
        let mut options = ClientOptions::parse(url).await.map_err(|_| Error::Url)?;
        let credentials = settings.login.resolve()?;
        if let (Some(username), Some(password)) = (credentials.username, credentials.password) {
            let mut credential = options.credential.take().unwrap_or_else(|| {
                Credential::builder().source(options.default_database.clone()).build()
            });
            credential.username = Some(username.expose().to_owned());
            credential.password = Some(password.expose().to_owned());
            options.credential = Some(credential);
        }
        options.app_name.get_or_insert_with(|| "pluvio".to_owned());
        // Who tries again when is the supervisor's business.
        options.retry_writes = Some(false);
        options.retry_reads = Some(false);
        options.server_selection_timeout = Some(SELECTION_MAX);
        options.max_pool_size = Some(POOL_MAX);
        options.write_concern = Some(for_good());
        if let Some(tls) = &settings.tls {
            options.tls = Some(driver_tls(tls));
        }
        let database = settings.database.clone().or_else(|| options.default_database.clone());
        let database = database.ok_or(Error::NoDatabase)?;
        let hosts: Vec<_> = options.hosts.iter().map(ServerAddress::to_string).collect();
        let server = hosts.join(", ");
        let client = Client::with_options(options);
        let failed =
            |source: DriverError| Error::Client { server: server.clone(), source: source.into() };
        let client = client.map_err(failed)?;
        let name = format!("{database}.{}", settings.collection);
        Ok(Open { database: client.database(&database), client, server, name })
    }

    /// What is there: `None`, nothing; otherwise how large it may grow, if it is capped.
    async fn look(&self, open: &Open) -> Result<Option<Option<u64>>, Error> {
        let filter = doc! { "name": &self.0.collection };
        let listed = open.database.list_collections().filter(filter).await;
        let mut listed = listed.map_err(|source| open.look(source))?;
        let Some(found) = listed.try_next().await.map_err(|source| open.look(source))? else {
            return Ok(None);
        };
        let bytes = found.options.size.filter(|_| found.options.capped == Some(true));
        if let Some(wanted) = self.0.capped_bytes
            && bytes.is_none_or(|bytes| bytes.abs_diff(wanted) >= CAPPED_STEP)
        {
            return Err(Error::Other { collection: open.name.clone(), bytes, wanted });
        }
        Ok(Some(bytes))
    }

    async fn make(&self, open: &Open) -> Result<(), Error> {
        let Some(bytes) = self.0.capped_bytes else {
            // Otherwise it comes into being with the first document.
            return Ok(());
        };
        let made =
            open.database.create_collection(&self.0.collection).capped(true).size(bytes).await;
        match made {
            Err(error) if code(&error) == Some(NAMESPACE_EXISTS) => {
                // Somebody was faster; whether alike shows a second look.
                self.look(open).await.map(|_| ())
            }
            made => made.map_err(|source| open.look(source)),
        }
    }
}

fn code(error: &DriverError) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        _ => None,
    }
}

/// The majority has it, in its journals.
fn for_good() -> WriteConcern {
    let concern = WriteConcern::builder().w(Acknowledgment::Majority).journal(true);
    concern.w_timeout(WRITE_CONCERN_MAX).build()
}

fn driver_tls(tls: &Tls) -> DriverTls {
    let mut options = DriverTlsOptions::default();
    options.ca_file_path.clone_from(&tls.ca_file);
    options.cert_key_file_path.clone_from(&tls.pair_file);
    options.allow_invalid_certificates = tls.insecure.then_some(true);
    DriverTls::Enabled(options)
}

/// A collection to insert into.
#[derive(Debug)]
pub struct Inserter {
    client: Client,
    name: String,
    collection: Collection<RawDocumentBuf>,
}

impl Writer for Inserter {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        let (mut documents, mut offsets) = (Vec::new(), Vec::new());
        for record in batch {
            match document(record) {
                Ok(document) => {
                    documents.push(document);
                    offsets.push(record.offset());
                }
                Err(reason) => answers.rejected(record.offset(), reason),
            }
        }
        let Some(last) = offsets.last().copied() else { return Outcome::Answered };
        let refused = match self.insert(documents).await {
            Ok(refused) => refused,
            Err(error) if error.is_of_network() => {
                return Outcome::Broken { error, sent_to: last };
            }
            Err(error) => return Outcome::NotConnected(error),
        };
        let mut tally = Tally::new(answers);
        let mut refused: BTreeMap<_, _> = refused.into_iter().collect();
        for (index, offset) in offsets.into_iter().enumerate() {
            tally.note(offset, refused.remove(&index).unwrap_or(Fate::Taken));
        }
        tally.outcome()
    }

    async fn close(self) {
        self.client.shutdown().immediate(true).await;
    }
}

impl Inserter {
    /// Inserts; gives what is said of those that were not.
    async fn insert(
        &self,
        documents: Vec<RawDocumentBuf>,
    ) -> Result<Vec<(usize, Fate<Error>)>, Error> {
        let Err(error) = self.collection.insert_many(documents).ordered(false).await else {
            return Ok(Vec::new());
        };
        let ErrorKind::InsertMany(told) = &*error.kind else {
            let collection = self.name.clone();
            return Err(Error::Insert { collection, source: error.into() });
        };
        if let Some(concern) = &told.write_concern_error {
            return Err(self.refused(concern.code, &concern.message));
        }
        let mut refused = Vec::new();
        for IndexedWriteError { index, code, message, .. } in told.write_errors.iter().flatten() {
            let fate = match *code {
                code if is_there(code, message) => continue,
                code if code == DUPLICATE_KEY || OF_ONE.contains(&code) => {
                    Fate::Rejected(format!("{message} ({code})"))
                }
                code if NOT_NOW.contains(&code) => {
                    let name = &self.name;
                    let why = format!("`{name}` does not take documents now: {message} ({code})");
                    Fate::Later(Duration::ZERO, why)
                }
                code => Fate::Failed(self.refused(code, message)),
            };
            refused.push((*index, fate));
        }
        Ok(refused)
    }

    fn refused(&self, code: i32, message: &str) -> Error {
        Error::Refused { collection: self.name.clone(), code, message: message.to_owned() }
    }
}

/// Whether the document was there already, and not another one with something else in common.
fn is_there(code: i32, message: &str) -> bool {
    let index = message.split_once("index: ").map(|(_, index)| index);
    code == DUPLICATE_KEY && index.is_none_or(|index| index.starts_with("_id_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_document_is_there_already() {
        let duplicate =
            |index| format!("E11000 duplicate key error collection: a.b index: {index} dup key");
        assert!(is_there(DUPLICATE_KEY, &duplicate("_id_")));
        assert!(!is_there(DUPLICATE_KEY, &duplicate("subject_1")));
        assert!(is_there(DUPLICATE_KEY, "E11000 duplicate key error"));
        assert!(!is_there(121, "Document failed validation"));
    }
}
