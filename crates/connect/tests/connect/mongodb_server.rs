//! A MongoDB that says what it is told to: its protocol as far as the driver needs it.

use std::sync::Arc;

use mongodb::bson::{Document, doc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The oldest form of a request, in which a driver says hello, and of its answer.
const OP_QUERY: i32 = 2004;
const OP_REPLY: i32 = 1;
const OP_MSG: i32 = 2013;
const HEAD_BYTES: usize = 16;

/// A command, with the documents that it has.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) body: Document,
    pub(crate) documents: Vec<Document>,
}

impl Command {
    /// The `id` attributes of the documents.
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.documents.iter().map(|document| document.get_str("id").unwrap()).collect()
    }
}

/// The refusal of one document.
pub(crate) fn write_error(index: usize, code: i32, message: &str) -> Document {
    doc! { "index": i32::try_from(index).unwrap(), "code": code, "errmsg": message }
}

/// An answer to an insert of which so many were inserted.
pub(crate) fn inserted(count: usize, errors: Vec<Document>) -> Document {
    let mut answer = doc! { "ok": 1.0, "n": i32::try_from(count).unwrap() };
    if !errors.is_empty() {
        answer.insert("writeErrors", errors);
    }
    answer
}

/// The refusal of a whole command.
pub(crate) fn refused(code: i32, message: &str) -> Document {
    doc! { "ok": 0.0, "code": code, "errmsg": message }
}

/// What a server says of itself that takes documents of up to so many bytes.
fn hello(document_bytes_max: i32) -> Document {
    doc! {
        "ok": 1.0, "ismaster": true, "isWritablePrimary": true, "helloOk": true,
        "minWireVersion": 0, "maxWireVersion": 21, "maxBsonObjectSize": document_bytes_max,
        "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000,
    }
}

/// Starts it; gives its connection string.
pub(crate) async fn server(
    document_bytes_max: i32,
    answer: impl Fn(Command) -> Document + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                while let Some((id, kind, command)) = command(&mut stream).await {
                    let said = match command.name.as_str() {
                        "hello" | "ismaster" | "isMaster" => hello(document_bytes_max),
                        "endSessions" => doc! { "ok": 1.0 },
                        "listCollections" => found("$cmd.listCollections", Vec::new()),
                        _ => answer(command),
                    };
                    if stream.write_all(&reply(id, kind, &said)).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    format!("mongodb://{address}/clouds?directConnection=true")
}

/// An answer with these documents.
pub(crate) fn found(collection: &str, documents: Vec<Document>) -> Document {
    let ns = format!("clouds.{collection}");
    doc! { "ok": 1.0, "cursor": { "id": 0_i64, "ns": ns, "firstBatch": documents } }
}

async fn command(stream: &mut TcpStream) -> Option<(i32, i32, Command)> {
    let length = usize::try_from(stream.read_i32_le().await.ok()?).unwrap();
    let id = stream.read_i32_le().await.ok()?;
    let _answered = stream.read_i32_le().await.ok()?;
    let kind = stream.read_i32_le().await.ok()?;
    let mut bytes = vec![0; length - HEAD_BYTES];
    stream.read_exact(&mut bytes).await.ok()?;
    let (body, documents) = match kind {
        OP_QUERY => {
            // Flags, the collection's name, how many to skip and to return.
            let name = bytes[4..].iter().position(|byte| *byte == 0).unwrap() + 1;
            (documents(&bytes[4 + name + 8..]).remove(0), Vec::new())
        }
        _ => sections(&bytes[4..]),
    };
    let name = body.keys().next().unwrap().clone();
    Some((id, kind, Command { name, body, documents }))
}

/// The body of a message and the sequence of documents beside it.
fn sections(mut bytes: &[u8]) -> (Document, Vec<Document>) {
    let (mut body, mut sequence) = (Document::new(), Vec::new());
    while let Some((kind, rest)) = bytes.split_first() {
        let length = i32::from_le_bytes(*rest.first_chunk().unwrap());
        let (section, behind) = rest.split_at(usize::try_from(length).unwrap());
        if *kind == 0 {
            body = documents(section).remove(0);
        } else {
            let name = section[4..].iter().position(|byte| *byte == 0).unwrap() + 1;
            sequence = documents(&section[4 + name..]);
        }
        bytes = behind;
    }
    (body, sequence)
}

fn documents(mut bytes: &[u8]) -> Vec<Document> {
    let mut documents = Vec::new();
    while !bytes.is_empty() {
        documents.push(Document::from_reader(&mut bytes).unwrap());
    }
    documents
}

fn reply(id: i32, kind: i32, said: &Document) -> Vec<u8> {
    let said = said.to_vec().unwrap();
    let (kind, head) = match kind {
        // Flags, a cursor, where it stands, and that there is one document.
        OP_QUERY => (OP_REPLY, [&[8_u8, 0, 0, 0][..], &[0; 12], &[1, 0, 0, 0]].concat()),
        // Flags, and that the body follows.
        _ => (OP_MSG, vec![0; 5]),
    };
    let length = i32::try_from(HEAD_BYTES + head.len() + said.len()).unwrap();
    let ints = [length, 1, id, kind].map(i32::to_le_bytes).concat();
    [ints, head, said].concat()
}
