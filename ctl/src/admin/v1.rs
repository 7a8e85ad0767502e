//! The first syntax: `rabbitmqadmin declare queue name=q durable=true`.
//!
//! Owns its options, its verbs and its words for what went wrong. What may be declared, deleted and listed is a table in
//! `objects`, the forms of a list are in `formats`.

mod formats;
mod objects;

use std::io::Read as _;

use clap::{Arg, ArgAction, Command, value_parser};
use openapi::Method;
use serde_json::{Map, Value, json};

use crate::admin::Outcome;
use crate::admin::settings::{self, Given, Settings};
use crate::admin::transport::{Transport, segment};
use crate::client::{Reply, Trouble};
use crate::tls::TlsOptions;

pub use formats::Layout;
use objects::{CLOSABLE, DECLARABLE, DELETABLE, GET, LISTABLE, Object, PUBLISH, PURGABLE, SHOWABLE};

/// Everything goes wrong with this code.
const FAILED: u8 = 1;

/// Largest payload read from the standard input, in bytes.
const PAYLOAD_BYTES_MAX: u64 = 1 << 30;

const VERBS: [&str; 11] =
    ["list", "show", "declare", "delete", "close", "purge", "export", "import", "publish", "get", "help"];

/// Whether a line with this first word is in this syntax.
pub fn has_verb(word: &str) -> bool {
    VERBS.contains(&word)
}

/// Whether it lists or shows that.
pub fn can_list(kind: &str) -> bool {
    LISTABLE.iter().chain(SHOWABLE).any(|listed| listed.kind == kind)
}

/// Whether a word is one of its options.
pub fn is_its_option(word: &str) -> bool {
    let grammar = grammar();
    match word.strip_prefix("--").and_then(|long| long.split('=').next()) {
        Some(long) => long_option(&grammar, long).is_some(),
        None => is_option_of(&grammar, word),
    }
}

/// The option of that long name, or the only one whose name begins so: `--user` is `--username`.
fn long_option<'g>(grammar: &'g Command, long: &str) -> Option<&'g Arg> {
    let named = |wanted: fn(&str, &str) -> bool| {
        grammar.get_arguments().filter(move |arg| arg.get_long().is_some_and(|name| wanted(name, long)))
    };
    let exact = named(|name, long| name == long).next();
    let mut begun = named(|name, long| !long.is_empty() && name.starts_with(long));
    exact.or_else(|| begun.next().filter(|_| begun.next().is_none()))
}

/// Whether a word is an option of a grammar.
pub fn is_option_of(grammar: &Command, word: &str) -> bool {
    if let Some(long) = word.strip_prefix("--") {
        let long = long.split('=').next().unwrap_or_default();
        return grammar.get_arguments().any(|arg| {
            arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|names| names.contains(&long))
        });
    }
    let letter = word.strip_prefix('-').and_then(|rest| rest.chars().next());
    letter.is_some() && grammar.get_arguments().any(|arg| arg.get_short() == letter)
}

/// The words of a line that are neither options nor their values.
pub fn without_options(words: &[String]) -> Vec<&str> {
    let grammar = grammar();
    let takes_value = |word: &str| {
        let found = match word.strip_prefix("--") {
            Some(long) => long_option(&grammar, long),
            None => grammar.get_arguments().find(|arg| word.len() == 2 && arg.get_short() == word.chars().nth(1)),
        };
        found.is_some_and(|arg| matches!(arg.get_action(), ArgAction::Set))
    };
    let mut plain = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if !word.starts_with('-') {
            plain.push(word.as_str());
        } else if takes_value(word) {
            rest.next();
        }
    }
    plain
}

fn grammar() -> Command {
    let text = |name: &'static str, long: &'static str, about: &'static str| {
        Arg::new(name).long(long).value_name("VALUE").help(about)
    };
    let flag = |name: &'static str, long: &'static str, about: &'static str| {
        Arg::new(name).long(long).action(ArgAction::SetTrue).help(about)
    };
    Command::new("rabbitmqadmin")
        .about("Asks the HTTP API of a broker")
        .override_usage("rabbitmqadmin [options] subcommand")
        .disable_version_flag(true)
        .infer_long_args(true)
        .arg(text("config", "config", "configuration file; ~/.rabbitmqadmin.conf when it is there").short('c'))
        .arg(text("node", "node", "section of the configuration file").short('N'))
        .arg(text("hostname", "host", "host of the API").short('H'))
        .arg(text("port", "port", "port of the API").short('P').value_parser(value_parser!(u16)))
        .arg(text("prefix", "path-prefix", "what stands before /api"))
        .arg(text("vhost", "vhost", "virtual host; all of them for lists, / for the rest").short('V'))
        .arg(text("username", "username", "user name").short('u'))
        .arg(text("password", "password", "password").short('p'))
        .arg(text("base-uri", "base-uri", "address of the API, user and password included").short('U'))
        .arg(flag("quiet", "quiet", "only data").short('q'))
        .arg(flag("ssl", "ssl", "ask over TLS").short('s'))
        .arg(text("key-file", "ssl-key-file", "own private key, PEM"))
        .arg(text("cert-file", "ssl-cert-file", "own certificate, PEM"))
        .arg(text("ca-file", "ssl-ca-cert-file", "certificates of authorities to trust, PEM"))
        .arg(flag("any-name", "ssl-disable-hostname-verification", "accept a certificate of another host"))
        .arg(flag("insecure", "ssl-insecure", "accept any certificate").short('k'))
        .arg(
            text("timeout", "request-timeout", "how long an answer may take, in seconds")
                .short('t')
                .value_parser(value_parser!(u64)),
        )
        .arg(text("format", "format", "table, tsv, long, kvp, bash, raw_json or pretty_json").short('f'))
        .arg(text("sort", "sort", "column a list is sorted by").short('S'))
        .arg(flag("reverse", "sort-reverse", "the other way round").short('R'))
        .arg(text("depth", "depth", "how deep a list goes into objects").short('d').value_parser(value_parser!(usize)))
        .arg(flag("bash-completion", "bash-completion", "print a script for bash"))
        .arg(flag("version", "version", "print the version"))
        .arg(Arg::new("words").num_args(0..).value_name("subcommand"))
}

/// A line that failed, in the words of this tool.
enum Fault {
    /// The line is wrong.
    Usage(String),
    /// The node refused, or there is none.
    Died(String),
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable(why) | Trouble::Setup(why) => Self::Died(format!("Could not connect: {why}")),
            Trouble::TimedOut => Self::Died("Timed out getting HTTP response".to_owned()),
        }
    }
}

/// Runs a line.
pub fn run(words: &[String]) -> Outcome {
    let line = std::iter::once("rabbitmqadmin".to_owned()).chain(words.iter().cloned());
    let matches = match grammar().try_get_matches_from(line) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => return Outcome::failed(2, error.to_string()),
        Err(_) => return Outcome::said(format!("{}\n{}", grammar().render_help(), objects::MORE_HELP)),
    };
    if matches.get_flag("version") {
        return Outcome::said(format!("rabbitmqadmin {}\n", crate::commands::help::COMPATIBLE_VERSION));
    }
    if matches.get_flag("bash-completion") {
        return Outcome::said(crate::shells::script(crate::shells::Shell::Bash));
    }
    match Session::new(&matches).and_then(|session| session.act()) {
        Ok(outcome) => outcome,
        Err(Fault::Usage(why)) => {
            Outcome::failed(FAILED, format!("\nERROR: {why}\n\nrabbitmqadmin --help for help\n\n"))
        }
        Err(Fault::Died(why)) => Outcome::failed(FAILED, format!("*** {why}\n\n")),
    }
}

struct Session {
    settings: Settings,
    declare_vhost: String,
    verbose: bool,
    layout: Layout,
    query: Vec<String>,
    words: Vec<String>,
}

impl Session {
    fn new(matches: &clap::ArgMatches) -> Result<Self, Fault> {
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        let path = |name: &str| text(name).map(|path| settings::expanded(&path));
        let named = path("config");
        let file = named.or_else(settings::default_file);
        let node = text("node");
        let section = match file {
            Some(file) => settings::section(&file, node.as_deref()).map_err(Fault::Usage)?,
            None => settings::Section::new(),
        };
        let given = Given {
            host: text("hostname"),
            port: matches.get_one::<u16>("port").copied(),
            base_uri: text("base-uri"),
            prefix: text("prefix"),
            user: text("username"),
            password: text("password"),
            vhost: text("vhost"),
            tls: matches.get_flag("ssl"),
            tls_options: TlsOptions {
                ca_cert: path("ca-file"),
                client_cert: path("cert-file"),
                client_key: path("key-file"),
                // The library cannot accept a trusted certificate of another host; accepting any is what is left.
                insecure: matches.get_flag("insecure") || matches.get_flag("any-name"),
            },
            timeout_seconds: matches.get_one::<u64>("timeout").copied(),
        };
        let declare_vhost = section.get("declare_vhost").cloned().unwrap_or_else(|| "/".to_owned());
        let settings = settings::settle(given, &section).map_err(Fault::Usage)?;
        let format = text("format").or_else(|| section.get("format").cloned()).unwrap_or_else(|| "table".to_owned());
        let depth = matches.get_one::<usize>("depth").copied();
        let verbose = !matches.get_flag("quiet");
        let layout = Layout::new(&format, depth, verbose)
            .ok_or_else(|| Fault::Usage(format!("Format {format} not recognised")))?;
        let mut query = Vec::new();
        if let Some(column) = text("sort") {
            query.push(format!("sort={}", segment(&column)));
        }
        if matches.get_flag("reverse") {
            query.push("sort_reverse=true".to_owned());
        }
        let words = matches.get_many::<String>("words").into_iter().flatten().cloned().collect();
        Ok(Self { settings, declare_vhost, verbose, layout, query, words })
    }

    fn act(&self) -> Result<Outcome, Fault> {
        let rest = self.words.get(1..).unwrap_or_default();
        match self.words.first().map(String::as_str) {
            None => Err(Fault::Usage("Action not specified".to_owned())),
            Some("help") => help(rest),
            Some("list") => self.list(LISTABLE, "list", rest),
            Some("show") => self.list(SHOWABLE, "show", rest),
            Some("declare") => self.change(DECLARABLE, rest, "declared"),
            Some("delete") => self.change(DELETABLE, rest, "deleted"),
            Some("close") => self.change(CLOSABLE, rest, "closed"),
            Some("purge") => self.change(PURGABLE, rest, "purged"),
            Some("export") => self.export(rest),
            Some("import") => self.import(rest),
            Some("publish") => self.publish(rest),
            Some("get") => self.get(rest),
            Some(other) => Err(Fault::Usage(format!("Action {other} not understood"))),
        }
    }

    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Fault> {
        let reply = Transport::new(&self.settings)?.ask(method, path, body)?;
        let shown = format!("{}/api{path}", self.settings.prefix);
        match reply.status {
            400 => Err(Fault::Died(reply.reason())),
            401 => Err(Fault::Died(format!("Access refused: {shown}"))),
            404 => Err(Fault::Died(format!("Not found: {shown}"))),
            402.. => {
                let text = format!("Received response {} for path {shown}\n{}", reply.status, reply.reason());
                Err(Fault::Died(text))
            }
            _ => Ok(reply),
        }
    }

    fn told(&self, text: &str) -> Outcome {
        Outcome::said(if self.verbose { format!("{text}\n") } else { String::new() })
    }

    fn list(&self, objects: &[objects::Listed], verb: &str, words: &[String]) -> Result<Outcome, Fault> {
        let kind = words.first().map_or("", String::as_str);
        let listed = objects
            .iter()
            .find(|listed| listed.kind == kind)
            .ok_or_else(|| Fault::Usage(format!("Don't know how to {verb} {kind}")))?;
        let mut path = format!("/{}", kind.replace('_', "-"));
        if let Some(vhost) = self.settings.vhost.as_ref().filter(|_| listed.of_vhost) {
            path.push_str(&format!("/{}", segment(vhost)));
        }
        let asked: Vec<String> = words[1..].to_vec();
        let columns = if asked.is_empty() && self.layout.takes_usual_columns() {
            listed.columns.iter().map(|name| (*name).to_owned()).collect()
        } else {
            asked
        };
        let mut query = Vec::new();
        if !columns.is_empty() {
            query.push(format!("columns={}", columns.join(",")));
        }
        query.extend(self.query.iter().cloned());
        if !query.is_empty() {
            path.push_str(&format!("?{}", query.join("&")));
        }
        let body = self.ask(Method::Get, &path, None)?.body;
        let items = if verb == "show" { Value::Array(vec![body]) } else { body };
        Ok(Outcome::said(self.layout.show(&items, &columns, listed.json)))
    }

    fn change(&self, objects: &[Object], words: &[String], done: &str) -> Result<Outcome, Fault> {
        let kind = words.first().ok_or_else(|| Fault::Usage("Type not specified".to_owned()))?;
        let object = objects
            .iter()
            .find(|object| object.kind == kind)
            .ok_or_else(|| Fault::Usage(format!("Type {kind} not recognised")))?;
        let (path, mut upload) = self.upload(object, &words[1..])?;
        if let Some(queue_type) = upload.get("queue_type").cloned()
            && let Some(arguments) = upload.entry("arguments").or_insert_with(|| json!({})).as_object_mut()
        {
            arguments.insert("x-queue-type".to_owned(), queue_type);
        }
        let method = match (done, kind.as_str()) {
            ("declared", "binding") => Method::Post,
            ("declared", _) => Method::Put,
            _ => Method::Delete,
        };
        let body = Value::Object(upload);
        self.ask(method, &path, (method != Method::Delete).then_some(&body))?;
        Ok(self.told(&format!("{kind} {done}")))
    }

    /// The path and the body that `name=value` words make.
    fn upload(&self, object: &Object, words: &[String]) -> Result<(String, Map<String, Value>), Fault> {
        let mut upload = Map::new();
        for (name, value) in object.optional {
            if let Some(value) = value {
                upload.insert((*name).to_owned(), serde_json::from_str(value).unwrap_or_else(|_| json!(value)));
            }
        }
        for word in words {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| Fault::Usage(format!("Argument \"{word}\" not in the name=value format")))?;
            if !object.knows(name) {
                return Err(Fault::Usage(format!("Argument \"{name}\" is not recognised")));
            }
            let value = if object.json.contains(&name) {
                serde_json::from_str(value).map_err(|_| Fault::Usage(format!("Could not parse JSON:\n  {value}")))?
            } else {
                json!(value)
            };
            upload.insert(name.to_owned(), value);
        }
        for names in object.mandatory {
            if !names.iter().any(|name| upload.contains_key(*name)) {
                let shown: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
                return Err(Fault::Usage(match names {
                    [one] => format!("mandatory argument \"{one}\" is required"),
                    _ => format!("one of mandatory arguments \"[{}]\" is required", shown.join(", ")),
                }));
            }
        }
        if !object.mandatory.contains(&&["vhost"][..]) {
            let vhost = self.settings.vhost.clone().unwrap_or_else(|| self.declare_vhost.clone());
            upload.insert("vhost".to_owned(), json!(vhost));
        }
        Ok((object.path(&upload), upload))
    }

    fn publish(&self, words: &[String]) -> Result<Outcome, Fault> {
        let (path, mut upload) = self.upload(&PUBLISH, words)?;
        if !upload.contains_key("payload") {
            use base64::Engine as _;
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .take(PAYLOAD_BYTES_MAX)
                .read_to_end(&mut bytes)
                .map_err(|error| Fault::Died(error.to_string()))?;
            let payload = base64::engine::general_purpose::STANDARD.encode(bytes);
            upload.insert("payload".to_owned(), json!(payload));
            upload.insert("payload_encoding".to_owned(), json!("base64"));
        }
        let reply = self.ask(Method::Post, &path, Some(&Value::Object(upload)))?;
        let routed = reply.body["routed"] == true;
        Ok(self.told(if routed { "Message published" } else { "Message published but NOT routed" }))
    }

    fn get(&self, words: &[String]) -> Result<Outcome, Fault> {
        let (path, upload) = self.upload(&GET, words)?;
        let file = upload.get("payload_file").and_then(Value::as_str).map(str::to_owned);
        if file.is_some() && upload.get("count").is_some_and(|count| count != "1" && count != 1) {
            return Err(Fault::Usage("Cannot get multiple messages using payload_file".to_owned()));
        }
        let messages = self.ask(Method::Post, &path, Some(&Value::Object(upload)))?.body;
        let Some(file) = file else { return Ok(Outcome::said(self.layout.show(&messages, &[], &[]))) };
        let message = &messages[0];
        let payload = message["payload"].as_str().unwrap_or_default();
        let bytes = match message["payload_encoding"].as_str() {
            Some("base64") => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD
                    .decode(payload)
                    .map_err(|error| Fault::Died(format!("the payload is no base64: {error}")))?
            }
            _ => payload.as_bytes().to_vec(),
        };
        std::fs::write(&file, bytes).map_err(|error| Fault::Died(format!("{file}: {error}")))?;
        let columns = ["routing_key", "exchange", "message_count", "payload_bytes", "redelivered"].map(str::to_owned);
        Ok(Outcome::said(self.layout.show(&messages, &columns, &[])))
    }

    fn definitions(&self) -> String {
        match &self.settings.vhost {
            Some(vhost) => format!("/definitions/{}", segment(vhost)),
            None => "/definitions".to_owned(),
        }
    }

    fn export(&self, words: &[String]) -> Result<Outcome, Fault> {
        let file = one(words)?;
        let definitions = self.ask(Method::Get, &self.definitions(), None)?.body;
        std::fs::write(file, definitions.to_string()).map_err(|error| Fault::Died(format!("{file}: {error}")))?;
        Ok(self.told(&format!("Exported definitions for {} to \"{file}\"", self.settings.host)))
    }

    fn import(&self, words: &[String]) -> Result<Outcome, Fault> {
        let file = one(words)?;
        let text = std::fs::read(file).map_err(|error| Fault::Died(format!("{file}: {error}")))?;
        let definitions: Value =
            serde_json::from_slice(&text).map_err(|error| Fault::Died(format!("{file}: {error}")))?;
        self.ask(Method::Post, &self.definitions(), Some(&definitions))?;
        // The reference puts the host where the file belongs, and the file where the host does; scripts may look for it.
        let host = &self.settings.host;
        Ok(self.told(&format!(
            "Uploaded definitions from \"{host}\" to {file}. The import process may take some time. Consult server logs to track progress."
        )))
    }
}

fn one(words: &[String]) -> Result<&String, Fault> {
    match words {
        [one] => Ok(one),
        _ => Err(Fault::Usage("Exactly one argument required".to_owned())),
    }
}

fn help(words: &[String]) -> Result<Outcome, Fault> {
    match words {
        [] => Ok(Outcome::said(format!("{}\n{}", grammar().render_help(), objects::MORE_HELP))),
        [topic] if topic == "subcommands" => Ok(Outcome::said(objects::usage())),
        [topic] if topic == "config" => Ok(Outcome::said(objects::CONFIG_HELP)),
        [_] => Err(Fault::Usage("help topic must be one of:\n  subcommands\n  config".to_owned())),
        _ => Err(Fault::Usage("Exactly one argument required".to_owned())),
    }
}
