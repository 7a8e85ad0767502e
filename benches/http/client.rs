//! Requests to the management API, one after the other on one connection that stays open, as scripts and dashboards send them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// `guest:guest`
const CREDENTIALS: &str = "Z3Vlc3Q6Z3Vlc3Q=";
/// The longest wait for an answer.
const DEADLINE: Duration = Duration::from_secs(600);

/// One connection.
pub struct Client {
    server: SocketAddr,
    /// Whether the server wants no more requests here, as RabbitMQ after a thousand.
    is_over: bool,
    socket: BufReader<TcpStream>,
    request: Vec<u8>,
    body: Vec<u8>,
}

impl Client {
    /// Connects.
    pub fn open(server: SocketAddr) -> Result<Self> {
        let socket = Self::connect(server)?;
        Ok(Self { server, is_over: false, socket, request: Vec::new(), body: Vec::new() })
    }

    fn connect(server: SocketAddr) -> Result<BufReader<TcpStream>> {
        let socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        Ok(BufReader::with_capacity(128 * 1024, socket))
    }

    /// The body of what a path answers.
    pub fn get(&mut self, path: &str) -> Result<&[u8]> {
        self.ask("GET", path, "")
    }

    /// Asks, and returns the answer's body; a status that is no success is an error.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<&[u8]> {
        if std::mem::take(&mut self.is_over) {
            self.socket = Self::connect(self.server)?;
        }
        self.request.clear();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {CREDENTIALS}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        self.socket.get_mut().write_all(&self.request)?;
        self.body.clear();
        let status = self.line()?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse()?,
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(("connection", value)) => self.is_over = value.trim() == "close",
                Some(_) => {}
                None => break,
            }
        }
        if chunked {
            loop {
                let bytes = usize::from_str_radix(self.line()?.trim(), 16).context("the size of a chunk")?;
                self.read(bytes)?;
                self.line()?;
                if bytes == 0 {
                    break;
                }
            }
        } else {
            self.read(length)?;
        }
        if !status.contains(" 2") {
            bail!("{method} {path}: {status}: {}", String::from_utf8_lossy(&self.body));
        }
        Ok(&self.body)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.socket.read_line(&mut line)? > 0, "the server has closed the connection");
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    fn read(&mut self, bytes: usize) -> Result<()> {
        let before = self.body.len();
        self.body.resize(before + bytes, 0);
        self.socket.read_exact(&mut self.body[before..])?;
        Ok(())
    }
}
