//! Lines from start to what is printed, without a node and with one that is played.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::mpsc;

use super::{Printed, run, words_of};

fn line(words: &str) -> Printed {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    run("rabbitmqctl", &words)
}

/// A control socket that answers the requests it gets, one after the other, and tells their first lines.
struct Played {
    path: std::path::PathBuf,
    asked: mpsc::Receiver<String>,
    _dir: tempfile::TempDir,
}

impl Played {
    fn answering(answers: &'static [(u16, &'static str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("control");
        let listener = UnixListener::bind(&path).expect("a socket");
        let (tell, asked) = mpsc::channel();
        std::thread::spawn(move || {
            let mut answers = answers.iter();
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.expect("a connection"));
                loop {
                    let mut head = String::new();
                    if stream.read_line(&mut head).unwrap_or(0) == 0 {
                        break;
                    }
                    let mut length = 0;
                    loop {
                        let mut header = String::new();
                        stream.read_line(&mut header).expect("a header");
                        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().expect("a length");
                        }
                        if header.trim().is_empty() {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body).expect("a body");
                    let body = String::from_utf8_lossy(&body);
                    tell.send(format!("{} {body}", head.trim_end_matches(" HTTP/1.1\r\n")).trim_end().to_owned()).ok();
                    let Some((status, answer)) = answers.next() else { return };
                    let text = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
                    stream.get_mut().write_all(text.as_bytes()).expect("an answer");
                }
            }
        });
        Self { path, asked, _dir: dir }
    }

    fn line(&self, words: &str) -> Printed {
        line(&format!("--socket {} -n a@b {words}", self.path.display()))
    }

    fn requests(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

#[test]
fn a_line_without_a_command_is_the_overview() {
    assert_eq!(line("").code, 64);
    assert!(line("").stderr.starts_with("\nUsage\n\nrabbitmqctl "));
    assert_eq!(line("--help").code, 0);
    assert!(line("--help").stdout.contains("\nUsers:\n\n"));
    assert_eq!(line("--auto-complete"), Printed::default());
    assert_eq!(line("--version").stdout, "4.3.5\n");
}

#[test]
fn checks_come_in_the_order_of_the_reference() {
    for (words, code, text) in [
        ("lst_users", 64, "\nCommand 'lst_users' not found. \nDid you mean 'list_users'? \n\n"),
        (
            "list_users --bogus -n sp:ace",
            64,
            "Error (argument validation): Invalid options for this command:\n--bogus : \n",
        ),
        ("list_users x -n sp:ace@h", 65, "Unsupported node name: "),
        (
            "list_users x -n nosuch@h",
            64,
            "Error (argument validation): too many arguments.\nArguments given:\n\tlist_users x -n",
        ),
        ("list_queues nope", 64, "Error (argument validation): Info key(s) nope are not supported\n"),
        ("list_users -n nosuch@h", 69, "Error: unable to perform an operation on node 'nosuch@h'. "),
        (
            "list_users -n nosuch@h -t 0",
            75,
            "Error: operation list_users on node nosuch@h timed out. Timeout value used: 0\n",
        ),
        ("list_users --formatter bogus", 1, "Error: there is no formatter 'bogus'\n"),
    ] {
        let printed = line(words);
        assert_eq!(printed.code, code, "{words}");
        assert!(printed.stderr.starts_with(text), "{words}: {}", printed.stderr);
        assert_eq!(printed.stdout, "", "{words}");
    }
}

#[test]
fn help_of_a_command_wins_over_wrong_words() {
    let printed = line("list_queues --help bogus");
    assert_eq!(printed.code, 0);
    assert!(printed.stdout.starts_with("\nUsage\n\nrabbitmqctl [--node <node>] [--longnames] [--quiet] list_queues "));
}

#[test]
fn a_listing_costs_one_request() {
    let node = Played::answering(&[(200, r#"[{"name":"guest","tags":["administrator"]}]"#)]);
    let printed = node.line("list_users");
    assert_eq!(printed.stdout, "Listing users ...\nuser\ttags\nguest\t[administrator]\n");
    assert_eq!(node.requests(), ["GET /api/users?columns=name,tags"]);
}

#[test]
fn a_stopped_application_is_told_before_the_banner() {
    const STOPPED: &[(u16, &str)] = &[(503, r#"{"error":"app_stopped","reason":"stopped"}"#)];
    let printed = Played::answering(STOPPED).line("list_users");
    assert_eq!((printed.code, printed.stdout.as_str()), (64, ""));
    assert!(
        printed.stderr.starts_with("Error: this command requires the 'rabbit' app to be running on the target node.")
    );
}

#[test]
fn a_refusal_leaves_the_banner() {
    let node = Played::answering(&[(200, r#"{"name":"alice","tags":[]}"#)]);
    let printed = node.line("add_user alice s3cret");
    assert_eq!(printed.stdout, "Adding user \"alice\" ...\n");
    assert_eq!(printed.stderr, "Error:\nUser \"alice\" already exists\n");
    assert_eq!(printed.code, 70);
    let node = Played::answering(&[(200, r#"{"name":"alice","tags":[]}"#)]);
    let printed = node.line("add_user alice s3cret --formatter json");
    assert_eq!(printed.stderr, "{\"message\":\"User alice already exists\",\"node\":\"a@b\",\"result\":\"error\"}\n");
    assert_eq!(printed.code, 69);
}

#[test]
fn an_action_is_silent_and_says_ok_in_json() {
    const ANSWERS: &[(u16, &str)] = &[(204, "")];
    let node = Played::answering(ANSWERS);
    assert_eq!(node.line("set_permissions -p v alice a b c -q"), Printed::default());
    assert_eq!(node.requests(), [r#"PUT /api/permissions/v/alice {"configure":"a","write":"b","read":"c"}"#]);
    let printed = Played::answering(ANSWERS).line("set_permissions -p v alice a b c --formatter json");
    assert_eq!(printed.stdout, "{\"node\":\"a@b\",\"result\":\"ok\"}\n");
}

#[test]
fn a_dry_run_looks_at_the_node_and_changes_nothing() {
    const RUNNING: &[(u16, &str)] = &[(404, "")];
    let node = Played::answering(RUNNING);
    assert_eq!(node.line("delete_user nobody --dry-run").stdout, "Deleting user \"nobody\" ...\n");
    assert_eq!(node.requests(), ["GET /api/warren/node"]);
}

#[test]
fn empty_lists_show_how_they_are_handed_over() {
    const EMPTY: &[(u16, &str)] = &[(200, "[]"), (200, "[]")];
    for (words, expected) in [
        ("list_queues -q", ""),
        ("list_queues --formatter json", "[\n]\n"),
        ("list_policies -q", "\n"),
        ("list_policies --formatter json", "[]\n"),
        ("list_policies -q --formatter pretty_table", "┌────────┐\n│ Output │\n├────────┤\n│ []     │\n└────────┘\n"),
    ] {
        assert_eq!(Played::answering(EMPTY).line(words).stdout, expected, "{words}");
    }
}

#[test]
fn every_form_of_a_row_is_as_recorded() {
    const QUEUES: &[(u16, &str)] =
        &[(200, r#"[{"name":"q\"1","type":"classic","arguments":{"x-max-length":10,"x-overflow":"drop-head"}}]"#)];
    for (formatter, expected) in [
        ("table", "name\targuments\nq\"1\t[{\"x-max-length\",10},{\"x-overflow\",\"drop-head\"}]\n"),
        (
            "json",
            "[\n{\"name\":\"q\\\"1\",\"arguments\":[[\"x-max-length\",\"signedint\",10],[\"x-overflow\",\"longstr\",\"drop-head\"]]}\n]\n",
        ),
        (
            "csv",
            "\"name\",\"arguments\"\n\"q\"\"1\",\"[{\"\"x-max-length\"\",10},{\"\"x-overflow\"\",\"\"drop-head\"\"}]\"\n",
        ),
        (
            "erlang",
            "[[{name,<<\"q\\\"1\">>},\n  {arguments,[{<<\"x-max-length\">>,signedint,10},\n              {<<\"x-overflow\">>,longstr,<<\"drop-head\">>}]}]]\n",
        ),
    ] {
        let printed = Played::answering(QUEUES).line(&format!("list_queues -q name arguments --formatter {formatter}"));
        assert_eq!(printed.stdout, expected, "{formatter}");
    }
}

#[test]
fn the_words_of_an_alias_are_split_as_a_shell_splits_them() {
    for (text, expected) in [
        (" list_queues name  messages ", vec!["list_queues", "name", "messages"]),
        ("set_vhost_tags 'a b' \"c 'd\"", vec!["set_vhost_tags", "a b", "c 'd"]),
        ("add_user x ''", vec!["add_user", "x", ""]),
        ("", vec![]),
    ] {
        assert_eq!(words_of(text), expected, "{text}");
    }
}
