//! The sink: one unordered insert a batch, and what MongoDB says to each document.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::Duration,
};

use futures::TryStreamExt as _;
use mongodb::{
    Client, Collection, Database,
    bson::{RawDocumentBuf, doc},
    error::{Error as DriverError, ErrorKind, IndexedWriteError},
    options::{
        Acknowledgment, ClientOptions, Credential, ReadConcern, ReadPreference, SelectionCriteria,
        ServerAddress, Tls as DriverTls, TlsOptions as DriverTlsOptions, WriteConcern,
    },
};
use pluvio_runtime::{Answers, Connected, Delivered, Outcome, Sink, Standing, Writer};
use tokio::time::timeout;

use super::{
    config::{Settings, Tls},
    document::document,
    error::{Error, not_now},
    refusal::{DUPLICATE_KEY, Refusal, names_id},
    threads::Threads,
};
use crate::outbound::per_event::{Fate, Tally};

/// How long the driver looks for a server that can be written to.
const SELECTION_MAX: Duration = Duration::from_secs(5);
/// How long the majority may take; the driver's own waiting has an end, too.
const WRITE_CONCERN_MAX: Duration = Duration::from_secs(30);
/// One to write with, and one in reserve for looking.
const POOL_MAX: u32 = 2;
/// How long an insert may take, with looking up what is there: twice what the majority may. A server that
/// says it has inserted fewer documents than it was sent is sent the others without end by the driver.
const INSERT_MAX: Duration = Duration::from_secs(60);
const NAMESPACE_EXISTS: i32 = 48;
/// MongoDB rounds the size of a capped collection up to a multiple of this.
const CAPPED_STEP: u64 = 256;

/// How long connecting may take, all servers that are named and the looking together.
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// A collection as a sink.
#[derive(Clone, Debug)]
pub struct Mongodb {
    settings: Arc<Settings>,
    /// From the first connection on.
    threads: Option<Threads>,
}

impl Sink for Mongodb {
    type Writer = Inserter;
    type Error = Error;

    async fn connect(&mut self, _: Standing) -> Result<Connected<Inserter>, Error> {
        let (threads, settings) = (self.threads()?, Arc::clone(&self.settings));
        let target = self.within(threads.run(async move { settings.connect().await })).await?;
        let writer = Inserter { threads, target: Arc::new(target) };
        Ok(Connected { writer, cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let (threads, settings) = (self.threads()?, Arc::clone(&self.settings));
        self.within(threads.run(async move { settings.probe().await })).await
    }
}

impl Mongodb {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), threads: None }
    }

    fn threads(&mut self) -> Result<Threads, Error> {
        if let Some(threads) = &self.threads {
            return Ok(threads.clone());
        }
        let threads = Threads::start().map_err(Error::Threads)?;
        Ok(self.threads.insert(threads).clone())
    }

    /// Waits for an answer as long as connecting may take.
    async fn within<T>(
        &self,
        question: impl Future<Output = io::Result<Result<T, Error>>>,
    ) -> Result<T, Error> {
        match timeout(CONNECT_MAX, question).await {
            Ok(answer) => answer.map_err(Error::Threads)?,
            Err(_) => {
                let collection = self.settings.collection.clone();
                Err(Error::NoAnswer { collection, within: CONNECT_MAX })
            }
        }
    }
}

impl Settings {
    async fn connect(&self) -> Result<Target, Error> {
        let open = self.open().await?;
        let found = self.look(&open).await?;
        if found.is_none() {
            self.make(&open).await?;
        }
        let collection = open.database.collection(&self.collection);
        Ok(Target { client: open.client, name: open.name, collection })
    }

    async fn probe(&self) -> Result<String, Error> {
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

impl Settings {
    async fn open(&self) -> Result<Open, Error> {
        let settings = self;
        // Its host is told in errors; its password is noted once it is known.
        let url = settings.url.resolve_name()?;
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
        let credential = options.credential.as_ref();
        settings.url.note(credential.and_then(|it| it.password.as_deref()).unwrap_or_default());
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
        let filter = doc! { "name": &self.collection };
        let listed = open.database.list_collections().filter(filter).await;
        let mut listed = listed.map_err(|source| open.look(source))?;
        let Some(found) = listed.try_next().await.map_err(|source| open.look(source))? else {
            return Ok(None);
        };
        let bytes = found.options.size.filter(|_| found.options.capped == Some(true));
        if let Some(wanted) = self.capped_bytes
            && bytes.is_none_or(|bytes| bytes.abs_diff(wanted) >= CAPPED_STEP)
        {
            return Err(Error::Other { collection: open.name.clone(), bytes, wanted });
        }
        Ok(Some(bytes))
    }

    async fn make(&self, open: &Open) -> Result<(), Error> {
        let Some(bytes) = self.capped_bytes else {
            // Otherwise it comes into being with the first document.
            return Ok(());
        };
        let made = open.database.create_collection(&self.collection).capped(true).size(bytes).await;
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

/// Inserts into a collection.
#[derive(Debug)]
pub struct Inserter {
    threads: Threads,
    target: Arc<Target>,
}

/// A collection to insert into.
#[derive(Debug)]
struct Target {
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
        let target = Arc::clone(&self.target);
        let inserted = self.threads.run(async move { target.insert(&documents).await });
        let mut refused = match timeout(INSERT_MAX, inserted).await {
            Ok(Ok(Ok(refused))) => refused,
            Ok(Ok(Err(error))) => return error.outcome(offsets.len(), last),
            Ok(Err(source)) => return Outcome::NotConnected(Error::Threads(source)),
            Err(_) => {
                let collection = self.target.name.clone();
                return Outcome::NotConnected(Error::Slow { collection, within: INSERT_MAX });
            }
        };
        let mut tally = Tally::new(answers);
        for (index, offset) in offsets.into_iter().enumerate() {
            tally.note(offset, refused.remove(&index).unwrap_or(Fate::Taken));
        }
        tally.outcome()
    }

    async fn close(self) {
        let closed = async move { self.target.client.clone().shutdown().immediate(true).await };
        let _ended_anyway = timeout(CONNECT_MAX, self.threads.run(closed)).await;
    }
}

impl Target {
    /// Inserts; gives what became of those that were refused and are not there, by their index.
    async fn insert(
        &self,
        documents: &[RawDocumentBuf],
    ) -> Result<BTreeMap<usize, Fate<Error>>, Error> {
        let Err(error) = self.collection.insert_many(documents).ordered(false).await else {
            return Ok(BTreeMap::new());
        };
        let ErrorKind::InsertMany(told) = &*error.kind else {
            let collection = self.name.clone();
            return Err(Error::Insert { collection, source: error.into() });
        };
        if let Some(concern) = &told.write_concern_error {
            return Err(self.refused(concern.code, &concern.message));
        }
        let errors = told.write_errors.as_deref().unwrap_or_default();
        self.are_of(documents.len(), errors)?;
        let there = self.there(documents, errors).await?;
        let refused = errors.iter().filter(|error| !there.contains(&error.index));
        Ok(refused.map(|error| (error.index, self.fate(error))).collect())
    }

    /// An answer that is not about these documents says nothing about the others either.
    fn are_of(&self, count: usize, errors: &[IndexedWriteError]) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        match errors.iter().find(|error| error.index >= count || !seen.insert(error.index)) {
            Some(&IndexedWriteError { index, .. }) => {
                Err(Error::Foreign { collection: self.name.clone(), count, index })
            }
            None => Ok(()),
        }
    }

    /// Which of the documents that are refused as duplicates are there, and do not merely have something
    /// in common with another one. That is looked up unless the server says it.
    async fn there(
        &self,
        documents: &[RawDocumentBuf],
        errors: &[IndexedWriteError],
    ) -> Result<BTreeSet<usize>, Error> {
        let (mut there, mut asked) = (BTreeSet::new(), Vec::new());
        for error in errors.iter().filter(|error| error.code == DUPLICATE_KEY) {
            if names_id(&error.message) {
                there.insert(error.index);
            } else if let Some(id) = documents.get(error.index).and_then(id) {
                asked.push((error.index, id));
            }
        }
        if !asked.is_empty() {
            let ids = asked.iter().map(|(_, id)| *id).collect();
            let found = self.find(ids).await;
            let failed = |source: DriverError| Error::Find {
                collection: self.name.clone(),
                source: source.into(),
            };
            let found = found.map_err(failed)?;
            there.extend(asked.iter().filter(|(_, id)| found.contains(*id)).map(|(at, _)| *at));
        }
        Ok(there)
    }

    /// Which documents of these ids are there, also if the majority has them not yet: the insert has
    /// waited for that.
    async fn find(&self, ids: Vec<&str>) -> Result<BTreeSet<String>, DriverError> {
        let found = self.collection.find(doc! { "_id": { "$in": ids } });
        let found = found.projection(doc! { "_id": 1 }).read_concern(ReadConcern::local());
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let found = found.selection_criteria(primary).await?;
        let ids = found.try_filter_map(async |document| Ok(id(&document).map(str::to_owned)));
        ids.try_collect().await
    }

    fn fate(&self, error: &IndexedWriteError) -> Fate<Error> {
        let IndexedWriteError { code, message, .. } = error;
        match Refusal::of_one(*code) {
            Refusal::OfDocument | Refusal::OfEither => {
                Fate::Rejected(format!("{message} ({code})"))
            }
            Refusal::NotNow => Fate::Later(Duration::ZERO, not_now(&self.name, *code, message)),
            Refusal::OfAll => Fate::Failed(self.refused(*code, message)),
        }
    }

    fn refused(&self, code: i32, message: &str) -> Error {
        Error::Refused { collection: self.name.clone(), code, message: message.to_owned() }
    }
}

fn id(document: &RawDocumentBuf) -> Option<&str> {
    document.get_str("_id").ok()
}
