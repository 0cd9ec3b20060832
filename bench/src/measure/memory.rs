//! What strangers can make Pluvio hold, with its default limits: every listener's every buffer filled
//! as far as it lets itself be filled, by itself and all together.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use bytes::{BufMut as _, BytesMut};
use pluvio_e2e::{
    servers::{Deployment, Simulator, Source, free_address},
    stage::Stage,
    tls::Certificates,
};
use pluvio_log::{Log as _, batch::Compression};
use pluvio_net::TlsOptions;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};

use crate::{
    machine,
    report::{Goal, Row},
    shelf, watcher,
};

/// All that the listeners hold, with the rest of the process.
const RESIDENT_MAX_MB: f64 = 256.0;
/// Events that fill a page of 4 MiB with 1,000.
const EVENT_BYTES: usize = 4300;
const EVENTS: usize = 100_000;
const APPENDED: usize = 500;
/// What one client may have of `connections_max` by default, of HTTP and of Kafka, and a few stay for others.
/// More than that would be told so.
const HTTP_CONNECTIONS: usize = 4650;
const KAFKA_CONNECTIONS: usize = 900;
/// The same over TLS.
const HTTPS_CONNECTIONS: usize = 2300;
const KAFKA_TLS_CONNECTIONS: usize = 450;
/// A record of TLS, as large as it can be.
const RECORD_BYTES: usize = 16 << 10;
/// A message of a handshake that says it is longer than what comes of it.
const HELLO_BYTES: usize = 60 << 10;
/// A head that is not complete, as long as it can be.
const HEAD_BYTES: usize = (64 << 10) - 64;
/// A request that is not complete, as long as it can be.
const FRAME_BYTES: usize = 1 << 20;
/// What a member of a group says of itself.
const METADATA_BYTES: usize = 63 << 10;
const GROUPS: usize = 60;
/// The system rounds it up to a few kilobytes.
const STALLED_BUFFER_BYTES: u32 = 4096;
/// How long one load goes on, and how often memory is looked at.
const LASTS: Duration = Duration::from_secs(8);
const LOOKS_EVERY: Duration = Duration::from_millis(50);
/// For an answer or for room to write; a connection that waits longer has been left.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is filled.
#[derive(Clone, Copy, Debug)]
enum Load {
    /// Requests whose heads do not end, behind one that was answered.
    Heads,
    /// Pages that nobody takes.
    Pages,
    /// Watches of the past that take nothing, each at another place.
    Replays,
    /// The same with a filter that lets every second event pass, so that each has a copy of its own.
    FilteredReplays,
    /// Requests to Kafka that do not end.
    Frames,
    /// Members that say as much of themselves as they may.
    Members,
    /// Answers to fetches that nobody takes, each of another place.
    Fetches,
    /// Connections to HTTP whose client asked once.
    Idle,
    /// The same, to Kafka.
    IdleKafka,
    /// Records of TLS that do not become whole, behind a request that was answered.
    Records,
    /// The same, to Kafka.
    KafkaRecords,
    /// Handshakes of TLS that do not end.
    Handshakes,
}

/// How clients connect.
#[derive(Clone)]
enum Way {
    Plain,
    Tls(TlsConnector),
}

/// A connection that is kept open.
enum Kept {
    Plain(#[expect(dead_code, reason = "closed when dropped")] TcpStream),
    Tls(#[expect(dead_code, reason = "closed when dropped")] Box<TlsStream<TcpStream>>),
}

impl Load {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Heads, "HTTP heads that do not end"),
        (Self::Pages, "HTTP pages that nobody takes"),
        (Self::Replays, "HTTP replays that nobody takes"),
        (Self::FilteredReplays, "HTTP replays with a filter that nobody takes"),
        (Self::Frames, "Kafka requests that do not end"),
        (Self::Members, "Kafka groups"),
        (Self::Fetches, "Kafka fetches that nobody takes"),
    ];

    /// Over TLS, where the other loads are less by themselves: fewer connections share the same rooms.
    const TLS: [(&'static [Self], &'static str); 4] = [
        (&[Self::Idle, Self::IdleKafka], "TLS connections that idle"),
        (&[Self::Records, Self::KafkaRecords], "TLS records that do not become whole"),
        (&[Self::Handshakes], "TLS handshakes that do not end"),
        (&[Self::FilteredReplays], "HTTPS replays with a filter that nobody takes"),
    ];

    fn is_http(self) -> bool {
        use Load::{FilteredReplays, Handshakes, Heads, Idle, Pages, Records, Replays};
        matches!(self, Heads | Pages | Replays | FilteredReplays | Idle | Records | Handshakes)
    }

    /// Whether its client takes nothing.
    fn is_stalled(self) -> bool {
        matches!(self, Self::Pages | Self::Replays | Self::FilteredReplays | Self::Fetches)
    }

    /// Connections, when `kinds` loads share those that there are.
    fn connections(self, way: &Way, kinds: usize) -> usize {
        let all = match (way, self.is_http()) {
            (Way::Plain, true) => HTTP_CONNECTIONS,
            (Way::Plain, false) => KAFKA_CONNECTIONS,
            (Way::Tls(_), true) => HTTPS_CONNECTIONS,
            (Way::Tls(_), false) => KAFKA_TLS_CONNECTIONS,
        };
        all / kinds
    }
}

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let folder = stage.folder.path().join("limits");
    fill(&folder).await?;
    let simulated = Simulator::start(stage, 0).await?;
    let mut rows = Vec::new();
    let certificates = Certificates::make(&stage.folder)?;
    let place =
        Place { stage, simulated: &simulated, folder: &folder, certificates: &certificates };
    for (load, name) in Load::ALL {
        rows.push(measured(&place, &Way::Plain, &[load], name).await?);
    }
    let all = Load::ALL.map(|(load, _)| load);
    rows.push(measured(&place, &Way::Plain, &all, "all of them together").await?);
    let options =
        TlsOptions { ca_file: Some(certificates.authority.clone()), ..TlsOptions::default() };
    let tls = Way::Tls(TlsConnector::from(Arc::new(options.client_config()?)));
    for (loads, name) in Load::TLS {
        rows.push(measured(&place, &tls, loads, name).await?);
    }
    let tls_only = [Load::Records, Load::KafkaRecords, Load::Handshakes];
    let all: Vec<Load> = all.into_iter().chain(tls_only).collect();
    rows.push(measured(&place, &tls, &all, "all of them together over TLS").await?);
    Ok(rows)
}

/// Where a Pluvio is started.
struct Place<'a> {
    stage: &'a Stage,
    simulated: &'a Simulator,
    folder: &'a Path,
    certificates: &'a Certificates,
}

/// The section of a listener with TLS.
fn secured(kind: &str, address: SocketAddr, certificates: &Certificates) -> String {
    format!(
        "[listeners.{kind}-tls]\ntype = \"{kind}\"\nlisten = \"{address}\"\n\
         tls.cert_file = \"{}\"\ntls.key_file = \"{}\"\n",
        certificates.certificate.display(),
        certificates.key.display()
    )
}

async fn fill(folder: &Path) -> Result<()> {
    let log = shelf::open(folder, Compression::None, &Arc::default()).await?;
    for from in (0..EVENTS).step_by(APPENDED) {
        log.append(&shelf::stream(), shelf::noise_records(from, APPENDED, EVENT_BYTES)).await?;
    }
    Ok(())
}

/// The most memory that a new Pluvio has under `loads`.
async fn measured(place: &Place<'_>, way: &Way, loads: &[Load], name: &str) -> Result<Row> {
    let log = format!("dir = \"{}\"\nretention_size = \"8 GiB\"", place.folder.display());
    let mut deployment = Deployment::of(Source::from(place.simulated)).log(&log).kafka()?;
    let secure = (free_address()?, free_address()?);
    if let Way::Tls(_) = way {
        deployment = deployment.section(secured("http", secure.0, place.certificates));
        deployment = deployment.section(secured("kafka", secure.1, place.certificates));
    }
    let mut pluvio = deployment.start(place.stage).await?;
    let (http, kafka) = match way {
        Way::Plain => (pluvio.address(), deployment.access().address),
        Way::Tls(_) => secure,
    };
    let process = pluvio.process().id();
    let before = machine::memory(process).resident;
    let kinds = |load: Load| loads.iter().filter(|it| it.is_http() == load.is_http()).count();
    let mut held = Vec::new();
    for &load in loads {
        let address = if load.is_http() { http } else { kafka };
        for number in 0..load.connections(way, kinds(load)) {
            held.push(tokio::spawn(one(load, way.clone(), address, number)));
        }
    }
    let (begun, mut most) = (Instant::now(), before);
    while begun.elapsed() < LASTS {
        most = most.max(machine::memory(process).resident);
        sleep(LOOKS_EVERY).await;
    }
    let mut open = 0;
    for connection in held {
        if connection.is_finished() {
            open += usize::from(connection.await.context("a client panicked")?.is_ok());
        } else {
            connection.abort();
        }
    }
    let is_alive = pluvio.get("/livez").await?.status() == 200;
    if !is_alive {
        bail!("/livez is not answered under: {name}");
    }
    pluvio.kill().await?;
    let figures = format!("{:.0} MB before; {open} connections had what they wanted", before / 1e6);
    let name = format!("memory at its limits, {name}: resident, MB");
    Ok(Row::ratio(&name, Goal::AtMost(RESIDENT_MAX_MB), &[most / 1e6], figures))
}

/// Connects and fills what there is to fill. The connection is given back open.
async fn one(load: Load, way: Way, address: SocketAddr, number: usize) -> Result<Kept> {
    let socket = TcpSocket::new_v4()?;
    if load.is_stalled() {
        socket.set_recv_buffer_size(STALLED_BUFFER_BYTES)?;
    }
    // From several addresses, for some limits are an address's.
    let from = Ipv4Addr::new(127, 0, 1, u8::try_from(number % 50)? + 1);
    socket.bind((from, 0).into())?;
    let mut stream = socket.connect(address).await?;
    match (load, way) {
        (Load::Handshakes, _) => {
            send(&mut stream, &hello()).await?;
            Ok(Kept::Plain(stream))
        }
        (_, Way::Plain) => {
            fill_one(load, &mut stream, address, number).await?;
            Ok(Kept::Plain(stream))
        }
        (_, Way::Tls(connector)) => {
            let name = ServerName::from(address.ip());
            let mut stream = connector.connect(name, stream).await?;
            fill_one(load, &mut stream, address, number).await?;
            if matches!(load, Load::Records | Load::KafkaRecords) {
                let (stream, session) = stream.get_mut();
                let mut record = Vec::new();
                session.writer().write_all(&vec![b'x'; RECORD_BYTES])?;
                session.write_tls(&mut record)?;
                record.pop();
                send(stream, &record).await?;
            }
            Ok(Kept::Tls(Box::new(stream)))
        }
    }
}

/// What a client of TLS says first, in records of the largest size, but not all of it.
fn hello() -> Vec<u8> {
    let mut message = vec![1, 0, 0xff, 0xf0, 3, 3];
    message.resize(HELLO_BYTES, 0);
    let mut records = Vec::new();
    for part in message.chunks(RECORD_BYTES) {
        records.extend([22, 3, 1]);
        records.extend(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        records.extend(part);
    }
    records
}

async fn fill_one<S>(load: Load, stream: &mut S, address: SocketAddr, number: usize) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let at = number * 61 % EVENTS;
    match load {
        Load::Handshakes => {}
        Load::Idle | Load::Records => {
            send(stream, watcher::request(address, "/livez").as_bytes()).await?;
            answered(stream).await?;
        }
        Load::IdleKafka | Load::KafkaRecords => known(stream).await?,
        Load::Heads => {
            stream.write_all(watcher::request(address, "/livez").as_bytes()).await?;
            answered(stream).await?;
            let head = format!("GET /livez HTTP/1.1\r\nhost: {address}\r\nx-padding: ");
            send(stream, head.as_bytes()).await?;
            send(stream, &vec![b'a'; HEAD_BYTES - head.len()]).await?;
        }
        Load::Pages => {
            let target = format!("/api/v1/events?offset={at}&limit=1000");
            send(stream, watcher::request(address, &target).as_bytes()).await?;
        }
        Load::Replays | Load::FilteredReplays => {
            let more = match load {
                Load::FilteredReplays => {
                    "&filter=id.endsWith('2')||id.endsWith('4')||id.endsWith('6')"
                }
                _ => "",
            };
            let target = format!("/api/v1/events?watch=true&heartbeat=0&offset={at}{more}");
            send(stream, watcher::request(address, &target).as_bytes()).await?;
        }
        Load::Frames => {
            known(stream).await?;
            let mut frame = BytesMut::new();
            frame.put_u32(u32::try_from(FRAME_BYTES)?);
            frame.resize(FRAME_BYTES, 0);
            send(stream, &frame).await?;
        }
        Load::Members => {
            known(stream).await?;
            send(stream, &join(number % GROUPS)?).await?;
        }
        Load::Fetches => {
            known(stream).await?;
            send(stream, &fetch(at)?).await?;
        }
    }
    Ok(())
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<()> {
    let sent = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    Ok(timeout(PATIENCE, sent).await??)
}

/// Reads some of the answer.
async fn answered(stream: &mut (impl AsyncRead + Unpin)) -> Result<()> {
    let mut buffer = vec![0; 16 << 10];
    match timeout(PATIENCE, stream.read(&mut buffer)).await?? {
        0 => bail!("the connection ended"),
        _ => Ok(()),
    }
}

/// Makes a Kafka connection one whose client is known: by ApiVersions.
async fn known(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<()> {
    send(stream, &request(18, 0, &[])?).await?;
    answered(stream).await
}

/// A request to Kafka with its length.
fn request(key: i16, version: i16, body: &[u8]) -> Result<BytesMut> {
    let mut out = BytesMut::new();
    let client = "bench";
    out.put_u32(u32::try_from(2 + 2 + 4 + 2 + client.len() + body.len())?);
    out.put_i16(key);
    out.put_i16(version);
    out.put_i32(1);
    put_text(&mut out, client)?;
    out.extend_from_slice(body);
    Ok(out)
}

/// JoinGroup version 2: a member of one of some groups.
fn join(group: usize) -> Result<BytesMut> {
    let mut body = BytesMut::new();
    put_text(&mut body, &format!("group-{group}"))?;
    body.put_i32(1_800_000);
    body.put_i32(60_000);
    put_text(&mut body, "")?;
    put_text(&mut body, "consumer")?;
    body.put_i32(1);
    put_text(&mut body, "range")?;
    body.put_i32(i32::try_from(METADATA_BYTES)?);
    body.resize(body.len() + METADATA_BYTES, b'm');
    request(11, 2, &body)
}

/// Fetch version 4: as much as there may be from `offset` on.
fn fetch(offset: usize) -> Result<BytesMut> {
    let mut body = BytesMut::new();
    body.put_i32(-1);
    body.put_i32(0);
    body.put_i32(1);
    body.put_i32(50 << 20);
    body.put_i8(0);
    body.put_i32(1);
    put_text(&mut body, shelf::stream().as_str())?;
    body.put_i32(1);
    body.put_i32(0);
    body.put_i64(i64::try_from(offset)?);
    body.put_i32(50 << 20);
    request(1, 4, &body)
}

fn put_text(into: &mut BytesMut, text: &str) -> Result<()> {
    into.put_i16(i16::try_from(text.len())?);
    into.extend_from_slice(text.as_bytes());
    Ok(())
}
