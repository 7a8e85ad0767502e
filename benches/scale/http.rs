//! One request to the management API on a connection of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};

/// `guest:guest`
const CREDENTIALS: &str = "Z3Vlc3Q6Z3Vlc3Q=";

/// Asks, and returns the answer's bytes behind its head; a status that is no success is an error.
pub fn ask(server: SocketAddr, method: &str, path: &str, body: &str) -> Result<Vec<u8>> {
    let mut socket = TcpStream::connect(server)?;
    let length = body.len();
    socket.write_all(
        format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {CREDENTIALS}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .as_bytes(),
    )?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").context("an answer without a head")?;
    let status = String::from_utf8_lossy(&answer[..head]).lines().next().unwrap_or_default().to_owned();
    ensure!(status.contains(" 2"), "{method} {path}: {status}");
    Ok(answer.split_off(head + 4))
}
