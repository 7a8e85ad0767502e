//! Replicas of streams; on a node that stands alone each stream has one.

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::commands::queues::not_found;
use crate::commands::replicas::{
    GROW_SWITCHES, check_member_node, check_strategy, grow, kind, nothing_changed, queue, queue_not_found,
};
use crate::commands::runtime::alone;
use crate::endpoints::QUEUE;
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format, Rows};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &ADD_REPLICA,
    &COORDINATOR_STATUS,
    &DELETE_REPLICA,
    &GROW_STREAMS,
    &RESTART_STREAM,
    &SHRINK_STREAMS,
    &STREAM_STATUS,
    &TRANSFER_LEADERSHIP_STREAMS,
];

/// `grow`.
pub const GROW_STREAMS: Command = Command {
    name: "grow",
    tools: &[Tool::Streams],
    section: Section::Cluster,
    summary: "Grows stream clusters by adding a replica on the specified node for all matching streams",
    usage: "grow <node> <all | even> [--vhost-pattern <pattern>] [--queue-pattern <pattern>] [--errors-only]",
    explains: &[
        ("<node>", "node name to place replicas on"),
        ("<all | even>", "add a replica for all matching streams or just those whose replica count is an even number"),
        ("--queue-pattern <pattern>", "regular expression to match stream names"),
        ("--vhost-pattern <pattern>", "regular expression to match virtual host names"),
        ("--errors-only", "only list streams which reported an error"),
    ],
    guides: &["streams"],
    switches: GROW_SWITCHES,
    format: Format::Table,
    words: Words::exactly(2),
    check: check_strategy,
    ready: |call| check_member_node(call, call.word(0)),
    needs: Needs::AppRunning,
    run: |call| grow(call),
    banner: |call| Some(format!("Growing {} streams on {}...", call.word(1), call.word(0))),
    ..Command::BLANK
};

/// `shrink`.
pub const SHRINK_STREAMS: Command = Command {
    name: "shrink",
    tools: &[Tool::Streams],
    section: Section::Cluster,
    summary: "Shrinks stream clusters by removing any replicas on the given node.",
    usage: "shrink <node> [--errors-only]",
    explains: &[("<node>", "name of a node"), ("--errors-only", "only queues that failed")],
    guides: &["streams"],
    switches: &[Switch::flag("errors-only")],
    format: Format::Table,
    words: Words::exactly(1),
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Shrinking streams on {}...", call.word(0))),
    run: shrink_streams,
    ..Command::BLANK
};

fn shrink_streams(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(nothing_changed())
}

/// `transfer_leadership`.
pub const TRANSFER_LEADERSHIP_STREAMS: Command = Command {
    name: "transfer_leadership",
    tools: &[Tool::Streams],
    section: Section::Replication,
    summary: "Transfers the leadership of a stream to the given node.",
    usage: "transfer_leadership [--vhost <vhost>] <stream> <node> [--timeout <timeout>]",
    explains: &[("<stream>", "name of the stream"), ("<node>", "name of a node")],
    guides: &["streams"],
    words: Words::exactly(2),
    endpoints: &[&QUEUE],
    run: transfer_stream,
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Transferring leadership of stream {} to node {}...", call.word(0), call.word(1))),
    ..Command::BLANK
};

fn transfer_stream(call: &Call) -> Result<Answer, Failure> {
    let queue = queue(call)?.ok_or_else(|| queue_not_found(call))?;
    match kind(&queue) {
        "stream" if call.word(1) == call.node() => Ok(Answer::Message(call.node())),
        "stream" => Err(Failure::refused(Kind::Unavailable, "unknown_member")),
        other => Err(Failure::refused(Kind::Unavailable, format!("Cannot transfer leadership of a {other} queue"))),
    }
}

/// `stream_status`.
pub const STREAM_STATUS: Command = Command {
    name: "stream_status",
    tools: &[Tool::Diagnostics, Tool::Queues, Tool::Streams],
    section: Section::Monitoring,
    summary: "Displays the status of a stream",
    usage: "stream_status [--vhost <vhost>] [--tracking] <stream>",
    explains: &[("<stream>", "name of the stream")],
    guides: &["streams"],
    switches: &[Switch::flag("tracking")],
    needs: Needs::AppRunning,
    format: Format::PrettyTable,
    words: Words::exactly(1),
    endpoints: &[&QUEUE],
    banner: |call| Some(format!("Status of stream {} on node {} ...", call.word(0), call.node())),
    run: stream_status,
    ..Command::BLANK
};

fn stream_status(call: &Call) -> Result<Answer, Failure> {
    let queue = queue(call)?.ok_or_else(not_found)?;
    if kind(&queue) != "stream" {
        return Err(Failure::refused(
            Kind::Unavailable,
            format!("Cannot get stream status of a {} queue", kind(&queue)),
        ));
    }
    if call.switches.flag("tracking") {
        return Ok(nothing_changed());
    }
    const COLUMNS: [&str; 9] = [
        "role",
        "node",
        "epoch",
        "offset",
        "committed_offset",
        "committed_chunk_id",
        "first_offset",
        "readers",
        "segments",
    ];
    let mut row = vec![Term::atom("writer"), Term::atom(call.node())];
    row.resize(COLUMNS.len(), Term::Missing);
    row[7] = Term::Int(0);
    Ok(Answer::Rows(Rows { columns: COLUMNS.map(str::to_owned).to_vec(), rows: vec![row], ..Rows::default() }))
}

/// `coordinator_status`.
pub const COORDINATOR_STATUS: Command = Command {
    name: "coordinator_status",
    tools: &[Tool::Diagnostics, Tool::Streams],
    section: Section::Monitoring,
    summary: "Displays raft status of the stream coordinator",
    usage: "coordinator_status",
    guides: &["streams"],
    needs: Needs::AppRunning,
    format: Format::PrettyTable,
    banner: |_| Some("Status of stream coordinator ...".to_owned()),
    run: coordinator_status,
    ..Command::BLANK
};

fn coordinator_status(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(alone(call))
}

/// `restart_stream`.
pub const RESTART_STREAM: Command = Command {
    name: "restart_stream",
    tools: &[Tool::Streams],
    section: Section::Replication,
    summary: "Restarts a stream.",
    usage: "restart_stream [--vhost <vhost>] <stream> [--preferred-leader-node <node>]",
    explains: &[("<stream>", "stream name"), ("--preferred-leader-node", "preferred leader node")],
    guides: &["streams"],
    switches: &[Switch::text("preferred-leader-node")],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&QUEUE],
    banner: |call| Some(format!("Restarting stream {}...", call.word(0))),
    run: restart_stream,
    ..Command::BLANK
};

fn restart_stream(call: &Call) -> Result<Answer, Failure> {
    let queue = queue(call)?.ok_or_else(not_found)?;
    match kind(&queue) {
        "stream" => Ok(Answer::Value(Term::atom(call.node()))),
        other => {
            let text = format!("{{:not_supported_for_type, :rabbit_{other}_queue}}");
            Err(Failure::refused(Kind::Unavailable, text))
        }
    }
}

/// `add_replica`.
pub const ADD_REPLICA: Command = Command {
    name: "add_replica",
    tools: &[Tool::Streams],
    section: Section::Replication,
    summary: "Adds a stream replica on the given node",
    usage: "add_replica [--vhost <vhost>] <stream> <node> [--timeout <timeout>]",
    explains: &[("<queue>", "stream name"), ("<node>", "node to add a new replica on")],
    guides: &["streams"],
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&QUEUE],
    banner: |call| Some(format!("Adding a replica for stream {} on node {}...", call.word(0), call.word(1))),
    run: add_replica,
    ..Command::BLANK
};

fn add_replica(call: &Call) -> Result<Answer, Failure> {
    queue(call)?.ok_or_else(not_found)?;
    if call.word(1) == call.node() {
        Ok(Answer::Done)
    } else {
        Err(Failure::refused(Kind::Unavailable, "node_not_running"))
    }
}

/// `delete_replica`.
pub const DELETE_REPLICA: Command = Command {
    name: "delete_replica",
    tools: &[Tool::Streams],
    section: Section::Replication,
    summary: "Removes a stream queue replica on the given node.",
    usage: "delete_replica [--vhost <vhost>] <queue> <node>",
    explains: &[("<queue>", "name of the queue"), ("<node>", "name of a node")],
    guides: &["streams"],
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&QUEUE],
    banner: |call| Some(format!("Removing a replica of queue {} on node {}...", call.word(0), call.word(1))),
    run: delete_replica,
    ..Command::BLANK
};

fn delete_replica(call: &Call) -> Result<Answer, Failure> {
    queue(call)?.ok_or_else(not_found)?;
    Err(Failure::refused(Kind::Unavailable, "Cannot delete the last member of a stream"))
}
