//! Members of replicated queues and streams. A Warren node stands alone: every queue has
//! one member, which leads it, so most of these find nothing to do and say so.

use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::commands::runtime::alone;
use crate::endpoints::{QUEUE, QUEUE_MESSAGES, QUEUES};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format, Rows, elixir_atom};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &ADD_MEMBER,
    &AWAIT_ONLINE_QUORUM_PLUS_ONE,
    &DELETE_MEMBER,
    &FORCE_CHECKPOINT,
    &GROW_QUEUES,
    &GROW_TO_COUNT,
    &PEEK,
    &POST_UPGRADE,
    &QUORUM_STATUS,
    &REBALANCE,
    &RECLAIM_QUORUM_MEMORY,
    &SHRINK_QUEUES,
    &TRANSFER_LEADERSHIP_QUEUES,
];

/// Furthest position `peek` looks at.
const PEEK_POSITION_MAX: u64 = 10_000;

/// The queue of the first word, if it is there.
pub fn queue(call: &Call) -> Result<Option<Value>, Failure> {
    let reply = call.get(&QUEUE, &[call.vhost(), call.word(0)], "columns=type,messages_ready")?;
    Ok(reply.is_ok().then_some(reply.body))
}

pub fn kind(queue: &Value) -> &str {
    queue["type"].as_str().unwrap_or("classic")
}

pub fn queue_not_found(call: &Call) -> Failure {
    Failure::plain(Kind::Data, format!("queue '{}' was not found in virtual host '{}'", call.word(0), call.vhost()))
}

fn target_not_found(call: &Call) -> Failure {
    Failure::refused(Kind::Unavailable, format!("Target queue was not found in virtual host '{}'", call.vhost()))
}

fn unsupported(kind: &str) -> Failure {
    Failure::refused(Kind::Unavailable, format!("{{:unsupported, :rabbit_{kind}_queue}}"))
}

/// Whether a node is a member of the cluster, which is one node.
pub fn check_member_node(call: &Call, node: &str) -> Result<(), Failure> {
    if call.node() == node {
        return Ok(());
    }
    call.require().map_err(|failure| failure.unreachable_as("{:badrpc, :nodedown}"))?;
    Err(Failure::environment(format!("node {node} is not a member of the cluster")))
}

fn check_membership(call: &Call) -> Result<(), Failure> {
    match call.switches.text("membership") {
        None | Some("promotable" | "voter" | "non_voter") => Ok(()),
        Some(other) => Err(Failure::usage(format!("\"voter status '{other}' is not recognised.\""))),
    }
}

pub fn check_strategy(call: &Call) -> Result<(), Failure> {
    check_membership(call)?;
    match call.word(1) {
        "all" | "even" => Ok(()),
        other => Err(Failure::usage(format!("\"strategy '{other}' is not recognised.\""))),
    }
}

pub fn nothing_changed() -> Answer {
    Answer::Rows(Rows::default())
}

/// `quorum_status`.
pub const QUORUM_STATUS: Command = Command {
    name: "quorum_status",
    tools: &[Tool::Diagnostics, Tool::Queues],
    section: Section::Monitoring,
    summary: "Displays the quorum status of a queue",
    usage: "quorum_status [--vhost <vhost>] <queue>",
    explains: &[("<queue>", "name of the queue")],
    guides: &["quorum-queues"],
    needs: Needs::AppRunning,
    format: Format::PrettyTable,
    words: Words::exactly(1),
    endpoints: &[&QUEUE],
    banner: |call| Some(format!("Status of queue {} on node {} ...", call.word(0), call.node())),
    run: quorum_status,
    ..Command::BLANK
};

fn quorum_status(call: &Call) -> Result<Answer, Failure> {
    let queue = queue(call)?.ok_or_else(|| queue_not_found(call))?;
    match kind(&queue) {
        "quorum" => Ok(alone(call)),
        other => Err(unsupported(other)),
    }
}

/// `add_member`.
pub const ADD_MEMBER: Command = Command {
    name: "add_member",
    tools: &[Tool::Queues],
    section: Section::Replication,
    summary: "Adds a queue member/replica on the given node.",
    usage: "add_member [--vhost <vhost>] <queue> <node> [--membership <promotable|voter>] [--timeout <timeout>]",
    explains: &[
        ("<queue>", "name of the queue"),
        ("<node>", "name of a node"),
        ("--membership <promotable|voter>", "whether the member may vote at once"),
    ],
    guides: &["quorum-queues"],
    switches: &[Switch::text("membership")],
    words: Words::exactly(2),
    endpoints: &[&QUEUE],
    check: check_membership,
    ready: |call| check_member_node(call, call.word(1)),
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Adding a member for queue {} on node {}...", call.word(0), call.word(1))),
    run: add_member,
    ..Command::BLANK
};

fn add_member(call: &Call) -> Result<Answer, Failure> {
    let queue = queue(call)?.ok_or_else(|| queue_not_found(call))?;
    match kind(&queue) {
        "quorum" => Ok(Answer::Done),
        other => Err(unsupported(other)),
    }
}

/// `delete_member`.
pub const DELETE_MEMBER: Command = Command {
    name: "delete_member",
    tools: &[Tool::Queues],
    section: Section::Replication,
    summary: "Removes a queue member (replica) on the given node.",
    usage: "delete_member [--vhost <vhost>] <queue> <node>",
    explains: &[("<queue>", "name of the queue"), ("<node>", "name of a node")],
    guides: &["quorum-queues"],
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&QUEUE],
    banner: |call| Some(format!("Removing a replica of queue {} on node {}...", call.word(0), call.word(1))),
    run: delete_member,
    ..Command::BLANK
};

fn delete_member(call: &Call) -> Result<Answer, Failure> {
    let queue = queue(call)?.ok_or_else(|| queue_not_found(call))?;
    match kind(&queue) {
        "quorum" if call.word(1) == call.node() => Err(Failure::refused(
            Kind::Unavailable,
            "the last member of a queue cannot be removed; delete the queue instead",
        )),
        "quorum" => Ok(Answer::Done),
        other => Err(unsupported(other)),
    }
}

/// Switches of every command that adds replicas of many queues.
pub const GROW_SWITCHES: &[Switch] = &[
    Switch::text("vhost-pattern"),
    Switch::text("queue-pattern"),
    Switch::text("membership"),
    Switch::flag("errors-only"),
];

/// `grow`.
pub const GROW_QUEUES: Command = Command {
    name: "grow",
    tools: &[Tool::Queues],
    section: Section::Cluster,
    summary: "Grows all matching queues by adding a member (replica) on the specified node",
    usage: "grow <node> <all | even> [--vhost-pattern <pattern>] [--queue-pattern <pattern>] [--membership <promotable|voter>]",
    explains: &[
        ("<node>", "node name to place replicas on"),
        ("<all | even>", "add a member for all matching queues or just those whose membership count is an even number"),
        ("--queue-pattern <pattern>", "regular expression to match queue names"),
        ("--vhost-pattern <pattern>", "regular expression to match virtual host names"),
        ("--membership <promotable|voter>", "add a promotable non-voter (default) or full voter"),
        ("--errors-only", "only list queues which reported an error"),
    ],
    guides: &["quorum-queues"],
    switches: GROW_SWITCHES,
    format: Format::Table,
    words: Words::exactly(2),
    check: check_strategy,
    ready: |call| check_member_node(call, call.word(0)),
    needs: Needs::AppRunning,
    run: |call| grow(call),
    banner: |call| Some(format!("Growing {} queues on {}...", call.word(1), call.word(0))),
    ..Command::BLANK
};

pub fn grow(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(nothing_changed())
}

/// `grow_to_count`.
pub const GROW_TO_COUNT: Command = Command {
    name: "grow_to_count",
    tools: &[Tool::Queues],
    section: Section::Cluster,
    summary: "Grows quorum queue clusters by adding member replicas on the specified number of nodes for all matching queues",
    usage: "grow_to_count <node_count> <all | even> [--vhost-pattern <pattern>] [--queue-pattern <pattern>] [--membership <promotable|voter>]",
    explains: &[
        ("<node_count>", "number of members wanted"),
        ("<all | even>", "all queues, or only those with an even number of members"),
        ("--queue-pattern <pattern>", "regular expression queue names must match"),
        ("--vhost-pattern <pattern>", "regular expression virtual host names must match"),
        ("--membership <promotable|voter>", "whether the member may vote at once"),
        ("--errors-only", "only queues that failed"),
    ],
    guides: &["quorum-queues"],
    switches: GROW_SWITCHES,
    format: Format::Table,
    words: Words::exactly(2),
    check: check_count,
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Growing {} quorum queues on {} nodes...", call.word(1), call.word(0))),
    run: grow_to_count,
    ..Command::BLANK
};

fn check_count(call: &Call) -> Result<(), Failure> {
    check_strategy(call)?;
    match call.word(0).parse::<u32>() {
        Ok(count) if count > 0 => Ok(()),
        _ => Err(Failure::usage(format!("\"node count '{}' must be greater than 0.\"", call.word(0)))),
    }
}

fn grow_to_count(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(nothing_changed())
}

/// `shrink`.
pub const SHRINK_QUEUES: Command = Command {
    name: "shrink",
    tools: &[Tool::Queues],
    section: Section::Cluster,
    summary: "Shrinks queue clusters by removing any members (replicas) on the given node.",
    usage: "shrink <node> [--errors-only]",
    explains: &[("<node>", "name of a node"), ("--errors-only", "only queues that failed")],
    guides: &["quorum-queues"],
    switches: &[Switch::flag("errors-only")],
    format: Format::Table,
    words: Words::exactly(1),
    needs: Needs::AppRunning,
    endpoints: &[&QUEUES],
    banner: |call| Some(format!("Shrinking queues on {}...", call.word(0))),
    run: shrink_queues,
    ..Command::BLANK
};

fn shrink_queues(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    if call.word(0) != call.node() {
        let text = format!("{{:node_not_running, :{}}}", elixir_atom(call.word(0)));
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    if matching(call, "quorum")?.is_empty() {
        return Ok(nothing_changed());
    }
    Err(Failure::refused(Kind::Unavailable, "the last member of a queue cannot be removed; delete the queue instead"))
}

/// `transfer_leadership`.
pub const TRANSFER_LEADERSHIP_QUEUES: Command = Command {
    name: "transfer_leadership",
    tools: &[Tool::Queues],
    section: Section::Replication,
    summary: "Transfers the leadership of a quorum queue to the given node.",
    usage: "transfer_leadership [--vhost <vhost>] <queue> <node> [--timeout <timeout>]",
    explains: &[("<queue>", "name of the queue"), ("<node>", "name of a node")],
    guides: &["quorum-queues"],
    words: Words::exactly(2),
    endpoints: &[&QUEUE],
    run: transfer_queue,
    needs: Needs::AppRunning,
    banner: |call| {
        Some(format!("Transferring leadership of quorum queue {} to node {}...", call.word(0), call.word(1)))
    },
    ..Command::BLANK
};

fn transfer_queue(call: &Call) -> Result<Answer, Failure> {
    let queue = queue(call)?.ok_or_else(|| queue_not_found(call))?;
    let text = match kind(&queue) {
        "quorum" if call.word(1) == call.node() => "The target node is already the leader of this queue",
        "quorum" => "unknown_member",
        _ => "Cannot transfer leadership of a non-quorum queue",
    };
    Err(Failure::refused(Kind::Unavailable, text))
}

/// `rebalance`.
pub const REBALANCE: Command = Command {
    name: "rebalance",
    tools: &[Tool::Queues],
    section: Section::Cluster,
    summary: "Re-balances leaders of replicated queues across up-and-running cluster nodes",
    usage: "rebalance < all | quorum | stream > [--vhost-pattern <pattern>] [--queue-pattern <pattern>]",
    explains: &[
        ("<type>", "all, quorum or stream"),
        ("--queue-pattern <pattern>", "regular expression queue names must match"),
        ("--vhost-pattern <pattern>", "regular expression virtual host names must match"),
    ],
    guides: &["quorum-queues"],
    switches: &[Switch::text("vhost-pattern"), Switch::text("queue-pattern")],
    needs: Needs::AppRunning,
    format: Format::PrettyTable,
    words: Words::exactly(1),
    endpoints: &[&QUEUES],
    banner: banner_of_rebalance,
    run: rebalance,
    ..Command::BLANK
};

const REBALANCED: [&str; 3] = ["all", "quorum", "stream"];

fn banner_of_rebalance(call: &Call) -> Option<String> {
    REBALANCED.contains(&call.word(0)).then(|| format!("Re-balancing leaders of {} queues...", call.word(0)))
}

fn rebalance(call: &Call) -> Result<Answer, Failure> {
    let wanted = call.word(0);
    if !REBALANCED.contains(&wanted) {
        call.require()?;
        let text = format!("type {wanted} is not supported. Try one of {}.", REBALANCED.join(", "));
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    let count = |kind: &str| -> Result<usize, Failure> {
        Ok(if wanted == "all" || wanted == kind { matching(call, kind)?.len() } else { 0 })
    };
    let (quorum, streams) = (count("quorum")?, count("stream")?);
    if quorum + streams == 0 && call.format == Format::Json {
        return Ok(Answer::Value(Term::List(Vec::new())));
    }
    if quorum + streams == 0 {
        return Ok(nothing_changed());
    }
    let cell = |count: usize| Term::Int(i64::try_from(count).unwrap_or(i64::MAX));
    let columns = ["Node name", "Number of quorum queues", "Number of streams"].map(str::to_owned).to_vec();
    Ok(Answer::Rows(Rows {
        columns,
        rows: vec![vec![Term::atom(call.node()), cell(quorum), cell(streams)]],
        ..Rows::default()
    }))
}

/// Virtual host and name of the queues of a kind that the patterns of the switches match.
fn matching(call: &Call, kind_wanted: &str) -> Result<Vec<(String, String)>, Failure> {
    let reply = call.get(&QUEUES, &[], "columns=vhost,name,type")?;
    let matches = |switch: &str, text: &str| crate::pattern::matches(call.switches.text(switch).unwrap_or(".*"), text);
    let text = |queue: &Value, key: &str| queue[key].as_str().unwrap_or_default().to_owned();
    let all = reply.body.as_array().cloned().unwrap_or_default();
    Ok(all
        .iter()
        .filter(|queue| kind(queue) == kind_wanted)
        .map(|queue| (text(queue, "vhost"), text(queue, "name")))
        .filter(|(vhost, name)| matches("vhost-pattern", vhost) && matches("queue-pattern", name))
        .collect())
}

/// `force_checkpoint`.
pub const FORCE_CHECKPOINT: Command = Command {
    name: "force_checkpoint",
    tools: &[Tool::Queues],
    section: Section::Replication,
    summary: "Forces checkpoints for all matching quorum queues",
    usage: "force_checkpoint [--vhost-pattern <pattern>] [--queue-pattern <pattern>]",
    explains: &[
        ("--queue-pattern <pattern>", "regular expression queue names must match"),
        ("--vhost-pattern <pattern>", "regular expression virtual host names must match"),
        ("--errors-only", "only queues that failed"),
    ],
    guides: &["quorum-queues"],
    switches: &[Switch::text("vhost-pattern"), Switch::text("queue-pattern"), Switch::flag("errors-only")],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&QUEUES],
    banner: |_| Some("Forcing checkpoint for all matching quorum queues...".to_owned()),
    run: force_checkpoint,
    ..Command::BLANK
};

fn force_checkpoint(call: &Call) -> Result<Answer, Failure> {
    // A queue's log is always up to date with its state, so a checkpoint has nothing to add.
    let mut found = matching(call, "quorum")?;
    if call.switches.flag("errors-only") {
        found.clear();
    }
    let done = || Term::Tuple(vec![Term::atom("ok")]);
    let rows = found.into_iter().map(|(vhost, name)| vec![Term::Text(vhost), Term::Text(name), done()]).collect();
    Ok(Answer::Rows(Rows { columns: ["vhost", "name", "result"].map(str::to_owned).to_vec(), rows, ..Rows::default() }))
}

/// `peek`.
pub const PEEK: Command = Command {
    name: "peek",
    tools: &[Tool::Queues],
    section: Section::Monitoring,
    summary: "Peeks at the given position of a quorum queue",
    usage: "peek [--vhost <vhost>] <queue> <position> [--timeout <timeout>]",
    guides: &["quorum-queues"],
    needs: Needs::AppRunning,
    format: Format::PrettyTable,
    words: Words::exactly(2),
    endpoints: &[&QUEUE, &QUEUE_MESSAGES],
    check: check_position,
    banner: |call| {
        Some(format!(
            "Peeking at quorum queue {} at position {} on node {} ...",
            call.word(0),
            call.word(1),
            call.node()
        ))
    },
    run: peek,
    ..Command::BLANK
};

fn check_position(call: &Call) -> Result<(), Failure> {
    match call.word(1).parse::<u64>() {
        Ok(position) if position > 0 => Ok(()),
        _ => Err(Failure::usage("\"position value must be a positive integer\"")),
    }
}

/// Bytes of a payload that are shown.
const PEEK_BYTES: usize = 64;

fn peek(call: &Call) -> Result<Answer, Failure> {
    let queue = queue(call)?.ok_or_else(|| target_not_found(call))?;
    if kind(&queue) != "quorum" {
        return Err(Failure::refused(Kind::Unavailable, format!("Cannot peek into a {} queue", kind(&queue))));
    }
    let position = call.word(1).parse::<u64>().unwrap_or(1);
    let beyond = || Failure::refused(Kind::Unavailable, "Target queue does not have a message at that position");
    if position > queue["messages_ready"].as_u64().unwrap_or(0).min(PEEK_POSITION_MAX) {
        return Err(beyond());
    }
    // Everything up to that position is taken and put back where it was.
    let body = json!({"count": position, "ackmode": "ack_requeue_true", "encoding": "auto"});
    let reply = call.post(&QUEUE_MESSAGES, &[call.vhost(), call.word(0)], Some(&body))?;
    let message = reply.body.as_array().and_then(|messages| messages.last()).cloned().ok_or_else(beyond)?;
    let payload: String = message["payload"].as_str().unwrap_or_default().chars().take(PEEK_BYTES).collect();
    let properties = message["properties"].as_object().cloned().unwrap_or_default();
    let mut rows: Vec<(String, Term)> = properties
        .iter()
        .filter(|(key, _)| *key != "headers")
        .map(|(key, value)| (key.clone(), Term::from_json(value)))
        .collect();
    rows.push(("routing_keys".to_owned(), Term::from_json(&message["routing_key"])));
    rows.push(("exchange".to_owned(), Term::from_json(&message["exchange"])));
    rows.push((format!("payload (max {PEEK_BYTES} bytes)"), Term::Text(payload)));
    if let Some(headers) = properties.get("headers") {
        rows.push(("headers".to_owned(), Term::amqp_table(headers)));
    }
    Ok(Answer::Rows(Rows {
        columns: vec!["keys".to_owned(), "values".to_owned()],
        rows: rows.into_iter().map(|(key, value)| vec![Term::Text(key), value]).collect(),
        ..Rows::default()
    }))
}

/// `reclaim_quorum_memory`.
pub const RECLAIM_QUORUM_MEMORY: Command = Command {
    name: "reclaim_quorum_memory",
    tools: &[Tool::Diagnostics, Tool::Queues],
    section: Section::Operations,
    summary: "Requests a full sweep GC on all of a quorum queue's Erlang processes",
    usage: "reclaim_quorum_memory  [--vhost <vhost>] <quorum queue>",
    explains: &[("<queue>", "name of the queue")],
    guides: &["quorum-queues", "memory-use"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&QUEUE],
    banner: |call| Some(format!("Will garbage collect quorum queue {} ...", call.word(0))),
    run: reclaim_quorum_memory,
    ..Command::BLANK
};

fn reclaim_quorum_memory(call: &Call) -> Result<Answer, Failure> {
    let queue = queue(call)?.ok_or_else(|| target_not_found(call))?;
    match kind(&queue) {
        "quorum" => Ok(Answer::Done),
        other => {
            Err(Failure::refused(Kind::Unavailable, format!("This operation is not applicable to {other} queues")))
        }
    }
}

/// `await_online_quorum_plus_one`.
pub const AWAIT_ONLINE_QUORUM_PLUS_ONE: Command = Command {
    name: "await_online_quorum_plus_one",
    tools: &[Tool::Upgrade],
    section: Section::Upgrade,
    summary: "Waits for all quorum queues and streams to have an above minimum online quorum. This makes sure that no queues/streams would lose their quorum if the target node is shut down",
    usage: "await_online_quorum_plus_one",
    guides: &["quorum-queues", "upgrade"],
    needs: Needs::AppRunning,
    banner: banner_of_await,
    run: await_online_quorum_plus_one,
    ..Command::BLANK
};

/// Seconds `await_online_quorum_plus_one` would wait.
const AWAIT_SECONDS: i64 = 120;

fn banner_of_await(call: &Call) -> Option<String> {
    let seconds = call.switches.integer("timeout").unwrap_or(AWAIT_SECONDS);
    Some(format!(
        "Will wait for a quorum + 1 of nodes to be online for all quorum queues and streams for {seconds} seconds..."
    ))
}

fn await_online_quorum_plus_one(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    let text = "Target node seems to be the only one in a single node cluster, the command does not apply";
    Ok(Answer::Message(text.to_owned()))
}

/// `post_upgrade`.
pub const POST_UPGRADE: Command = Command {
    name: "post_upgrade",
    tools: &[Tool::Upgrade],
    section: Section::Upgrade,
    summary: "Runs post-upgrade tasks",
    usage: "post_upgrade",
    guides: &["upgrade"],
    needs: Needs::AppRunning,
    endpoints: &[&QUEUES],
    banner: |_| Some("Executing post upgrade tasks...\nRebalancing queue masters...".to_owned()),
    run: post_upgrade,
    ..Command::BLANK
};

fn post_upgrade(call: &Call) -> Result<Answer, Failure> {
    let (quorum, streams) = (matching(call, "quorum")?.len(), matching(call, "stream")?.len());
    if quorum + streams == 0 {
        return Ok(Answer::Message("\n".to_owned()));
    }
    let node = elixir_atom(&call.node());
    Ok(Answer::Message(format!(
        "[{{\"Node name\", :{node}}}, {{\"Number of quorum queues\", {quorum}}}, {{\"Number of \
         streams\", {streams}}}]"
    )))
}
