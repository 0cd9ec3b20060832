//! A server that gives prepared answers, one a connection, and tells what it was asked.

use std::collections::BTreeMap;

use pluvio_clouds::cloudstack::{ApiKeys, Client, Credentials, Endpoint};
use pluvio_net::{HttpClient, TlsOptions};
use pluvio_secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const API_KEY: &str = "an-api-key_0123456789";
pub(crate) const SECRET_KEY: &str = "a-secret-key_9876543210";

/// What our clock shows in all tests.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";

/// One request as it came.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    /// The parameters, of the address or of the form.
    pub(crate) fn params(&self) -> BTreeMap<String, String> {
        let target = self.head.split(' ').nth(1).unwrap();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let form = if self.body.is_empty() { query } else { &self.body };
        url::form_urlencoded::parse(form.as_bytes()).into_owned().collect()
    }

    pub(crate) fn param(&self, name: &str) -> Option<String> {
        self.params().remove(name)
    }
}

/// A server of these answers: status and headers, and body.
pub(crate) async fn server(answers: Vec<(&'static str, String)>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let mut requests = Vec::new();
        for (head, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            requests.push(request(&mut stream).await);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    Server { url, asked }
}

pub(crate) struct Server {
    url: String,
    pub(crate) asked: JoinHandle<Vec<Asked>>,
}

impl Server {
    pub(crate) async fn client(
        &self,
        credentials: &Credentials,
    ) -> Result<Client, pluvio_clouds::cloudstack::Error> {
        let tls = TlsOptions { insecure: true, ..TlsOptions::default() };
        let endpoint = Endpoint::parse(&self.url).unwrap();
        let client = Client::connect(HttpClient::new(&tls).unwrap(), endpoint, credentials).await?;
        Ok(client.with_clock(|| NOW.parse().unwrap()))
    }
}

pub(crate) fn keys() -> Credentials {
    Credentials::Keys(ApiKeys {
        api_key: Secret::new(API_KEY),
        secret_key: Secret::new(SECRET_KEY),
    })
}

/// A client with keys, and what it will have asked.
pub(crate) async fn client(
    answers: Vec<(&'static str, String)>,
) -> (Client, JoinHandle<Vec<Asked>>) {
    let server = server(answers).await;
    (server.client(&keys()).await.unwrap(), server.asked)
}

async fn request(stream: &mut TcpStream) -> Asked {
    let (mut text, mut part) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut part).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&part[..read]));
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if read == 0 || (text.contains("\r\n\r\n") && body.len() >= length) {
            return Asked { head: head.to_owned(), body: body.to_owned() };
        }
    }
}
