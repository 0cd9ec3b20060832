//! A relay between Pluvio and a server, which counts what goes by.
//!
//! Bytes pass unchanged in both directions; on the way to the server, one piece of text is counted.
//! So a test can say how often somebody tried to log in without asking either side.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

/// A running relay; closed with all its connections when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    counted: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Relay {
    /// Listens on a free port, passes everything on to `target`, and counts `needle`.
    pub async fn start(target: SocketAddr, needle: &'static str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("failed to open a relay")?;
        let address = listener.local_addr().context("failed to open a relay")?;
        let (counted, connections) = (Arc::<AtomicUsize>::default(), Arc::default());
        let task = tokio::spawn(accept(
            listener,
            target,
            needle,
            Arc::clone(&counted),
            Arc::clone(&connections),
        ));
        Ok(Self { address, counted, connections, task: task.abort_handle() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often the needle went by.
    pub fn counted(&self) -> usize {
        self.counted.load(Ordering::Relaxed)
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    needle: &'static str,
    counted: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
) {
    // Dropped with this task, and all connections with it.
    let mut tasks = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::Relaxed);
        let counted = Arc::clone(&counted);
        tasks.spawn(async move {
            let Ok(server) = TcpStream::connect(target).await else { return };
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::select! {
                () = pass(&mut from_client, &mut to_server, needle.as_bytes(), &counted) => {}
                () = pass(&mut from_server, &mut to_client, b"", &counted) => {}
            }
        });
        while tasks.try_join_next().is_some() {}
    }
}

/// Copies until one side is gone. The needle may lie across two reads, so the end of what was read
/// is searched again together with what follows.
async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    needle: &[u8],
    counted: &AtomicUsize,
) {
    let mut buffer = vec![0; 16 << 10];
    let mut tail: Vec<u8> = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !needle.is_empty() {
            tail.extend_from_slice(&buffer[..count]);
            let found = tail.windows(needle.len()).filter(|window| *window == needle).count();
            counted.fetch_add(found, Ordering::Relaxed);
            let kept = tail.len().min(needle.len() - 1);
            tail.drain(..tail.len() - kept);
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
