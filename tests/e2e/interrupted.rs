//! Ctrl-C during long work of the command line: it ends between two steps and says what was done.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use tests::binaries;

/// A node with three queues that answers one request after the other, and has the tool interrupted while the first
/// deletion is under way. Answers the first lines of all requests.
fn play(listener: &UnixListener, tool: u32) -> Vec<String> {
    const QUEUES: &str =
        r#"[{"name":"a","type":"classic"},{"name":"b","type":"classic"},{"name":"c","type":"classic"}]"#;
    let mut asked = Vec::new();
    let (stream, _) = listener.accept().expect("the tool connects");
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        if stream.read_line(&mut head).unwrap_or(0) == 0 {
            return asked;
        }
        let mut header = String::from("-");
        while !header.trim().is_empty() {
            header.clear();
            stream.read_line(&mut header).expect("a header");
        }
        let is_deletion = head.starts_with("DELETE");
        if is_deletion {
            let sent = Command::new("kill").args(["-INT", &tool.to_string()]).status().expect("kill runs");
            assert!(sent.success());
        }
        let body = if is_deletion { "" } else { QUEUES };
        let status = if is_deletion { "204 No Content" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        asked.push(head.split(" HTTP").next().unwrap_or_default().to_owned());
        stream.get_mut().write_all(answer.as_bytes()).expect("the tool reads");
    }
}

#[test]
fn deleting_many_ends_between_two_queues_and_says_how_many_are_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("control");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let tool = Command::new(binaries().links.join("rabbitmqctl"))
        .args(["-q", "-n", "a@b", "--socket"])
        .arg(&socket)
        .args(["delete_queues", ".*", "--yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let id = tool.id();
    let node = std::thread::spawn(move || play(&listener, id));
    let output = tool.wait_with_output().expect("the tool ends");
    let asked = node.join().expect("the node was played");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{said}");
    assert!(said.contains("1 of 3 queues deleted; interrupted, 2 are as they were"), "{said}");
    assert_eq!(asked.iter().filter(|line| line.starts_with("DELETE")).count(), 1, "{asked:?}");
}
