//! A peer of AMQP 1.0 written by hand, which lets anybody in and says to each message what a test wants.

use pluvio_connect::amqp::Config;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What is said to a message: frames, and whether the connection ends behind them.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) ends: bool,
}

/// What a peer says to the message of this number; they are counted from 0.
pub(crate) type Answer = fn(u32) -> Said;

/// A sink whose peer answers so.
pub(crate) async fn peer(answer: Answer) -> Config {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer));
        }
    });
    Config::new(format!("amqp://127.0.0.1:{port}"), "q")
}

/// Answers until the other side, or `answer`, ends the connection.
async fn serve(mut stream: TcpStream, answer: Answer) -> Option<()> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).await.ok()?;
    let anonymous = symbol("ANONYMOUS");
    let mechanisms = frame(1, &described(0x40, &list(&[&anonymous])));
    stream.write_all(&[b"AMQP\x03\x01\x00\x00", &mechanisms[..]].concat()).await.ok()?;
    read_frame(&mut stream).await?;
    stream.write_all(&frame(1, &described(0x44, &list(&[&[0x50, 0]])))).await.ok()?;
    stream.read_exact(&mut header).await.ok()?;
    stream.write_all(b"AMQP\x00\x01\x00\x00").await.ok()?;
    let mut messages = 0;
    loop {
        // Eight bytes of head, 00 53 and what kind it is.
        let read = read_frame(&mut stream).await?;
        let said = match read.get(6) {
            Some(0x10) => Said::frames(&[described(0x10, &list(&[&text("peer")]))]),
            Some(0x11) => Said::frames(&[described(
                0x11,
                &list(&[&[0x60, 0, 0], &number(0), &number(2048), &number(2048)]),
            )]),
            Some(0x12) => Said::frames(&[attached(&read), flow()]),
            Some(0x14) => {
                messages += 1;
                answer(messages - 1)
            }
            Some(0x18) => Said { frames: vec![frame(0, &described(0x18, &list(&[])))], ends: true },
            _ => Said::default(),
        };
        stream.write_all(&said.frames.concat()).await.ok()?;
        if said.ends {
            return Some(());
        }
    }
}

/// A frame without its size.
async fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let bytes = stream.read_u32().await.ok()?;
    let mut frame = vec![0; bytes as usize - 4];
    stream.read_exact(&mut frame).await.ok()?;
    Some(frame)
}

/// The answer to an `attach`: the same name, ours is the receiver.
fn attached(attach: &[u8]) -> Vec<u8> {
    // The name is the first short text.
    let at = attach.iter().position(|byte| *byte == 0xa1).unwrap();
    let name = &attach[at..][..2 + usize::from(attach[at + 1])];
    let (source, target) = (described(0x28, &list(&[])), described(0x29, &list(&[&text("q")])));
    let fields = [name, &number(0), &[0x41], &[0x50, 2], &[0x50, 0], &source, &target];
    described(0x12, &list(&fields))
}

/// Credit for as many as a test sends.
fn flow() -> Vec<u8> {
    let (zero, many) = (number(0), number(2048));
    described(0x13, &list(&[&zero, &many, &zero, &many, &zero, &zero, &many]))
}

impl Said {
    /// These performatives.
    pub(crate) fn frames(performatives: &[Vec<u8>]) -> Self {
        Self { frames: performatives.iter().map(|it| frame(0, it)).collect(), ends: false }
    }

    /// The same, and the connection ends.
    pub(crate) fn and_ends(self) -> Self {
        Self { ends: true, ..self }
    }
}

/// Settles `first ..= last` with `state`.
pub(crate) fn disposition(first: u32, last: u32, state: &[u8]) -> Vec<u8> {
    described(0x15, &list(&[&[0x41], &number(first), &number(last), &[0x41], state]))
}

/// The state of a message that was taken.
pub(crate) fn accepted() -> Vec<u8> {
    described(0x24, &list(&[]))
}

/// The state of a message that was refused because of `error`.
pub(crate) fn rejected(error: &[u8]) -> Vec<u8> {
    described(0x25, &list(&[error]))
}

/// An error with a further value about it.
pub(crate) fn error(condition: &str, words: &str, about: &[u8]) -> Vec<u8> {
    let key = symbol("about");
    let size = (key.len() + about.len() + 4) as u32;
    let about = [&[0xd1], &size.to_be_bytes()[..], &[0, 0, 0, 2], &key, about].concat();
    described(0x1d, &list(&[&symbol(condition), &text(words), &about]))
}

/// The end of the link, with an error or `NULL`.
pub(crate) fn detach(is_closed: bool, error: &[u8]) -> Vec<u8> {
    described(0x16, &list(&[&number(0), &[if is_closed { 0x41 } else { 0x42 }], error]))
}

/// The end of the session.
pub(crate) fn end(error: &[u8]) -> Vec<u8> {
    described(0x17, &list(&[error]))
}

/// The end of the connection.
pub(crate) fn close(error: &[u8]) -> Vec<u8> {
    described(0x18, &list(&[error]))
}

/// Nothing.
pub(crate) const NULL: &[u8] = &[0x40];

/// A described type with a numeric descriptor.
pub(crate) fn described(code: u8, value: &[u8]) -> Vec<u8> {
    [&[0x00, 0x53, code], value].concat()
}

fn list(elements: &[&[u8]]) -> Vec<u8> {
    let content = elements.concat();
    let (size, count) = (content.len() as u32 + 4, elements.len() as u32);
    [&[0xd0], &size.to_be_bytes()[..], &count.to_be_bytes(), &content].concat()
}

fn number(number: u32) -> Vec<u8> {
    [&[0x70], &number.to_be_bytes()[..]].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&[0xa1, text.len() as u8], text.as_bytes()].concat()
}

fn symbol(symbol: &str) -> Vec<u8> {
    [&[0xa3, symbol.len() as u8], symbol.as_bytes()].concat()
}

fn frame(kind: u8, performative: &[u8]) -> Vec<u8> {
    let bytes = performative.len() as u32 + 8;
    [&bytes.to_be_bytes()[..], &[2, kind, 0, 0], performative].concat()
}
