//! The second syntax: `rabbitmqadmin queues declare --name q --type quorum`.
//!
//! Owns the options of all operations, building the grammar from the table in `rows`, and carrying one out. How lists
//! are drawn is in `tables`, what is told about the grammar in `guide`.

mod columns;
mod guide;
mod operations;
mod rows;
mod tables;

use std::io::{IsTerminal as _, Read as _};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use openapi::Method;
use serde_json::{Map, Value, json};

use crate::admin::Outcome;
use crate::admin::settings::{self, Given, Settings};
use crate::admin::transport::{Transport, segment};
use crate::client::{Reply, Trouble};
use crate::exit::{Kind, exit_code};
use crate::tls::TlsOptions;

pub use guide::{complete, manual};
use operations::{Does, Flag, Need, Operation, To, Type};
use rows::OPERATIONS;
use tables::Style;

/// The grammar's own complaints have this code.
const BAD_LINE: u8 = 2;

/// Some of what was asked was done, some was not.
const PARTLY: u8 = 3;

/// Most operations of `delete_multiple` and payloads are far below this, in bytes.
const INPUT_BYTES_MAX: u64 = 1 << 30;

/// Whether a word is one of the options of all operations.
pub fn is_its_option(word: &str) -> bool {
    word.starts_with("--") && super::v1::is_option_of(&general(), word)
}

/// Whether it lists or shows that.
pub fn can_list(kind: &str) -> bool {
    OPERATIONS
        .iter()
        .flat_map(Operation::names)
        .any(|(group, name, _)| matches!(group, "list" | "show") && name == kind)
}

fn general() -> Command {
    let text = |name: &'static str, variable: &'static str| Arg::new(name).long(name).env(variable).value_name("VALUE");
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("rabbitmqadmin")
        .about("Asks the HTTP API of a broker")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .arg(Arg::new("version").long("version").action(ArgAction::Version).help("print the version"))
        .arg(
            text("config", "RABBITMQADMIN_CONFIG_FILE_PATH")
                .short('c')
                .help("configuration file; ~/.rabbitmqadmin.conf when it is there"),
        )
        .arg(text("node", "RABBITMQADMIN_NODE_ALIAS").short('N').help("section of the configuration file"))
        .arg(text("host", "RABBITMQADMIN_TARGET_HOST").short('H').alias("hostname").help("host of the API"))
        .arg(
            text("port", "RABBITMQADMIN_TARGET_PORT")
                .short('P')
                .value_parser(value_parser!(u16))
                .help("port of the API"),
        )
        .arg(
            text("base-uri", "RABBITMQADMIN_BASE_URI")
                .short('U')
                .conflicts_with_all(["host", "port"])
                .help("address of the API"),
        )
        .arg(
            text("path-prefix", "RABBITMQADMIN_API_PATH_PREFIX")
                .help("what stands before the operations; /api when left out"),
        )
        .arg(text("vhost", "RABBITMQADMIN_TARGET_VHOST").short('V').global(true).help("virtual host; / when left out"))
        .arg(text("username", "RABBITMQADMIN_USERNAME").short('u').help("user name"))
        .arg(text("password", "RABBITMQADMIN_PASSWORD").short('p').hide_env_values(true).help("password"))
        .arg(flag("insecure").short('k').help("accept any certificate"))
        .arg(flag("use-tls").env("RABBITMQADMIN_USE_TLS").help("ask over TLS"))
        .arg(
            text("tls-ca-cert-file", "RABBITMQADMIN_TLS_CA_CERT_FILE")
                .help("certificates of authorities to trust, PEM"),
        )
        .arg(text("tls-cert-file", "RABBITMQADMIN_TLS_CERT_FILE").help("own certificate, PEM"))
        .arg(text("tls-key-file", "RABBITMQADMIN_TLS_KEY_FILE").help("own private key, PEM"))
        .arg(
            text("timeout", "RABBITMQADMIN_TIMEOUT")
                .value_parser(value_parser!(u64).range(1..))
                .help("how long an answer may take, in seconds"),
        )
        .arg(flag("quiet").short('q').env("RABBITMQADMIN_QUIET_MODE").help("say less"))
        .arg(flag("verbose").short('v').env("RABBITMQADMIN_VERBOSE").conflicts_with("quiet").help("say more"))
        .arg(flag("non-interactive").env("RABBITMQADMIN_NON_INTERACTIVE_MODE").help("tables without lines and headers"))
        .arg(text("table-style", "RABBITMQADMIN_TABLE_STYLE").value_parser(Style::NAMES).help("how tables are drawn"))
}

/// The whole grammar: groups and operations of the table.
fn grammar() -> Command {
    let mut groups: Vec<(&str, Vec<Command>)> = Vec::new();
    for (group, name, operation) in OPERATIONS.iter().flat_map(Operation::names) {
        let command = subcommand(name, operation);
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, commands)) => commands.push(command),
            None => groups.push((group, vec![command])),
        }
    }
    let groups = groups.into_iter().map(|(name, commands)| {
        Command::new(name)
            .about(format!(
                "{} of {}",
                commands.iter().map(Command::get_name).collect::<Vec<_>>().join(", "),
                name.replace('_', " ")
            ))
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(commands)
    });
    general().subcommand_required(true).arg_required_else_help(true).subcommands(groups)
}

fn subcommand(name: &'static str, operation: &'static Operation) -> Command {
    let mut command = Command::new(name).about(operation.about);
    for flag in operation.flags {
        let arg = Arg::new(flag.name).long(flag.name).value_name("VALUE").required(flag.need == Need::Required);
        let arg = match (flag.takes, flag.need) {
            (Type::Switch, _) => arg.action(ArgAction::SetTrue),
            (Type::Bool, _) => arg.value_parser(value_parser!(bool)),
            (Type::Number, _) => arg.value_parser(value_parser!(i64)).allow_negative_numbers(true),
            _ => arg,
        };
        let arg = match flag.need {
            Need::Default(value) if flag.takes != Type::Switch => arg.default_value(value),
            _ => arg,
        };
        command = command.arg(flag.aliases.iter().fold(arg, |arg, alias| arg.alias(*alias)));
    }
    if matches!(operation.does, Does::List(_)) {
        command = command.arg(Arg::new("columns").long("columns").value_delimiter(',').help("only these columns"));
    }
    command
}

/// An operation that failed.
struct Fault {
    code: u8,
    text: String,
}

impl Fault {
    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { code: exit_code(kind), text: text.into() }
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable(why) => Self::new(Kind::Unavailable, format!("the API cannot be reached: {why}")),
            Trouble::TimedOut => Self::new(Kind::TryAgain, "the API did not answer in time"),
            Trouble::Setup(why) => Self::new(Kind::Configuration, why),
        }
    }
}

/// Runs a line.
pub fn run(words: &[String]) -> Outcome {
    let line = std::iter::once("rabbitmqadmin".to_owned()).chain(words.iter().cloned());
    let matches = match grammar().try_get_matches_from(line) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => return Outcome::failed(BAD_LINE, error.to_string()),
        Err(error) => return Outcome::said(error.to_string()),
    };
    match perform(&matches) {
        Ok(outcome) => outcome,
        Err(fault) => Outcome::failed(fault.code, format!("{}\n", fault.text)),
    }
}

fn perform(matches: &ArgMatches) -> Result<Outcome, Fault> {
    let (group, inner) = matches.subcommand().ok_or_else(|| Fault::new(Kind::Usage, "no operation is named"))?;
    let (name, given) = inner.subcommand().ok_or_else(|| Fault::new(Kind::Usage, "no operation is named"))?;
    let operation = OPERATIONS
        .iter()
        .flat_map(Operation::names)
        .find(|(known_group, known_name, _)| *known_group == group && *known_name == name)
        .map(|(_, _, operation)| operation)
        .ok_or_else(|| Fault::new(Kind::Usage, "there is no such operation"))?;
    let session = Session::new(matches, given)?;
    session.carry_out(operation)
}

struct Session<'a> {
    settings: Settings,
    transport: Transport,
    vhost: String,
    style: Style,
    quiet: bool,
    given: &'a ArgMatches,
}

impl<'a> Session<'a> {
    fn new(matches: &ArgMatches, given: &'a ArgMatches) -> Result<Self, Fault> {
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        let path = |name: &str| text(name).map(|path| settings::expanded(&path));
        let file = path("config").or_else(settings::default_file);
        let section = match file {
            Some(file) => {
                settings::section(&file, text("node").as_deref()).map_err(|why| Fault::new(Kind::Data, why))?
            }
            None => settings::Section::new(),
        };
        let options = Given {
            host: text("host"),
            port: matches.get_one::<u16>("port").copied(),
            base_uri: text("base-uri"),
            prefix: text("path-prefix"),
            user: text("username"),
            password: text("password"),
            vhost: given.try_get_one::<String>("vhost").ok().flatten().cloned().or_else(|| text("vhost")),
            tls: matches.get_flag("use-tls"),
            tls_options: TlsOptions {
                ca_cert: path("tls-ca-cert-file"),
                client_cert: path("tls-cert-file"),
                client_key: path("tls-key-file"),
                insecure: matches.get_flag("insecure"),
            },
            timeout_seconds: matches.get_one::<u64>("timeout").copied(),
        };
        let bare =
            matches.get_flag("non-interactive") || section.get("non_interactive").is_some_and(|value| value == "true");
        let named = text("table-style").or_else(|| section.get("table_style").cloned());
        let style = match (bare, named) {
            (true, _) => Style::Bare,
            (false, Some(name)) => {
                Style::of(&name).ok_or_else(|| Fault::new(Kind::Data, format!("there is no table style '{name}'")))?
            }
            (false, None) => Style::Modern,
        };
        let settings = settings::settle(options, &section).map_err(|why| Fault::new(Kind::Data, why))?;
        let transport = Transport::new(&settings)?;
        let vhost = settings.vhost.clone().unwrap_or_else(|| "/".to_owned());
        let quiet = matches.get_flag("quiet") || section.get("quiet").is_some_and(|value| value == "true");
        Ok(Self { settings, transport, vhost, style, quiet, given })
    }

    fn carry_out(&self, operation: &Operation) -> Result<Outcome, Fault> {
        let path = self.path(operation)?;
        match operation.does {
            Does::List(columns) => {
                let sent = if operation.method == Method::Get { None } else { Some(self.body(operation)?) };
                let body = self.ask(operation, operation.method, &path, sent.as_ref())?.body;
                let rows = if body.is_array() { body } else { Value::Array(vec![body]) };
                let asked: Option<Vec<&String>> = self.given.get_many::<String>("columns").map(Iterator::collect);
                Ok(Outcome::said(tables::list(&rows, columns, asked.as_deref(), self.style)))
            }
            Does::Pairs(title, fields) => {
                let body = self.ask(operation, Method::Get, &path, None)?.body;
                Ok(Outcome::said(tables::pairs(&body, title, fields, self.style)))
            }
            Does::Changes => {
                let body = self.body(operation)?;
                let body = (operation.method != Method::Delete).then_some(&body);
                self.ask(operation, operation.method, &path, body)?;
                Ok(Outcome::default())
            }
            Does::Checks => self.check(operation, &path),
            Does::Publishes => self.publish(operation, &path),
            Does::Exports => self.export(operation, &path),
            Does::Imports => self.import(operation, &path),
            Does::DeletesMany => self.delete_many(operation, &path),
            Does::ShowsEndpoint => Ok(Outcome::said(format!("Using endpoint: {}/api\n", self.settings.base()))),
            Does::Hashes => {
                let hash =
                    crate::commands::encryption::password_hash(&self.text("hashing-algorithm"), &self.text("password"))
                        .map_err(|why| Fault::new(Kind::Data, why))?;
                let rows = json!([{"key": "password hash", "value": hash}]);
                Ok(Outcome::said(tables::list(&rows, &[("key", "key"), ("value", "value")], None, self.style)))
            }
        }
    }

    fn text(&self, name: &str) -> String {
        self.given.try_get_one::<String>(name).ok().flatten().cloned().unwrap_or_default()
    }

    fn flag(&self, name: &str) -> bool {
        self.given.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false)
    }

    /// What was given for a flag; `None` when it was left out.
    fn value(&self, flag: &Flag) -> Result<Option<Value>, Fault> {
        let text = || self.given.try_get_one::<String>(flag.name).ok().flatten();
        Ok(match flag.takes {
            Type::Switch | Type::Bool => self.given.try_get_one::<bool>(flag.name).ok().flatten().map(|on| json!(on)),
            Type::Number => self.given.try_get_one::<i64>(flag.name).ok().flatten().map(|number| json!(number)),
            Type::Text => text().map(|text| json!(text)),
            Type::List => text().map(|text| {
                let words: Vec<&str> = text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()).collect();
                json!(words)
            }),
            Type::Json => text()
                .map(|text| {
                    serde_json::from_str::<Value>(text)
                        .map_err(|error| Fault::new(Kind::Data, format!("--{} is no JSON: {error}", flag.name)))
                })
                .transpose()?,
        })
    }

    fn path(&self, operation: &Operation) -> Result<String, Fault> {
        let mut path = operation.path.replace("{vhost}", &segment(&self.vhost));
        for flag in operation.flags {
            if let To::Path(name) = flag.to {
                let value = self.value(flag)?.unwrap_or_default();
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                // Of a kind of destination only its first letter is in a path.
                let text = if name == "kind" { text.chars().take(1).collect() } else { text };
                path = path.replace(&format!("{{{name}}}"), &segment(&text));
            }
        }
        Ok(path)
    }

    fn body(&self, operation: &Operation) -> Result<Value, Fault> {
        let mut body = Map::new();
        for (key, value) in operation.fixed {
            body.insert((*key).to_owned(), json!(value));
        }
        for flag in operation.flags {
            let Some(value) = self.value(flag)? else { continue };
            match flag.to {
                To::Body(key) => {
                    body.insert(key.to_owned(), value);
                }
                To::Argument(key) => {
                    if let Some(arguments) = body.entry("arguments").or_insert_with(|| json!({})).as_object_mut() {
                        arguments.insert(key.to_owned(), value);
                    }
                }
                // Arguments given as JSON stand beside those that have a flag.
                To::Arguments => {
                    let given = value.as_object().cloned().unwrap_or_default();
                    if let Some(arguments) = body.entry("arguments").or_insert_with(|| json!({})).as_object_mut() {
                        for (key, value) in given {
                            arguments.entry(key).or_insert(value);
                        }
                    }
                }
                To::Path(_) | To::Nowhere => {}
            }
        }
        Ok(Value::Object(body))
    }

    fn ask(&self, operation: &Operation, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Fault> {
        let reply = self.transport.ask(method, path, body)?;
        if reply.is_ok() {
            return Ok(reply);
        }
        // What is not there need not be deleted, and what is there need not be made, if that was said.
        let idempotent = self.flag("idempotently")
            && (reply.status == 404 || reply.status == 400)
            && operation.is_idempotent(reply.status);
        if idempotent { Ok(reply) } else { Err(refused(&reply)) }
    }

    fn check(&self, operation: &Operation, path: &str) -> Result<Outcome, Fault> {
        let reply = self.transport.ask(operation.method, path, None)?;
        match reply.status {
            200..300 => Ok(Outcome::said(if self.quiet { "" } else { "health check passed\n" })),
            503 => {
                let text = format!("health check failed: {}", reply.reason());
                Err(Fault::new(Kind::Unavailable, text))
            }
            _ => Err(refused(&reply)),
        }
    }

    fn publish(&self, operation: &Operation, path: &str) -> Result<Outcome, Fault> {
        use base64::Engine as _;
        let mut body = self.body(operation)?;
        // The default exchange has a name of its own in paths.
        let path = path.replace("//publish", "/amq.default/publish");
        if let Some(file) = self.given.get_one::<String>("payload-file") {
            let bytes = read(file)?;
            body["payload"] = json!(base64::engine::general_purpose::STANDARD.encode(bytes));
            body["payload_encoding"] = json!("base64");
        }
        let reply = self.ask(operation, Method::Post, &path, Some(&body))?;
        let routed = reply.body["routed"] == true;
        Ok(Outcome::said(match (self.quiet, routed) {
            (true, _) => "",
            (false, true) => "Message published and routed successfully\n",
            (false, false) => "Message published but NOT routed\n",
        }))
    }

    fn export(&self, operation: &Operation, path: &str) -> Result<Outcome, Fault> {
        let definitions = self.ask(operation, Method::Get, path, None)?.body;
        let text = format!("{}\n", serde_json::to_string_pretty(&definitions).unwrap_or_default());
        match self.text("file").as_str() {
            "-" => Ok(Outcome::said(text)),
            _ if self.flag("stdout") => Ok(Outcome::said(text)),
            file => {
                std::fs::write(file, text).map_err(|error| Fault::new(Kind::Data, format!("{file}: {error}")))?;
                Ok(Outcome::default())
            }
        }
    }

    fn import(&self, operation: &Operation, path: &str) -> Result<Outcome, Fault> {
        let file = if self.flag("stdin") { "-".to_owned() } else { self.text("file") };
        let definitions: Value = serde_json::from_slice(&read(&file)?)
            .map_err(|error| Fault::new(Kind::Data, format!("{file}: {error}")))?;
        let _held = crate::interrupt::hold();
        self.ask(operation, Method::Post, path, Some(&definitions))?;
        Ok(Outcome::default())
    }

    /// Deletes what a pattern matches.
    fn delete_many(&self, operation: &Operation, path: &str) -> Result<Outcome, Fault> {
        let pattern = self.text("name-pattern");
        let pattern = fancy_regex::Regex::new(&pattern)
            .map_err(|error| Fault::new(Kind::Data, format!("--name-pattern is no regular expression: {error}")))?;
        let all = self.ask(operation, Method::Get, path, None)?.body;
        let names: Vec<&str> = all
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item["name"].as_str())
            .filter(|name| pattern.is_match(name).unwrap_or(false))
            // The default virtual host is never meant.
            .filter(|name| !(path == "/vhosts" && *name == "/"))
            .collect();
        let listed: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        let shown = |rows: Vec<Value>| tables::list(&Value::Array(rows), &[("name", "name")], None, self.style);
        if self.flag("dry-run") {
            return Ok(Outcome::said(shown(listed)));
        }
        if !self.flag("approve") {
            let how = if std::io::stdin().is_terminal() { "--approve does it" } else { "--approve is needed" };
            let text = format!("{} would be deleted: --dry-run lists them, {how}", names.len());
            return Err(Fault::new(Kind::Usage, text));
        }
        let interrupted = crate::interrupt::hold();
        let progress = crate::progress::Progress::start("deleted", names.len());
        let (mut done, mut refusals) = (0_usize, String::new());
        for name in &names {
            if interrupted.is_set() {
                break;
            }
            let reply = self.transport.ask(Method::Delete, &format!("{path}/{}", segment(name)), None)?;
            if reply.is_ok() || reply.status == 404 {
                done += 1;
            } else {
                refusals.push_str(&format!("{name}: {}\n", reply.reason()));
            }
            progress.advance();
        }
        progress.end();
        let stdout = if self.quiet { String::new() } else { format!("{done} of {} deleted\n", names.len()) };
        let code = if done == names.len() { 0 } else { PARTLY };
        Ok(Outcome { stdout: stdout.into_bytes(), stderr: refusals, code })
    }
}

fn read(file: &str) -> Result<Vec<u8>, Fault> {
    let failed = |error: std::io::Error| Fault::new(Kind::Data, format!("{file}: {error}"));
    let mut bytes = Vec::new();
    if file == "-" {
        std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(INPUT_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(failed)?;
    }
    Ok(bytes)
}

/// A refusal: what is not there is bad data, the rest is told as it came.
fn refused(reply: &Reply) -> Fault {
    let (kind, name) = match reply.status {
        400 => (Kind::Data, "400 Bad Request"),
        401 => (Kind::Data, "401 Unauthorized"),
        403 => (Kind::Data, "403 Forbidden"),
        404 => (Kind::Data, "404 Not Found"),
        405 => (Kind::Data, "405 Method Not Allowed"),
        409 => (Kind::Data, "409 Conflict"),
        500.. => (Kind::Unavailable, "server error"),
        _ => (Kind::Data, "refusal"),
    };
    let reason = reply.reason();
    let why = if reason.is_empty() || reason == "Not Found" { String::new() } else { format!(": {reason}") };
    Fault::new(kind, format!("API responded with a {name}{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        grammar().debug_assert();
    }

    #[test]
    fn every_part_of_a_path_is_filled() {
        for operation in OPERATIONS {
            let mut path = operation.path.replace("{vhost}", "");
            for flag in operation.flags {
                if let To::Path(name) = flag.to {
                    assert!(path.contains(&format!("{{{name}}}")), "{} {name}", operation.path);
                    path = path.replace(&format!("{{{name}}}"), "");
                }
            }
            assert!(!path.contains('{'), "{}", operation.path);
        }
    }
}
