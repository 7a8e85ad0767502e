//! Plugins: which are enabled, enabling and disabling them.

use std::collections::BTreeSet;

use openapi::control::{PLUGINS, Plugin, PluginChange, PluginList, PluginState, PutPlugins};
use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Section, Tool, Words};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format};
use crate::parse::Switch;
use crate::terminal::say;

/// Commands of this file.
pub const ALL: &[&Command] = &[&DIRECTORIES, &DISABLE, &ENABLE, &IS_ENABLED, &LIST, &SET];

/// What a change says of a node that is not there.
const NODE_NEEDED: &str = "this command requires the target node to be running.";

fn plugins(call: &Call) -> Result<Vec<Plugin>, Failure> {
    let reply = call.get(&PLUGINS, &[], "")?;
    let list: Result<PluginList, _> = serde_json::from_value(reply.body);
    list.map(|list| list.plugins)
        .map_err(|_| Failure::refused(Kind::Unavailable, "the node does not say which plugins it has"))
}

/// `list`.
pub const LIST: Command = Command {
    name: "list",
    tools: &[Tool::Plugins],
    section: Section::Plugins,
    summary: "Lists plugins and their state",
    usage: "list [pattern] [--verbose] [--minimal] [--enabled] [--implicitly-enabled]",
    explains: &[
        ("<pattern>", "regular expression that names must match"),
        ("--verbose", "version, dependencies and description too"),
        ("--minimal", "only names"),
        ("--enabled", "only plugins enabled by name"),
        ("--implicitly-enabled", "only enabled plugins, also those that others need"),
    ],
    guides: &["plugins"],
    switches: &[
        Switch::flag("verbose").short('v'),
        Switch::flag("minimal").short('m'),
        Switch::flag("enabled").short('E'),
        Switch::flag("implicitly-enabled").short('e'),
    ],
    words: Words::between(0, 1),
    endpoints: &[&PLUGINS],
    banner: |call| Some(format!("Listing plugins with pattern \"{}\" ...", pattern(call))),
    run: list,
    ..Command::BLANK
};

fn pattern(call: &Call) -> &str {
    call.words.first().map_or(".*", String::as_str)
}

fn list(call: &Call) -> Result<Answer, Failure> {
    if let Some((what, at)) = crate::pattern::trouble(pattern(call)) {
        return Err(Failure::refused(Kind::Software, format!("{{:badmatch, {{:error, {{~c\"{what}\", {at}}}}}}}\n")));
    }
    let wanted = |plugin: &Plugin| {
        let state = match (call.switches.flag("enabled"), call.switches.flag("implicitly-enabled")) {
            (_, true) => plugin.enabled != PluginState::NotEnabled,
            (true, false) => plugin.enabled == PluginState::Enabled,
            (false, false) => true,
        };
        state && crate::pattern::matches(pattern(call), &plugin.name)
    };
    // A node that is not there has nothing enabled.
    let (all, running) = match plugins(call) {
        Ok(all) => (all, true),
        Err(failure) if failure.is_unreachable() => (Vec::new(), false),
        Err(failure) => return Err(failure),
    };
    let shown: Vec<&Plugin> = all.iter().filter(|plugin| wanted(plugin)).collect();
    let (minimal, verbose) = (call.switches.flag("minimal"), call.switches.flag("verbose"));
    if minimal {
        let names: Vec<String> = shown.iter().map(|plugin| plugin.name.clone()).collect();
        let named: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        let json = json!({"status": status(running), "format": "minimal", "plugins": named});
        return Ok(lines(&names, json));
    }
    let mut text = Vec::new();
    if !call.is_quiet() {
        text.push(" Configured: E = explicitly enabled; e = implicitly enabled".to_owned());
        text.push(if running {
            format!(" | Status: * = running on {}", call.node())
        } else {
            format!(" | Status: [failed to contact {} - status not shown]", call.node())
        });
        text.push(" |/".to_owned());
    }
    let width = shown.iter().map(|plugin| plugin.name.len()).max().unwrap_or(0);
    for plugin in &shown {
        let mark = match plugin.enabled {
            PluginState::Enabled => 'E',
            PluginState::Implicit => 'e',
            PluginState::NotEnabled => ' ',
        };
        let runs = if plugin.running { '*' } else { ' ' };
        if verbose {
            text.push(format!("[{mark}{runs}] {}", plugin.name));
            text.push(format!("     Version:     \t{}", plugin.version));
            text.push(format!("     Dependencies:\t{}", atoms(&plugin.dependencies)));
            text.push(format!("     Description: \t{}", plugin.description));
        } else {
            text.push(format!("[{mark}{runs}] {:width$} {}", plugin.name, plugin.version));
        }
    }
    let documents: Vec<Value> = shown.iter().map(|plugin| document(plugin, verbose)).collect();
    let format = if verbose { "verbose" } else { "normal" };
    Ok(lines(&text, json!({"status": status(running), "format": format, "plugins": documents})))
}

/// A list of words as a term, broken where the reference's printer breaks it.
fn atoms(names: &[String]) -> String {
    let mut lines: Vec<String> = vec!["[".to_owned()];
    for (at, name) in names.iter().enumerate() {
        let last = at + 1 == names.len();
        let word = format!("{name}{}", if last { "]" } else { "," });
        let current = lines.last().map_or(0, String::len);
        if at > 0 && current + word.len() + usize::from(!last) > TERM_LINE_CHARS_MAX {
            lines.push(format!(" {word}"));
        } else if let Some(line) = lines.last_mut() {
            line.push_str(&word);
        }
    }
    if names.is_empty() { "[]".to_owned() } else { lines.join("\n") }
}

const TERM_LINE_CHARS_MAX: usize = 80;

fn status(running: bool) -> &'static str {
    if running { "running" } else { "node_down" }
}

fn document(plugin: &Plugin, verbose: bool) -> Value {
    let enabled = match plugin.enabled {
        PluginState::Enabled => "enabled",
        PluginState::Implicit => "implicit",
        PluginState::NotEnabled => "not_enabled",
    };
    let running_version = if plugin.running { plugin.version.as_str() } else { "" };
    let mut document = json!({
        "enabled": enabled,
        "name": plugin.name,
        "running": plugin.running,
        "version": plugin.version,
        "running_version": running_version,
    });
    if verbose && let Some(entries) = document.as_object_mut() {
        entries.insert("description".to_owned(), json!(plugin.description));
        entries.insert("dependencies".to_owned(), json!(plugin.dependencies));
    }
    document
}

fn lines(lines: &[String], json: Value) -> Answer {
    Answer::Report {
        text: lines.join(
            "
",
        ),
        json,
    }
}

/// `is_enabled`.
pub const IS_ENABLED: Command = Command {
    name: "is_enabled",
    tools: &[Tool::Plugins],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if provided plugins are not enabled on target node",
    usage: "is_enabled <plugin1> [ <plugin2>] [--offline] [--online]",
    explains: &[
        ("<plugin1> [ <plugin2>]", "names of plugins, separated by blanks"),
        ("--online", "contact the node"),
        ("--offline", "do not contact the node"),
    ],
    guides: &["plugins"],
    switches: &[Switch::flag("online"), Switch::flag("offline")],
    words: Words::at_least(1),
    endpoints: &[&PLUGINS],
    check: check_online,
    banner: banner_of_is_enabled,
    run: is_enabled,
    ..Command::BLANK
};

fn check_online(call: &Call) -> Result<(), Failure> {
    if call.switches.flag("online") && call.switches.flag("offline") {
        return Err(Failure::bad_argument("Cannot set both online and offline"));
    }
    Ok(())
}

fn banner_of_is_enabled(call: &Call) -> Option<String> {
    let (noun, verb) = if call.words.len() == 1 { ("plugin", "is") } else { ("plugins", "are") };
    let names = call.words.join(", ");
    Some(if call.switches.flag("offline") {
        format!("Inferring if {noun} {names} {verb} from local environment...")
    } else {
        format!("Asking node {} if {noun} {names} {verb} enabled...", call.node())
    })
}

fn is_enabled(call: &Call) -> Result<Answer, Failure> {
    let offline = call.switches.flag("offline");
    let all = plugins(call).map_err(|failure| failure.unreachable_as(NODE_NEEDED))?;
    let enabled = enabled_with_libraries(&all);
    let missing: Vec<&str> = call.words.iter().map(String::as_str).filter(|name| !enabled.contains(*name)).collect();
    let whereabouts = if offline { String::new() } else { format!(" on node {}", call.node()) };
    if missing.is_empty() {
        let (noun, verb) = if call.words.len() == 1 { ("Plugin", "is") } else { ("Plugins", "are") };
        let text = format!("{noun} {} {verb} enabled{whereabouts}", call.words.join(", "));
        return Ok(Answer::Report { json: json!({"message": text, "result": "ok"}), text });
    }
    let listed: Vec<&str> = enabled.iter().map(String::as_str).collect();
    let (noun, verb) = if missing.len() == 1 { ("Plugin", "is") } else { ("Plugins", "are") };
    let text = format!(
        "{noun} {} {verb} not enabled{whereabouts}. Enabled plugins and dependencies: {}",
        missing.join(", "),
        listed.join(", ")
    );
    let json = json!({"message": text, "result": "error"});
    Err(Failure::refused(Kind::Unavailable, text).with_json(json))
}

/// The enabled plugins and what they need, in name order.
fn enabled_with_libraries(all: &[Plugin]) -> BTreeSet<String> {
    let enabled = all.iter().filter(|plugin| plugin.enabled != PluginState::NotEnabled);
    enabled.flat_map(|plugin| plugin.dependencies.iter().chain([&plugin.name])).cloned().collect()
}

/// `enable`.
pub const ENABLE: Command = Command {
    name: "enable",
    tools: &[Tool::Plugins],
    section: Section::Plugins,
    summary: "Enables one or more plugins",
    usage: "enable <plugin1> [ <plugin2>] | --all [--offline] [--online]",
    explains: &[
        ("<plugin1> [ <plugin2>]", "names of plugins to enable separated by a space"),
        ("--online", "contact target node to enable the plugins. Changes are applied immediately."),
        (
            "--offline",
            "update enabled plugins file directly without contacting target node. Changes will be delayed until the node is restarted.",
        ),
        (
            "--all",
            "enable all available plugins. Not recommended as some plugins may conflict or otherwise be incompatible!",
        ),
    ],
    guides: &["plugins"],
    switches: &[Switch::flag("online"), Switch::flag("offline"), Switch::flag("all")],
    words: Words::ANY,
    endpoints: &[&PLUGINS],
    check: check_change,
    banner: |call| banner_of_change(call, "Enabling"),
    run: |call| change(call, Change::Enable),
    ..Command::BLANK
};

/// `disable`.
pub const DISABLE: Command = Command {
    name: "disable",
    tools: &[Tool::Plugins],
    section: Section::Plugins,
    summary: "Disables one or more plugins",
    usage: "disable <plugin1> [ <plugin2>] | --all [--offline] [--online]",
    explains: &[
        ("<plugin1> [ <plugin2>]", "names of plugins, separated by blanks"),
        ("--online", "contact the node"),
        ("--offline", "do not contact the node"),
        ("--all", "all of them"),
    ],
    guides: &["plugins"],
    switches: &[Switch::flag("online"), Switch::flag("offline"), Switch::flag("all")],
    words: Words::ANY,
    endpoints: &[&PLUGINS],
    check: check_change,
    banner: |call| banner_of_change(call, "Disabling"),
    run: |call| change(call, Change::Disable),
    ..Command::BLANK
};

/// `set`.
pub const SET: Command = Command {
    name: "set",
    tools: &[Tool::Plugins],
    section: Section::Plugins,
    summary: "Enables one or more plugins, disables the rest",
    usage: "set <plugin1> [ <plugin2>] [--offline] [--online]",
    explains: &[
        ("<plugin1> [ <plugin2>]", "names of plugins, separated by blanks"),
        ("--online", "contact the node"),
        ("--offline", "do not contact the node"),
    ],
    guides: &["plugins"],
    switches: &[Switch::flag("online"), Switch::flag("offline")],
    words: Words::ANY,
    endpoints: &[&PLUGINS],
    check: check_online,
    banner: |call| banner_of_change(call, "Enabling"),
    run: |call| change(call, Change::Set),
    ..Command::BLANK
};

/// How the words change what is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Enable,
    Disable,
    Set,
}

fn check_change(call: &Call) -> Result<(), Failure> {
    check_online(call)?;
    match (call.words.is_empty(), call.switches.flag("all")) {
        (true, false) => Err(Failure::usage("not enough arguments.")),
        (false, true) => Err(Failure::bad_argument("Cannot set both --all and a list of plugins")),
        _ => Ok(()),
    }
}

fn banner_of_change(call: &Call, what: &str) -> Option<String> {
    let all = call.switches.flag("all");
    Some(if all {
        format!("{what} ALL plugins on node {}", call.node())
    } else {
        let names: String = call.words.iter().map(|name| format!("\n{name}")).collect();
        format!("{what} plugins on node {}:{names}", call.node())
    })
}

fn change(call: &Call, change: Change) -> Result<Answer, Failure> {
    let before = plugins(call).map_err(|failure| failure.unreachable_as(NODE_NEEDED))?;
    let known: BTreeSet<&str> = before.iter().map(|plugin| plugin.name.as_str()).collect();
    let named: BTreeSet<String> = if call.switches.flag("all") {
        known.iter().map(|name| (*name).to_owned()).collect()
    } else {
        call.words.iter().cloned().collect()
    };
    let unknown: Vec<&str> = named.iter().map(String::as_str).filter(|name| !known.contains(name)).collect();
    if change == Change::Set && !unknown.is_empty() {
        let text = format!("The following plugins were not found: {}", unknown.join(", "));
        return Err(Failure::refused(Kind::Data, text));
    }
    let explicit = before.iter().filter(|plugin| plugin.enabled == PluginState::Enabled);
    let mut enabled: BTreeSet<String> = explicit.map(|plugin| plugin.name.clone()).collect();
    match change {
        Change::Enable => enabled.extend(named.iter().filter(|name| known.contains(name.as_str())).cloned()),
        Change::Disable => enabled.retain(|name| !needs_any(&before, name, &named)),
        Change::Set => enabled = named.clone(),
    }
    let body = json!(PutPlugins { enabled: enabled.into_iter().collect() });
    let reply = call.put(&PLUGINS, &[], &body)?;
    if !reply.is_ok() {
        return Err(Failure::refused(Kind::Unavailable, reply.reason()));
    }
    let done: PluginChange = serde_json::from_value(reply.body)
        .map_err(|error| Failure::refused(Kind::Software, format!("the node's answer is not understood: {error}")))?;
    let mode = if call.switches.flag("offline") { "offline" } else { "online" };
    let mut told = Told { text: Vec::new(), node: call.node(), offline: mode == "offline", change };
    if !unknown.is_empty() && change == Change::Enable {
        told.text.push(format!("WARNING - plugins currently enabled but missing: {}\n", unknown.join(", ")));
    }
    told.about(&done);
    let (key, names) = if done.stopped.is_empty() { ("enabled", &done.started) } else { ("disabled", &done.stopped) };
    let json = json!({key: names, "set": done.set, "started": done.started, "stopped": done.stopped, "mode": mode});
    if call.format == Format::Json {
        let text = format!("[\n{}\n,{json}\n]", json!(done.set));
        let warning = told.text.first().filter(|line| line.starts_with("WARNING")).map(|line| format!("{line}\n"));
        say(&format!("{}{text}\n", warning.unwrap_or_default()));
        return Ok(Answer::Silent);
    }
    Ok(Answer::Message(told.text.join("\n")))
}

/// Whether a plugin is one of those named, or needs one of them.
fn needs_any(all: &[Plugin], name: &str, named: &BTreeSet<String>) -> bool {
    let mut open = vec![name];
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        if named.contains(next) {
            return true;
        }
        if seen.insert(next) {
            let plugin = all.iter().find(|plugin| plugin.name == next);
            open.extend(plugin.into_iter().flat_map(|plugin| plugin.dependencies.iter().map(String::as_str)));
        }
    }
    false
}

/// The report of a change.
struct Told {
    text: Vec<String>,
    node: String,
    offline: bool,
    change: Change,
}

impl Told {
    fn about(&mut self, done: &PluginChange) {
        let Self { text, node, offline, change } = self;
        let none = done.set.is_empty();
        let head = if none { "All plugins have been disabled." } else { "The following plugins have been configured:" };
        text.push(head.to_owned());
        text.extend(done.set.iter().map(|name| format!("  {name}")));
        text.push(format!("Applying plugin configuration to {node}..."));
        let (started, stopped) = (done.started.len(), done.stopped.len());
        if started + stopped == 0 && !*offline {
            text.push(
                if *change == Change::Set { "nothing to do." } else { "Plugin configuration unchanged." }.to_owned(),
            );
            return;
        }
        if *change != Change::Set {
            for (what, names) in [("enabled", &done.started), ("disabled", &done.stopped)] {
                if !names.is_empty() {
                    text.push(format!("The following plugins have been {what}:"));
                    text.extend(names.iter().map(|name| format!("  {name}")));
                    text.push(String::new());
                }
            }
        }
        if *offline {
            text.push(format!("set {} plugins.", done.set.len()));
            if *change != Change::Set {
                text.push("Offline change; changes will take effect at broker restart.".to_owned());
            }
            return;
        }
        let counts = [("started", started), ("stopped", stopped)];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{what} {count} plugins"))
            .collect();
        text.push(format!("{}.", counts.join(" and ")));
    }
}

/// `directories`.
pub const DIRECTORIES: Command = Command {
    name: "directories",
    tools: &[Tool::Plugins],
    section: Section::Monitoring,
    summary: "Displays plugin directory and enabled plugin file paths",
    usage: "directories [--offline] [--online]",
    explains: &[("--offline", "do not contact the node"), ("--online", "contact the node")],
    guides: &["plugins"],
    switches: &[Switch::flag("online"), Switch::flag("offline")],
    endpoints: &[&openapi::control::NODE],
    check: check_online,
    banner: banner_of_directories,
    run: directories,
    ..Command::BLANK
};

fn banner_of_directories(call: &Call) -> Option<String> {
    Some(if call.switches.flag("offline") {
        "Listing plugin directories inferred from local environment...".to_owned()
    } else {
        format!("Listing plugin directories used by node {}", call.node())
    })
}

fn directories(call: &Call) -> Result<Answer, Failure> {
    let other = call.other_broker().map_err(|failure| failure.unreachable_as(NODE_NEEDED))?;
    if let Some(broker) = other {
        let text = format!(
            "the HTTP API of {} does not tell where plugins lie; run rabbitmq-plugins on its host",
            broker.product
        );
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    let summary = call.summary().map_err(|failure| failure.unreachable_as(NODE_NEEDED))?;
    let data = summary.map_or_else(String::new, |summary| summary.data_dir);
    // The plugins are part of the program; only the list of enabled ones is a file.
    Ok(Answer::Message(format!(
        "Plugin archives directory: (built in)\nPlugin expansion directory: (none)\nEnabled plugins file: {data}/enabled_plugins"
    )))
}
