//! What the figures were measured on.

use std::{fs, process::Command};

use jiff::Timestamp;

/// The machine and the moment, for the document's head.
#[derive(Debug)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: f64,
    kernel: String,
    compiler: String,
    date: String,
    load: String,
}

impl Machine {
    /// Looks now: the load is the one before the benchmarks.
    pub(crate) fn look() -> Machine {
        Machine {
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: number(&field("/proc/meminfo", "MemTotal")) / f64::from(1 << 20),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            compiler: compiler(),
            date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    /// As a table.
    pub(crate) fn markdown(&self) -> String {
        let Machine { processor, cores, memory_gib, kernel, compiler, date, load } = self;
        format!(
            "| | |\n|---|---|\n\
             | processor | {processor}, {cores} cores |\n\
             | memory | {memory_gib:.0} GiB |\n\
             | kernel | Linux {kernel} |\n\
             | compiler | {compiler}, release profile |\n\
             | date | {date} |\n\
             | load before | {load} |\n"
        )
    }
}

/// A process's memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) anonymous: f64,
    pub(crate) file: f64,
}

/// Looks up the memory of a process.
pub(crate) fn memory(process: u32) -> Memory {
    let status = format!("/proc/{process}/status");
    let bytes = |name| number(&field(&status, name)) * 1024.0;
    Memory { resident: bytes("VmRSS"), anonymous: bytes("RssAnon"), file: bytes("RssFile") }
}

/// How often the threads of a process were woken so far: each wake-up ends in a voluntary switch.
pub(crate) fn wakeups(process: u32) -> f64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return f64::NAN };
    let statuses = threads.filter_map(|thread| Some(thread.ok()?.path().join("status")));
    statuses.map(|path| number(&field(&path.to_string_lossy(), "voluntary_ctxt_switches"))).sum()
}

/// Processor time of a process so far, in seconds.
pub(crate) fn processor_seconds(process: u32) -> f64 {
    /// Linux' unit of `/proc/PID/stat` on every platform that Rust runs on.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = read(&format!("/proc/{process}/stat"));
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).map(number).sum::<f64>() / TICKS_PER_SECOND
}

fn compiler() -> String {
    let version = Command::new("rustc").arg("--version").output();
    let version = version.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    let version = version.unwrap_or_default();
    version.split(" (").next().unwrap_or_default().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value behind `name:` in a file of such lines.
fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    value.unwrap_or_default()
}

fn number(text: &str) -> f64 {
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}
