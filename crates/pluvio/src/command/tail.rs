//! `pluvio tail`: events as they come, readable.
//!
//! A client like any other: it asks a running Pluvio over HTTP and follows the watch. A connection
//! that breaks ends it with a message; whoever wants to go on begins anew with `--since`.

use std::{ops::ControlFlow, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use futures::StreamExt as _;
use jiff::{Timestamp, tz::TimeZone};
use pluvio_connect::stdout::{Palette, line};
use pluvio_event::json;
use pluvio_net::{HttpError, Part, TlsOptions, authority_of};
use pluvio_secret::{note, note_address};
use reqwest::{Client, RequestBuilder, Response};
use url::Url;

use super::{Failed, block_on, print_line, print_painted, stopped};
use crate::cli::{Output, Tail};

/// Longest event that is shown; the log takes none that is longer.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Largest page that is read, unpacked: the server ends one at 4 MiB, behind the event that reaches them.
const PAGE_BYTES_MAX: usize = LINE_BYTES_MAX + (4 << 20);
/// Longest error that is read; the server's have some hundred bytes.
const PROBLEM_BYTES_MAX: usize = 64 << 10;

/// A server that says nothing for so long is gone: a watch has a heartbeat every [`HEARTBEAT`].
const SILENCE_MAX: Duration = Duration::from_secs(60);
const HEARTBEAT: &str = "15s";

/// Shows the past asked for, then follows.
pub(crate) fn tail(options: Tail) -> Result<(), Failed> {
    note(options.token.as_deref().unwrap_or_default());
    note_address(&options.url);
    let since = options.since.as_deref().map(since).transpose()?;
    block_on(async move {
        let tail = Following { client: client(&options)?, options, since };
        tokio::select! {
            shown = tail.run() => shown.map_err(Failed::from),
            reason = stopped() => reason.map(drop).map_err(Failed::from),
        }
    })
}

/// `10m` ago, or a time.
fn since(text: &str) -> Result<Timestamp, Failed> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let ago = text.parse::<pluvio_net::unit::Period>().ok();
    ago.and_then(|ago| Timestamp::now().checked_sub(ago.0).ok()).ok_or_else(|| {
        Failed::Usage(format!(
            "--since takes a duration such as 10m or 2h, or a time such as \
             2026-11-20T10:00:00Z; not `{text}`"
        ))
    })
}

fn client(options: &Tail) -> anyhow::Result<Client> {
    let Tail { ca_file, thumbprint, insecure, .. } = options;
    let (ca_file, thumbprint, insecure) = (ca_file.clone(), *thumbprint, *insecure);
    let tls = TlsOptions { ca_file, thumbprint, insecure, ..TlsOptions::default() };
    let tls = match (options.url.scheme(), tls.client_config()) {
        ("https", config) => Some(config?),
        // A machine without root certificates can still talk plain HTTP.
        (_, config) => config.ok(),
    };
    let builder =
        Client::builder().no_proxy().connect_timeout(SILENCE_MAX).read_timeout(SILENCE_MAX);
    let builder = match tls {
        Some(config) => builder.tls_backend_preconfigured(config),
        None => builder,
    };
    builder.build().context("failed to prepare the HTTP client")
}

struct Following {
    client: Client,
    options: Tail,
    since: Option<Timestamp>,
}

/// What became of printing: [`Break`](ControlFlow::Break) when standard output takes nothing any more.
type Printed<T = ()> = ControlFlow<(), T>;

impl Following {
    async fn run(&self) -> anyhow::Result<()> {
        let past = match self.since {
            Some(since) => self.past_since(since).await?,
            None => self.newest().await?,
        };
        let Printed::Continue(mut next) = past else { return Ok(()) };
        if self.options.no_follow {
            return Ok(());
        }
        let offset = next.take().map_or_else(|| "-1".to_owned(), |next| next.to_string());
        let query = [("watch", "true"), ("offset", offset.as_str()), ("heartbeat", HEARTBEAT)];
        let watch = self.request("events", &query);
        let mut lines = Lines::new(answered(watch).await?);
        while let Some(line) = lines.next().await? {
            if self.print(&line)?.is_break() {
                return Ok(());
            }
        }
        bail!("Pluvio ended the watch; it may be restarting")
    }

    /// Prints the newest events and gives the offset behind them.
    async fn newest(&self) -> anyhow::Result<Printed<Option<u64>>> {
        if self.options.lines == 0 {
            return Ok(Printed::Continue(None));
        }
        let limit = self.options.lines.to_string();
        let page = answered(self.request("events", &[("limit", &limit)])).await?;
        let next = next_offset(&page);
        Ok(self.print_page(page).await?.map_continue(|()| next))
    }

    /// Prints page after page from `since` on and gives the offset behind them.
    async fn past_since(&self, since: Timestamp) -> anyhow::Result<Printed<Option<u64>>> {
        let (mut offset, since) = ("earliest".to_owned(), since.to_string());
        loop {
            let query = [("limit", "1000"), ("since", since.as_str()), ("offset", &offset)];
            let page = answered(self.request("events", &query)).await?;
            let next = next_offset(&page);
            let has_more = page
                .headers()
                .get_all("link")
                .iter()
                .any(|link| link.to_str().is_ok_and(|link| link.contains("rel=\"next\"")));
            if self.print_page(page).await?.is_break() {
                return Ok(Printed::Break(()));
            }
            match next {
                Some(next) if has_more => offset = next.to_string(),
                next => return Ok(Printed::Continue(next)),
            }
        }
    }

    async fn print_page(&self, page: Response) -> anyhow::Result<Printed> {
        let body = body(page, PAGE_BYTES_MAX).await.context("failed to read a page of events")?;
        if body.is_empty() {
            return Ok(Printed::Continue(()));
        }
        let events: Vec<Box<serde_json::value::RawValue>> =
            serde_json::from_slice(&body).context("failed to read a page of events")?;
        for event in events {
            let mut event = event.get().as_bytes().to_vec();
            json::fold_to_line(&mut event);
            if self.print(&event)?.is_break() {
                return Ok(Printed::Break(()));
            }
        }
        Ok(Printed::Continue(()))
    }

    fn print(&self, event: &[u8]) -> anyhow::Result<Printed> {
        if event.is_empty() {
            return Ok(Printed::Continue(()));
        }
        let is_open = match self.options.output {
            Output::Json => print_line(&String::from_utf8_lossy(event)),
            Output::Text => {
                let event = json::decode(event).context("failed to read an event")?;
                print_painted(&line(&event, Palette::of_stdout(), &TimeZone::system()))
            }
        };
        Ok(if is_open { Printed::Continue(()) } else { Printed::Break(()) })
    }

    fn request(&self, what: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.options.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/api/v1/streams/{}/{what}", self.options.stream));
        self.with_filters(&mut url, query);
        let request = self.client.get(url);
        match &self.options.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn with_filters(&self, url: &mut Url, query: &[(&str, &str)]) {
        let mut pairs = url.query_pairs_mut();
        pairs.extend_pairs(query);
        pairs.extend_pairs(self.options.types.iter().map(|value| ("type", value)));
        pairs.extend_pairs(self.options.subject.iter().map(|value| ("subject", value)));
        pairs.extend_pairs(self.options.filter.iter().map(|value| ("filter", value)));
    }
}

/// Sends a request; an answer that is an error becomes one, in the server's words.
async fn answered(request: RequestBuilder) -> anyhow::Result<Response> {
    let (client, request) = request.build_split();
    let request = request.context("failed to prepare the request")?;
    let host = authority_of(request.url());
    let response = client.execute(request).await;
    let response = response.map_err(|error| unreached(&host, error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let body = body(response, PROBLEM_BYTES_MAX).await;
    let body = body.with_context(|| format!("Pluvio answered {status}"))?;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    match body["detail"].as_str() {
        Some(detail) => bail!("Pluvio answered {status}: {detail}"),
        None => bail!("Pluvio answered {status}"),
    }
}

/// Why Pluvio cannot be reached, and what helps, in the words of this command's options.
fn unreached(host: &str, error: reqwest::Error) -> anyhow::Error {
    match HttpError::classify(host, error, Part::Head) {
        HttpError::Untrusted { host, untrusted } => anyhow!(
            "the certificate of {host} is not trusted ({}); compare its SHA-256 thumbprint {} with the \
             server's own, then give it as --thumbprint; or give --ca-file",
            untrusted.reason,
            untrusted.thumbprint
        ),
        error @ (HttpError::Refused { .. } | HttpError::NotResolved { .. }) => {
            anyhow!("{error}; is Pluvio running, and is --url its address?")
        }
        error => {
            let remedy = error.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            let text = format!("failed to reach Pluvio{remedy}");
            anyhow::Error::new(error).context(text)
        }
    }
}

/// The whole body, unpacked.
async fn body(response: Response, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let (mut stream, mut body) = (response.bytes_stream(), Vec::new());
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.context("lost the connection to Pluvio")?;
        if body.len() + bytes.len() > bytes_max {
            bail!("it has more than {bytes_max} bytes; is --url the address of a Pluvio?");
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

fn next_offset(page: &Response) -> Option<u64> {
    page.headers().get("pluvio-next-offset")?.to_str().ok()?.parse().ok()
}

/// The lines of a body that goes on.
struct Lines {
    body: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: Vec<u8>,
}

impl Lines {
    fn new(response: Response) -> Self {
        Self { body: response.bytes_stream().boxed(), buffer: Vec::new() }
    }

    /// The next line without its end; `None` when the body ended.
    async fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=searched + at).collect();
                line.pop();
                return Ok(Some(line));
            }
            searched = self.buffer.len();
            if searched > LINE_BYTES_MAX {
                bail!("Pluvio sent a line of more than {LINE_BYTES_MAX} bytes");
            }
            match self.body.next().await {
                Some(bytes) => {
                    self.buffer.extend_from_slice(&bytes.context("lost the connection to Pluvio")?);
                }
                None => return Ok(None),
            }
        }
    }
}
