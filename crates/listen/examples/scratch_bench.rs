//! scratch
#![allow(
    clippy::all,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason
)]
use pluvio_event::{Data, Event};
use pluvio_listen::http::{Config, Context};
use pluvio_log::*;
use pluvio_runtime::{AccessTable, Listener, status::StatusBoard};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

fn record(id: i64, pad: usize) -> Record {
    let data = Data::json(format!("{{\"Key\":{id},\"Text\":\"{}\"}}", "x".repeat(pad))).unwrap();
    let event = Event::builder(
        id.to_string(),
        "https://vc.example.org/sdk",
        "com.vmware.vsphere.VmPoweredOnEvent.v0",
    )
    .subject("VirtualMachine/vm-1")
    .time(jiff::Timestamp::now())
    .data(data)
    .build()
    .unwrap();
    Record {
        event,
        source: SourceName::new("v").unwrap(),
        position: Position::new("").unwrap(),
        at_least: None,
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n = |i: usize| args.get(i).and_then(|a| a.parse::<usize>().ok()).unwrap_or(0);
    match args[1].as_str() {
        "serve" => {
            let (port, records, pad, every_ms) = (n(2), n(3), n(4), n(5));
            let log = LogHandle::new(Memory::new(MemoryConfig {
                retention: Retention::default(),
                ..Default::default()
            }));
            let s = StreamName::events();
            log.open(&s).await.unwrap();
            let mut at = 0;
            while at < records {
                log.append(&s, (at..at + 100).map(|i| record(i as i64, pad)).collect())
                    .await
                    .unwrap();
                at += 100;
            }
            let config = Config {
                listen: format!("127.0.0.1:{port}").parse().unwrap(),
                ..Config::default()
            };
            let mut l = config
                .build(Context {
                    log: log.clone(),
                    stream: s.clone(),
                    access: Arc::new(AccessTable::open()),
                    status: StatusBoard::default(),
                    metrics: Arc::new(String::new),
                    version: "0",
                })
                .unwrap();
            if every_ms > 0 {
                let log = log.clone();
                tokio::spawn(async move {
                    let mut i = records as i64;
                    let mut t = tokio::time::interval(Duration::from_millis(every_ms as u64));
                    loop {
                        t.tick().await;
                        log.append(&StreamName::events(), vec![record(i, pad)]).await.unwrap();
                        i += 1;
                    }
                });
            }
            l.serve(CancellationToken::new()).await.unwrap();
        }
        "bare" => {
            let (port, records, pad) = (n(2), n(3), n(4));
            let mut all = Vec::new();
            for i in 0..records {
                pluvio_event::json::splice(
                    &pluvio_event::json::to_vec(&record(i as i64, pad).event),
                    i as u64,
                    "2026-11-20T10:00:00.123Z",
                    &mut all,
                );
                all.push(b'\n');
            }
            let all = bytes::Bytes::from(all);
            let l = TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
            loop {
                let (mut c, _) = l.accept().await.unwrap();
                let (all, kib) = (all.clone(), n(5).max(1) << 10);
                tokio::spawn(async move {
                    let mut b = [0; 2048];
                    c.read(&mut b).await.unwrap();
                    c.set_nodelay(true).unwrap();
                    for chunk in all.chunks(kib) {
                        if c.write_all(chunk).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
        "load" => {
            let (port, watchers, records) = (n(2), n(3), n(4));
            let start = Instant::now();
            let mut tasks = Vec::new();
            for w in 0..watchers {
                let query = args.get(5).cloned().unwrap_or_default().replace("{w}", &w.to_string());
                tasks.push(tokio::spawn(async move {
                    let mut c = TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
                    c.write_all(format!("GET /api/v1/events?watch=true&offset=0&count={records}{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
                    let mut b = vec![0; 64 << 10]; let mut total = 0usize;
                    loop { let k = c.read(&mut b).await.unwrap(); if k == 0 { break } total += k; }
                    total
                }));
            }
            let mut total = 0;
            for t in tasks {
                total += t.await.unwrap();
            }
            let e = start.elapsed().as_secs_f64();
            println!(
                "{watchers} watchers, {total} bytes, {e:.3} s, {:.0} MB/s, {:.0} events/s",
                total as f64 / e / 1e6,
                (watchers * records) as f64 / e
            );
        }
        "idle" => {
            let (port, watchers, secs) = (n(2), n(3), n(4));
            let mut cs = Vec::new();
            for _ in 0..watchers {
                let mut c = TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
                c.write_all(b"GET /api/v1/events?watch=true HTTP/1.1\r\nhost: x\r\n\r\n")
                    .await
                    .unwrap();
                let mut b = [0; 4096];
                c.read(&mut b).await.unwrap();
                cs.push(c);
            }
            println!("open");
            let counted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            for mut c in cs {
                let counted = counted.clone();
                tokio::spawn(async move {
                    let mut b = [0; 4096];
                    loop {
                        let k = c.read(&mut b).await.unwrap();
                        if k == 0 {
                            println!("closed");
                            return;
                        }
                        counted
                            .fetch_add(bytes_lines(&b[..k]), std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
            tokio::time::sleep(Duration::from_secs(secs as u64)).await;
            println!("lines {}", counted.load(std::sync::atomic::Ordering::Relaxed));
        }
        _ => {}
    }
}
fn bytes_lines(b: &[u8]) -> usize {
    b.iter().filter(|b| **b == b'{').count()
}
