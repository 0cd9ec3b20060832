//! Just enough of Kafka's protocol to copy record batches from one server into another as they are:
//! Fetch version 4 and Produce version 3, the oldest that Kafka 4 still takes, and no client between
//! that would pack records anew.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const FETCH: (i16, i16) = (1, 4);
const PRODUCE: (i16, i16) = (0, 3);
/// Bytes that one Fetch asks for.
const FETCH_BYTES: i32 = 4 << 20;
const WAIT_MILLIS: i32 = 10_000;
/// Before the length that a batch tells of itself, and the length.
const BATCH_HEAD_BYTES: usize = 12;
/// Larger answers are none to these requests.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A connection to a broker, for one topic of one partition.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    topic: &'static str,
}

/// A batch as it is stored.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: BytesMut,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn records(&self) -> i64 {
        i64::from(self.bytes.get(57..).map_or(0, |mut count| count.get_i32()))
    }

    /// The offset behind its last record.
    fn next(&self) -> i64 {
        let base = (&self.bytes[..8]).get_i64();
        base + i64::from((&self.bytes[23..27]).get_i32()) + 1
    }
}

impl Wire {
    pub(super) async fn connect(address: SocketAddr, topic: &'static str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("failed to connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, topic })
    }

    /// The next batches from `offset` on, and where to go on; none at the end.
    pub(super) async fn fetch(&mut self, offset: i64) -> Result<(Vec<Batch>, i64)> {
        let mut body = BytesMut::new();
        body.put_i32(-1); // no replica
        body.put_i32(0); // waits for nothing
        body.put_i32(0);
        body.put_i32(FETCH_BYTES);
        body.put_i8(0);
        self.put_partition(&mut body);
        body.put_i64(offset);
        body.put_i32(FETCH_BYTES);
        let mut answer = self.ask(FETCH, &body).await?;
        answer.advance(4 + 4 + 2 + self.topic.len() + 4 + 4);
        let error = answer.get_i16();
        ensure!(error == 0, "Fetch at {offset} was answered with error {error}");
        let (end, _stable, aborted) = (answer.get_i64(), answer.get_i64(), answer.get_i32());
        ensure!(aborted <= 0, "there are no transactions here");
        let length = usize::try_from(answer.get_i32()).unwrap_or_default();
        ensure!(answer.len() >= length, "the records are cut off");
        let (mut batches, mut next) = (Vec::new(), offset);
        let mut rest = BytesMut::from(answer.split_to(length));
        while rest.len() > BATCH_HEAD_BYTES {
            let told = usize::try_from((&rest[8..BATCH_HEAD_BYTES]).get_i32())?;
            if rest.len() < BATCH_HEAD_BYTES + told {
                break;
            }
            let batch = Batch { bytes: rest.split_to(BATCH_HEAD_BYTES + told) };
            next = batch.next();
            batches.push(batch);
        }
        ensure!(next > offset || offset >= end, "nothing is served from {offset} on, end {end}");
        Ok((batches, next))
    }

    /// Appends a batch; the broker gives it its place. The place is outside of the checksum.
    pub(super) async fn produce(&mut self, mut batch: Batch) -> Result<()> {
        batch.bytes[..8].fill(0);
        let mut body = BytesMut::new();
        body.put_i16(-1); // no transaction
        body.put_i16(1);
        body.put_i32(WAIT_MILLIS);
        self.put_partition(&mut body);
        body.put_i32(i32::try_from(batch.len())?);
        body.extend_from_slice(&batch.bytes);
        let mut answer = self.ask(PRODUCE, &body).await?;
        answer.advance(4 + 2 + self.topic.len() + 4 + 4);
        let error = answer.get_i16();
        ensure!(error == 0, "Produce of {} bytes was answered with error {error}", batch.len());
        Ok(())
    }

    /// An array of one topic, and in it the beginning of an array of one partition.
    fn put_partition(&self, body: &mut BytesMut) {
        body.put_i32(1);
        put_text(body, self.topic);
        body.put_i32(1);
        body.put_i32(0);
    }

    async fn ask(&mut self, (key, version): (i16, i16), body: &[u8]) -> Result<Bytes> {
        let mut head = BytesMut::new();
        head.put_i16(key);
        head.put_i16(version);
        head.put_i32(1);
        put_text(&mut head, "bench");
        self.stream.write_i32(i32::try_from(head.len() + body.len())?).await?;
        self.stream.write_all(&head).await?;
        self.stream.write_all(body).await?;
        let length = usize::try_from(self.stream.read_i32().await.context("no answer")?)?;
        if !(4..ANSWER_BYTES_MAX).contains(&length) {
            bail!("an answer of {length} bytes");
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await.context("the answer is cut off")?;
        // The correlation id: requests are answered in order here.
        Ok(Bytes::from(answer).slice(4..))
    }
}

fn put_text(into: &mut BytesMut, text: &str) {
    into.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
    into.extend_from_slice(text.as_bytes());
}
