//! A bucket in memory: what becomes of a put, and when, is in a test's hand.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use pluvio_connect::{
    component::SinkConfig as _,
    s3::{Config, S3},
};
use pluvio_secret::SecretSource;

use crate::http_peer::{Answer, Asked, Peer, status};

/// What tells the lines of an object from others.
const SHA256: &str = "x-amz-meta-pluvio-sha256";

/// Of the log 1.
pub(crate) const CURSOR: &str = "/sky/.pluvio/archive-events-00000000000000000000000000000001.json";

/// What becomes of a put of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It happens and is answered.
    Answered,
    /// It happens; the answer is lost.
    Unanswered,
    /// It never happens.
    Lost,
    /// It has no answer, and happens when so many more requests have come.
    Late(usize),
}

/// How the server takes `If-None-Match: *`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conditions {
    /// It leaves alone what is there.
    Heeded,
    /// It puts all the same.
    Ignored,
    /// It refuses the request with this status.
    Refused(u16),
}

/// The bucket `sky`, empty at first.
pub(crate) struct Bucket {
    pub(crate) peer: Peer,
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    conditions: Conditions,
    /// How a look for an object is refused.
    blind: Option<u16>,
    /// By their paths: the text and the digest in the metadata.
    objects: BTreeMap<String, (String, String)>,
    /// Of the next puts of objects; then they are answered.
    fates: VecDeque<Fate>,
    late: Vec<(usize, Asked)>,
}

impl Bucket {
    pub(crate) async fn new(conditions: Conditions) -> Self {
        let inside = Inside {
            conditions,
            blind: None,
            objects: BTreeMap::new(),
            fates: VecDeque::new(),
            late: Vec::new(),
        };
        let inside = Arc::new(Mutex::new(inside));
        let answering = Arc::clone(&inside);
        let peer = Peer::start(move |asked| answering.lock().unwrap().answer(asked)).await;
        Self { peer, inside }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// A sink that fills it.
    pub(crate) fn sink(&self) -> S3 {
        self.sink_of(|_| {})
    }

    /// One that is configured otherwise.
    pub(crate) fn sink_of(&self, change: impl FnOnce(&mut Config)) -> S3 {
        let (access_key, secret_key) = (SecretSource::literal("a"), SecretSource::literal("s"));
        let mut config = Config::new("sky", access_key, secret_key);
        config.endpoint = Some(self.peer.url.clone());
        change(&mut config);
        config.build().unwrap()
    }

    /// Whoever looks for an object is refused so.
    pub(crate) fn is_blind(&self, status: u16) {
        self.inside().blind = Some(status);
    }

    /// What becomes of the next puts of objects.
    pub(crate) fn will(&self, fates: &[Fate]) {
        self.inside().fates = fates.iter().copied().collect();
    }

    /// A put that was on its way happens now.
    pub(crate) fn happens(&self, put: &Asked) {
        self.inside().put(put);
    }

    /// What this put made is gone.
    pub(crate) fn loses(&self, put: &Asked) {
        self.inside().objects.remove(put.line.trim_start_matches("PUT "));
    }

    /// All that are still on their way do.
    pub(crate) fn settles(&self) {
        let late = std::mem::take(&mut self.inside().late);
        late.iter().for_each(|(_, put)| self.happens(put));
    }

    /// The requests that put objects of events, whatever became of them.
    pub(crate) fn puts(&self) -> Vec<Asked> {
        let asked = self.peer.asked().into_iter();
        asked
            .filter(|asked| asked.line.starts_with("PUT") && !asked.line.contains(".pluvio/"))
            .collect()
    }

    /// Names of objects of events, behind the last `/`.
    pub(crate) fn names(&self) -> Vec<String> {
        let inside = self.inside();
        let paths = inside.objects.keys().filter(|path| !path.contains(".pluvio/"));
        paths.map(|path| path.rsplit_once('/').unwrap().1.to_owned()).collect()
    }

    /// The cursor, as text.
    pub(crate) fn cursor(&self) -> String {
        self.inside().objects[CURSOR].0.clone()
    }

    /// It has this cursor.
    pub(crate) fn remembers(&self, cursor: &str) {
        self.inside().objects.insert(CURSOR.to_owned(), (cursor.to_owned(), String::new()));
    }

    /// The ids of all events in objects, in their order; with their subjects, where they have one.
    pub(crate) fn events(&self) -> Vec<(i64, String)> {
        let inside = self.inside();
        let objects = inside.objects.iter().filter(|(path, _)| !path.contains(".pluvio/"));
        let mut events: Vec<_> = objects
            .flat_map(|(_, (text, _))| text.lines())
            .map(|line| {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                let subject = event["subject"].as_str().unwrap_or_default().to_owned();
                (event["id"].as_str().unwrap().parse().unwrap(), subject)
            })
            .collect();
        events.sort_unstable();
        events
    }

    /// The same without subjects.
    pub(crate) fn ids(&self) -> Vec<i64> {
        self.events().into_iter().map(|(id, _)| id).collect()
    }
}

impl Inside {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let (now, later) = self.late.drain(..).partition(|(wait, _)| *wait == 0);
        self.late = later;
        self.late.iter_mut().for_each(|(wait, _)| *wait -= 1);
        let now: Vec<(usize, Asked)> = now;
        now.iter().for_each(|(_, put)| drop(self.put(put)));
        let (method, path) = asked.line.split_once(' ').unwrap();
        match method {
            "GET" => match self.objects.get(path) {
                Some((text, _)) => ("HTTP/1.1 200 x\r\n".to_owned(), text.clone()),
                None => refusal(404, "NoSuchKey"),
            },
            "HEAD" => match (self.blind, self.objects.get(path)) {
                (Some(refused), _) => status(refused),
                (None, Some((_, sha256))) => {
                    (format!("HTTP/1.1 200 x\r\n{SHA256}: {sha256}\r\n"), String::new())
                }
                (None, None) => status(404),
            },
            _ if path.contains(".pluvio/") => self.put(asked),
            _ => match self.fates.pop_front().unwrap_or(Fate::Answered) {
                Fate::Answered => self.put(asked),
                Fate::Unanswered => {
                    self.put(asked);
                    Answer::default()
                }
                Fate::Lost => Answer::default(),
                Fate::Late(wait) => {
                    self.late.push((wait, asked.clone()));
                    Answer::default()
                }
            },
        }
    }

    fn put(&mut self, asked: &Asked) -> Answer {
        let path = asked.line.trim_start_matches("PUT ").to_owned();
        if asked.header("if-none-match") == "*" {
            match self.conditions {
                Conditions::Heeded if self.objects.contains_key(&path) => {
                    return refusal(412, "PreconditionFailed");
                }
                Conditions::Refused(status) => return refusal(status, "NotImplemented"),
                Conditions::Heeded | Conditions::Ignored => {}
            }
        }
        self.objects.insert(path, (asked.text(), asked.header(SHA256).to_owned()));
        status(200)
    }
}

pub(crate) fn refusal(status: u16, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    (format!("HTTP/1.1 {status} x\r\n"), body)
}
