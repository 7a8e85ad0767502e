//! Settings of what a node imports when it starts.

use std::path::PathBuf;

use super::Config;
use super::table::{Initial, Setting};
use super::value::Set;

/// Users and vhosts come from the definitions, so there are no default ones.
fn import(config: &mut Config, path: PathBuf) {
    config.load_definitions = Some(path);
    config.node.is_provisioned = true;
}

/// All of them, in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "management.load_definitions",
        alias: None,
        environment: None,
        initial: Initial::Unset("nothing is imported"),
        doc: "An older name of `load_definitions`.",
        set: Set::Path(import),
    },
    Setting {
        key: "load_definitions",
        alias: Some("definitions.local.path"),
        environment: None,
        initial: Initial::Unset("nothing is imported"),
        doc: "Definitions to import when the node starts: a JSON file, or a folder of them. They replace the default user and vhost; when they bring no administrator, the log says how to make one.",
        set: Set::Path(import),
    },
    Setting {
        key: "definitions.import_backend",
        alias: None,
        environment: None,
        initial: Initial::Value("local_filesystem"),
        doc: "Where definitions come from: files.",
        set: Set::Choice(&["local_filesystem"], |_, _| {}),
    },
    Setting {
        key: "definitions.skip_if_unchanged",
        alias: None,
        environment: None,
        initial: Initial::Value("false"),
        doc: "Whether files that are as they were at the last import are left alone. The global parameter `imported_definition_hash_value` remembers them.",
        set: Set::Flag(|config, _, on| config.skips_unchanged_definitions = on),
    },
];
