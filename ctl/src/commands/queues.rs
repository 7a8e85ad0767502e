//! Operations on single queues.

use crate::call::Call;
use crate::command::{Command, Needs, Section, Words};
use crate::endpoints::{QUEUE, QUEUE_CONTENTS};
use crate::exit::{Failure, Kind};
use crate::output::Answer;
use crate::parse::Switch;

/// Commands of this file.
pub const ALL: &[&Command] = &[&DELETE_QUEUE, &PURGE_QUEUE];

/// `delete_queue`.
pub const DELETE_QUEUE: Command = Command {
    name: "delete_queue",
    section: Section::Queues,
    summary: "Deletes a queue",
    usage: "delete_queue [--vhost <vhost>] <queue_name> [--if-empty|-e] [--if-unused|-u] [--force] [--timeout <timeout>]",
    explains: &[
        ("--vhost", "Virtual host name"),
        ("<queue_name>", "name of the queue to delete"),
        ("--if-empty", "delete the queue if it is empty (has no messages ready for delivery)"),
        ("--if-unused", "delete the queue only if it has no consumers"),
        ("--force", "delete the queue even if it is protected"),
    ],
    guides: &["queues"],
    switches: &[Switch::flag("if-empty").short('e'), Switch::flag("if-unused").short('u'), Switch::flag("force")],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&QUEUE],
    check: check_queue_name,
    banner: banner_of_delete,
    run: delete_queue,
    ..Command::BLANK
};

fn check_queue_name(call: &Call) -> Result<(), Failure> {
    if call.word(0).is_empty() { Err(Failure::bad_argument("queue name cannot be an empty string")) } else { Ok(()) }
}

fn banner_of_delete(call: &Call) -> Option<String> {
    let mut conditions = Vec::new();
    if call.switches.flag("if-empty") {
        conditions.push("if queue is empty");
    }
    if call.switches.flag("if-unused") {
        conditions.push("if queue is unused");
    }
    let conditions = if conditions.is_empty() { String::new() } else { format!(" {}", conditions.join(" and ")) };
    Some(format!("Deleting queue '{}' on vhost '{}'{conditions} ...", call.word(0), call.vhost()))
}

fn delete_queue(call: &Call) -> Result<Answer, Failure> {
    let (name, vhost) = (call.word(0), call.vhost());
    let missing = || Failure::refused(Kind::Usage, "No such queue was found");
    let queue = call.get(&QUEUE, &[vhost, name], "columns=messages,messages_ready,type")?;
    if !queue.is_ok() {
        return Err(missing());
    }
    let mut conditions = Vec::new();
    if call.switches.flag("if-empty") {
        conditions.push("if-empty=true");
    }
    if call.switches.flag("if-unused") {
        conditions.push("if-unused=true");
    }
    let reply = call.delete(&QUEUE, &[vhost, name], &conditions.join("&"))?;
    if reply.is_ok() {
        let ready = queue.body["messages_ready"].as_u64().unwrap_or(0);
        return Ok(Answer::Message(format!("Queue was successfully deleted with {ready} ready messages")));
    }
    if reply.status == 404 {
        return Err(missing());
    }
    let reason = reply.reason();
    let why = ["in use", "not empty"].into_iter().find(|why| reason.contains(why));
    Err(match why {
        Some(why) => {
            let text = format!("queue '{name}' in vhost '{vhost}' {why}");
            Failure::refused(Kind::Unavailable, format!("{{:amqp_error, :precondition_failed, ~c\"{text}\", :none}}"))
        }
        None => Failure::refused(Kind::Unavailable, reason),
    })
}

/// `purge_queue`.
pub const PURGE_QUEUE: Command = Command {
    name: "purge_queue",
    section: Section::Queues,
    summary: "Purges a queue (removes all messages in it)",
    usage: "purge_queue <queue> [--timeout <timeout>]",
    explains: &[("<queue>", "name of the queue")],
    guides: &["queues"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&QUEUE_CONTENTS, &QUEUE],
    banner: |call| Some(format!("Purging queue '{}' in vhost '{}' ...", call.word(0), call.vhost())),
    run: purge_queue,
    ..Command::BLANK
};

fn purge_queue(call: &Call) -> Result<Answer, Failure> {
    let names = [call.vhost(), call.word(0)];
    let reply = call.delete(&QUEUE_CONTENTS, &names, "")?;
    if reply.is_ok() {
        return Ok(Answer::Done);
    }
    if reply.status == 404 {
        return Err(not_found());
    }
    let is_stream = call.get(&QUEUE, &names, "columns=type")?.body["type"] == "stream";
    let text = if is_stream { "not_supported".to_owned() } else { reply.reason() };
    Err(Failure::refused(Kind::Unavailable, text))
}

/// The object of a command is not there.
pub fn not_found() -> Failure {
    Failure::plain(Kind::Data, "Object (queue, stream, exchange, etc) was not found")
}
