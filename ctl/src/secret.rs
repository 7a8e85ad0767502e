//! Passwords from elsewhere than the command line: a file, the environment, a prompt.
//!
//! Owns their order and reading one without showing it. Knows no target.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use crate::exit::{Failure, Kind};
use crate::parse::Parsed;
use crate::target::Surroundings;

/// Longest password read, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The byte a terminal sends for Ctrl-C.
const INTERRUPT: u8 = 3;

/// The password the switches or the environment name: `--password`, `--password-file` (`-` is the
/// standard input), `--ask-password`, `WARREN_PASSWORD`.
///
/// # Errors
/// When a file cannot be read, or the prompt was left.
pub fn given(switches: &Parsed, around: &Surroundings) -> Result<Option<String>, Failure> {
    if let Some(password) = switches.text("password") {
        return Ok(Some(password.to_owned()));
    }
    if let Some(file) = switches.text("password-file") {
        return read_file(file).map(Some);
    }
    if switches.flag("ask-password") && around.may_ask {
        return ask("Password").map(Some);
    }
    Ok((around.variable)("WARREN_PASSWORD"))
}

/// The first line of a file.
///
/// # Errors
/// When it cannot be read.
pub fn read_file(file: &str) -> Result<String, Failure> {
    let failed = |error: &std::io::Error| refused(&format!("the password file {file} cannot be read: {error}"));
    let mut line = String::new();
    if file == "-" {
        std::io::stdin().lock().take(SECRET_BYTES_MAX).read_line(&mut line).map_err(|error| failed(&error))?;
    } else {
        let opened = std::fs::File::open(file).map_err(|error| failed(&error))?;
        std::io::BufReader::new(opened.take(SECRET_BYTES_MAX)).read_line(&mut line).map_err(|error| failed(&error))?;
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks for the password of a user, if somebody sits at a terminal.
pub fn ask_at_terminal(user: &str) -> Result<Option<String>, Failure> {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        ask(&format!("Password of {user}")).map(Some)
    } else {
        Ok(None)
    }
}

/// Asks on the terminal without showing what is typed, whatever the standard streams are.
///
/// # Errors
/// When there is no terminal to ask on, or the prompt was left with Ctrl-C.
fn ask(question: &str) -> Result<String, Failure> {
    let terminal = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|error| refused(&format!("there is no terminal to ask for the password on: {error}")))?;
    let typed = hidden(&terminal, || drop(write!(&terminal, "{question}: ")));
    writeln!(&terminal).ok();
    typed
}

/// A line of the standard input, which is a terminal, without showing it. `question` asks for it.
///
/// # Errors
/// When the prompt was left with Ctrl-C.
pub fn hidden_answer(question: impl FnOnce()) -> Result<String, Failure> {
    use std::os::fd::AsFd as _;
    let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(|error| refused(&error.to_string()))?;
    hidden(&std::fs::File::from(input), question)
}

fn refused(text: &str) -> Failure {
    Failure::plain(Kind::Data, format!("Error: {text}")).before_banner()
}

/// Asks once nothing is shown any more: who is fast, or a program, answers at once.
fn hidden(terminal: &std::fs::File, question: impl FnOnce()) -> Result<String, Failure> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let before = tcgetattr(terminal).map_err(|error| refused(&error.to_string()))?;
    let mut silent = before.clone();
    // Signals are off as well: leaving with Ctrl-C must not leave a terminal that shows nothing.
    silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    tcsetattr(terminal, OptionalActions::Now, &silent).map_err(|error| refused(&error.to_string()))?;
    question();
    let typed = read_line(terminal);
    tcsetattr(terminal, OptionalActions::Now, &before).ok();
    typed.map_err(|error| refused(&error.to_string()))
}

/// A line as it is typed, with the keys that take characters back.
fn read_line(mut terminal: &std::fs::File) -> std::io::Result<String> {
    let mut typed: Vec<u8> = Vec::new();
    let mut byte = [0];
    loop {
        if terminal.read(&mut byte)? == 0 {
            break;
        }
        match byte[0] {
            b'\n' | b'\r' => break,
            INTERRUPT => return Err(std::io::Error::new(std::io::ErrorKind::Interrupted, "left with Ctrl-C")),
            // Ctrl-D ends the input.
            4 if typed.is_empty() => break,
            // Backspace takes back a whole character, however many bytes it has.
            8 | 127 => while typed.pop().is_some_and(|last| last & 0xC0 == 0x80) {},
            // Ctrl-U takes back everything.
            21 => typed.clear(),
            other if u64::try_from(typed.len()).is_ok_and(|length| length < SECRET_BYTES_MAX) => typed.push(other),
            _ => {}
        }
    }
    Ok(String::from_utf8_lossy(&typed).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{GLOBAL, parse};

    #[test]
    fn a_file_comes_before_the_environment_and_only_its_first_line_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "pass word\r\nmore\n").expect("written");
        let around = Surroundings {
            variable: |name| (name == "WARREN_PASSWORD").then(|| "of the environment".to_owned()),
            uid: 1,
            may_ask: false,
        };
        let line = |text: &str| given(&parse(text.split(' '), &[GLOBAL]), &around);
        assert_eq!(line(&format!("--password-file {}", path.display())), Ok(Some("pass word".to_owned())));
        assert_eq!(line("x"), Ok(Some("of the environment".to_owned())));
        assert_eq!(line("--password p"), Ok(Some("p".to_owned())));
        let missing = line("--password-file /nonexistent/secret").expect_err("refused");
        assert!(missing.text.contains("/nonexistent/secret"), "{}", missing.text);
    }
}
