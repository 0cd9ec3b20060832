//! An HTTP receiver that does nothing but count: what a webhook costs whose other side costs nothing.
//!
//! ```text
//!  bench receiver          prints its address
//!    POST /take            ─▶ 204; /take?wait_ms=N after so long
//!    GET  /count           ─▶ {"requests": …, "latencies_us": [… since asked last, at most 100,000 …]}
//! ```

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The argument that asks for this role.
pub(crate) const ROLE: &str = "receiver";

/// More are not remembered.
const LATENCIES_MAX: usize = 100_000;

#[derive(Default)]
struct Counted {
    requests: AtomicU64,
    latencies_us: Mutex<Vec<i64>>,
}

/// Serves until it is killed.
pub(crate) fn serve() -> Result<()> {
    let counted = Arc::new(Counted::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        crate::print_line(&listener.local_addr()?.to_string());
        loop {
            let (stream, _) = listener.accept().await?;
            let counted = Arc::clone(&counted);
            tokio::spawn(async move { answer(stream, &counted).await });
        }
    })
}

/// One request after the other.
async fn answer(mut stream: TcpStream, counted: &Counted) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer: Vec<u8> = Vec::with_capacity(1 << 16);
    loop {
        let head = loop {
            if let Some(end) = memmem::find(&buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(Ok(0), |length| length.trim().parse())?;
        while buffer.len() < head + length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        if text.starts_with("get ") {
            stream.write_all(counted.told().as_bytes()).await?;
        } else {
            counted.note(&buffer[head..head + length]);
            let wait = text.split_once("?wait_ms=").and_then(|(_, rest)| rest.split(' ').next());
            if let Some(millis) = wait.and_then(|millis| millis.parse().ok()) {
                tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        }
        buffer.drain(..head + length);
    }
}

impl Counted {
    fn note(&self, body: &[u8]) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let Some(latency) = latency(body) else { return };
        let mut latencies = self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner);
        if latencies.len() < LATENCIES_MAX {
            latencies.push(latency);
        }
    }

    fn told(&self) -> String {
        let latencies =
            std::mem::take(&mut *self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner));
        let requests = self.requests.load(Ordering::Relaxed);
        let body = serde_json::json!({ "requests": requests, "latencies_us": latencies });
        let body = body.to_string();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// How long ago the first event of a body was recorded.
fn latency(body: &[u8]) -> Option<i64> {
    const KEY: &[u8] = br#""recordedtime":""#;
    let at = memmem::find(body, KEY)? + KEY.len();
    let rest = std::str::from_utf8(body.get(at..at + 40)?).ok()?;
    let recorded: Timestamp = rest.split('"').next()?.parse().ok()?;
    Some(Timestamp::now().duration_since(recorded).as_micros() as i64)
}

/// This program in that role.
pub(crate) struct Receiver {
    _process: pluvio_e2e::process::Process,
    pub(crate) address: std::net::SocketAddr,
}

/// What it counted since it was asked last (latencies) or since it began (requests).
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Told {
    pub(crate) requests: u64,
    pub(crate) latencies_us: Vec<i64>,
}

impl Receiver {
    /// Starts it.
    pub(crate) async fn start(stage: &pluvio_e2e::stage::Stage) -> Result<Self> {
        let mut command = std::process::Command::new("/proc/self/exe");
        command.arg(ROLE);
        let folder = stage.folder.path();
        let mut process = pluvio_e2e::process::Process::start(ROLE, &mut command, folder)?;
        let address = |said: &str| said.lines().next()?.parse().ok();
        let within = pluvio_e2e::servers::START_MAX;
        let address = process.says("its address", within, address).await?;
        Ok(Self { _process: process, address })
    }

    /// Asks it.
    pub(crate) async fn told(&self) -> Result<Told> {
        let answer = pluvio_e2e::http::get(self.address, "/count").await?;
        answer.json().context("the receiver does not count")
    }
}
