//! A thousand watchers in one thread that only count.
//!
//! All share one buffer and one epoll; a watcher's lines are counted with SIMD and looked at no
//! further. So what the two servers differ in is not hidden behind what the client costs, and the
//! client is the same for both.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use memchr::memchr_iter;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream},
    sync::Notify,
    task::{JoinHandle, LocalSet},
    time::timeout,
};

use crate::{decode::Decoder, watcher};

const PATIENCE: Duration = Duration::from_secs(60);

/// Receive buffer of a stalled reader: the system rounds it up to a few kilobytes.
const STALLED_BUFFER_BYTES: u32 = 4096;

/// Runs `work` on a thread of its own, where crowds live.
pub(crate) async fn on_one_thread<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let thread = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async { work().await })
    };
    let (done, result) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let _nobody_waits = done.send(thread());
    });
    result.await.context("the crowd's thread panicked")?
}

/// Connected watchers.
#[derive(Debug)]
pub(crate) struct Crowd {
    address: SocketAddr,
    idle: Vec<TcpStream>,
    reading: Vec<JoinHandle<()>>,
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    buffer: RefCell<Vec<u8>>,
    open: Cell<usize>,
    lines: Cell<usize>,
    /// Who waits for how many lines.
    awaited: Cell<usize>,
    is_timed: Cell<bool>,
    arrivals: RefCell<Vec<Instant>>,
    failure: RefCell<Option<anyhow::Error>>,
    moved: Notify,
}

impl Crowd {
    /// Connects, and asks for nothing yet.
    pub(crate) async fn connect(address: SocketAddr, watchers: usize) -> Result<Crowd> {
        let mut idle = Vec::with_capacity(watchers);
        for _ in 0..watchers {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            idle.push(stream);
        }
        let shared = Shared {
            buffer: RefCell::new(vec![0; 256 << 10]),
            open: Cell::new(0),
            lines: Cell::new(0),
            awaited: Cell::new(usize::MAX),
            is_timed: Cell::new(false),
            arrivals: RefCell::default(),
            failure: RefCell::default(),
            moved: Notify::new(),
        };
        Ok(Crowd { address, idle, reading: Vec::new(), shared: Rc::new(shared) })
    }

    /// Lets all ask for `target`, and read from now on.
    pub(crate) async fn ask(&mut self, target: &str) -> Result<()> {
        let request = watcher::request(self.address, target);
        for mut stream in self.idle.drain(..) {
            stream.write_all(request.as_bytes()).await?;
            let shared = Rc::clone(&self.shared);
            self.reading.push(tokio::task::spawn_local(async move {
                if let Err(error) = read(&stream, &shared).await {
                    *shared.failure.borrow_mut() = Some(error);
                    shared.moved.notify_one();
                }
            }));
        }
        Ok(())
    }

    /// Until every watch is open.
    pub(crate) async fn opened(&self) -> Result<()> {
        let shared = &self.shared;
        self.until("open", || shared.open.get() == self.reading.len()).await
    }

    /// Until all together have `lines`, counted from the beginning.
    pub(crate) async fn have(&self, lines: usize) -> Result<()> {
        let shared = &self.shared;
        shared.awaited.set(lines);
        self.until("lines", || shared.lines.get() >= lines).await
    }

    /// Lets `trigger` cause one line for everybody, and tells when each had it.
    pub(crate) async fn arrivals(
        &self,
        trigger: impl Future<Output = Result<()>>,
    ) -> Result<Vec<Instant>> {
        let shared = &self.shared;
        shared.is_timed.set(true);
        let lines = shared.lines.get() + self.reading.len();
        let (triggered, had) = tokio::join!(trigger, self.have(lines));
        triggered?;
        had?;
        Ok(shared.arrivals.take())
    }

    async fn until(&self, what: &str, is_done: impl Fn() -> bool) -> Result<()> {
        let shared = &self.shared;
        let waiting = async {
            loop {
                if let Some(error) = shared.failure.take() {
                    return Err(error);
                }
                if is_done() {
                    return Ok(());
                }
                shared.moved.notified().await;
            }
        };
        let counted = || anyhow!("{} open, {} lines", shared.open.get(), shared.lines.get());
        match timeout(PATIENCE, waiting).await {
            Ok(result) => result.with_context(|| format!("waiting for {what}; {}", counted())),
            Err(_) => bail!("waited {PATIENCE:?} for {what}; {}", counted()),
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.reading.iter().for_each(JoinHandle::abort);
    }
}

async fn read(stream: &TcpStream, shared: &Shared) -> Result<()> {
    let mut decoder = Decoder::new();
    loop {
        stream.readable().await?;
        let mut buffer = shared.buffer.borrow_mut();
        let count = match stream.try_read(&mut buffer) {
            Ok(0) => bail!("the watch ended"),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        let (was_open, mut lines) = (decoder.is_open(), 0);
        decoder.feed(&buffer[..count], |part| lines += memchr_iter(b'\n', part).count())?;
        drop(buffer);
        if shared.is_timed.get() && lines > 0 {
            shared.arrivals.borrow_mut().push(Instant::now());
        }
        if !was_open && decoder.is_open() {
            shared.open.set(shared.open.get() + 1);
            shared.moved.notify_one();
        }
        shared.lines.set(shared.lines.get() + lines);
        if shared.lines.get() >= shared.awaited.get() {
            shared.moved.notify_one();
        }
    }
}

/// Readers that ask for `target` and then read nothing at all.
pub(crate) async fn stalled(
    address: SocketAddr,
    target: &str,
    readers: usize,
) -> Result<Vec<TcpStream>> {
    let request = watcher::request(address, target);
    let mut streams = Vec::with_capacity(readers);
    for _ in 0..readers {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(STALLED_BUFFER_BYTES)?;
        let mut stream = socket.connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        streams.push(stream);
    }
    Ok(streams)
}
