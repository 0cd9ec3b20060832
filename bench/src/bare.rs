//! The bare writer: what a server costs that does nothing but write.
//!
//! ```text
//!  bench bare-writer FILE      prints its address
//!    GET /replay  ─▶ head, the whole file in large writes
//!    GET /live    ─▶ head, then the file's first line each time that …
//!    POST /go     ─▶ … somebody asks for that; answered when all have it
//! ```
//!
//! It reads no log, renders nothing, filters nothing and waits for nobody: an upper bound for any
//! server on tokio that speaks the same bytes over plain TCP.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use memchr::memchr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The argument that asks for this role.
pub(crate) const ROLE: &str = "bare-writer";

/// One large write: from 16 KiB up to the whole file the size makes no difference.
const WRITE_BYTES: usize = 256 << 10;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\n\r\n";

struct Shared {
    lines: Bytes,
    first: Bytes,
    live: Mutex<Vec<TcpStream>>,
}

/// Serves until it is killed.
pub(crate) fn serve(file: &Path) -> Result<()> {
    let lines = Bytes::from(std::fs::read(file).context("failed to read the lines")?);
    let end = memchr(b'\n', &lines).map_or(lines.len(), |at| at + 1);
    let shared = Shared { first: lines.slice(..end), lines, live: Mutex::default() };
    let shared = Arc::new(shared);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        crate::print_line(&listener.local_addr()?.to_string());
        loop {
            let (stream, _) = listener.accept().await?;
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { answer(stream, &shared).await });
        }
    })
}

async fn answer(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    if request.starts_with(b"POST /go") {
        shared.write_to_all();
        return Ok(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?);
    }
    stream.write_all(HEAD).await?;
    if request.starts_with(b"GET /live") {
        lock(&shared.live).push(stream);
        return Ok(());
    }
    for part in shared.lines.chunks(WRITE_BYTES) {
        stream.write_all(part).await?;
    }
    // Until the watcher has enough.
    stream.read_buf(&mut request).await?;
    Ok(())
}

impl Shared {
    fn write_to_all(&self) {
        // Whoever is full or gone is left out, and not waited for.
        lock(&self.live).retain(|stream| stream.try_write(&self.first).is_ok());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
