//! Internal users: creating, deleting, passwords, tags.

use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::endpoints::{USER, USERS, WHOAMI};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format, Rows};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] =
    &[&ADD_USER, &AUTHENTICATE_USER, &CHANGE_PASSWORD, &CLEAR_PASSWORD, &DELETE_USER, &LIST_USERS, &SET_USER_TAGS];

const HINT: &str = "Done. Don't forget to grant the user permissions to some virtual hosts! See 'rabbitmqctl help \
                    set_permissions' to learn more.";

/// `add_user`.
pub const ADD_USER: Command = Command {
    name: "add_user",
    section: Section::Users,
    summary: "Creates a new user in the internal database. This user will have no permissions for any virtual hosts by default.",
    usage: "add_user <username> [<password>] [<password_hash> --pre-hashed-password]",
    explains: &[
        ("<username>", "Self-explanatory"),
        (
            "<password>",
            "Password this user will authenticate with. Use a blank string to disable password-based authentication. Mutually exclusive with <password_hash>",
        ),
        (
            "<password_hash>",
            "A Base64-encoded password hash produced by the 'hash_password' command or a different method as described in the Passwords guide. Must be used in combination with --pre-hashed-password. Mutually exclusive with <password>",
        ),
        (
            "--pre-hashed-password",
            "Use to pass in a password hash instead of a clear text password. Disabled by default",
        ),
    ],
    guides: &["access-control", "passwords"],
    switches: &[Switch::flag("pre-hashed-password")],
    needs: Needs::AppRunning,
    words: Words::between(1, 2),
    endpoints: &[&USER],
    check: check_add_user,
    banner: |call| Some(format!("Adding user \"{}\" ...", call.word(0))),
    run: add_user,
    ..Command::BLANK
};

fn check_add_user(call: &Call) -> Result<(), Failure> {
    if call.word(0).is_empty() {
        return Err(Failure::bad_argument("user cannot be an empty string"));
    }
    match call.words.get(1) {
        Some(hash) if call.switches.flag("pre-hashed-password") => check_hash(hash),
        _ => Ok(()),
    }
}

fn check_hash(hash: &str) -> Result<(), Failure> {
    use base64::Engine as _;
    match base64::engine::general_purpose::STANDARD.decode(hash) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::bad_argument("Could not Base64 decode provided password hash value")),
    }
}

fn add_user(call: &Call) -> Result<Answer, Failure> {
    let name = call.word(0);
    let hashed = call.switches.flag("pre-hashed-password");
    let secret = match call.words.get(1) {
        Some(secret) => secret.clone(),
        None if hashed => {
            let hash = secret_from_input(call, "Hashed and salted password")?;
            check_hash(&hash).map_err(|failure| Failure::refused(failure.kind, failure.text))?;
            hash
        }
        None => secret_from_input(call, "Password")?,
    };
    if call.get(&USER, &[name], "")?.is_ok() {
        let json = json!({"message": format!("User {name} already exists"), "node": call.node(), "result": "error"});
        return Err(Failure::refused(Kind::Software, format!("User \"{name}\" already exists")).with_json(json));
    }
    let key = if hashed { "password_hash" } else { "password" };
    let reply = call.put(&USER, &[name], &json!({key: secret, "tags": []}))?;
    if !reply.is_ok() {
        return Err(Failure::refused(Kind::Unavailable, reply.reason()));
    }
    Ok(match call.format {
        Format::Text if call.is_quiet() => Answer::Silent,
        Format::Json => Answer::Report {
            text: HINT.to_owned(),
            json: json!({"message": HINT, "node": call.node(), "status": "ok"}),
        },
        _ => Answer::Message(HINT.to_owned()),
    })
}

fn secret_from_input(call: &Call, question: &str) -> Result<String, Failure> {
    call.prompt(question)?.ok_or_else(|| no_password(Kind::Data))
}

/// The kind differs between the reference's commands.
fn no_password(kind: Kind) -> Failure {
    Failure::refused(kind, "Password is not provided via argument or stdin")
}

/// `authenticate_user`.
pub const AUTHENTICATE_USER: Command = Command {
    name: "authenticate_user",
    section: Section::Users,
    summary: "Attempts to authenticate a user. Exits with a non-zero code if authentication fails.",
    usage: "authenticate_user <username> <password>",
    explains: &[
        ("<username>", "name of the user"),
        ("<password>", "its password; read from standard input when left out"),
    ],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    words: Words::between(1, 2),
    endpoints: &[&WHOAMI],
    banner: |call| Some(format!("Authenticating user \"{}\" ...", call.word(0))),
    run: authenticate_user,
    ..Command::BLANK
};

fn authenticate_user(call: &Call) -> Result<Answer, Failure> {
    let name = call.word(0);
    let password = match call.words.get(1) {
        Some(password) => password.clone(),
        None => secret_from_input(call, "Password")?,
    };
    if !accepts(call, name, &password)? {
        let text = format!("Error: failed to authenticate user \"{name}\"\nuser '{name}' - invalid credentials");
        return Err(Failure::refused(Kind::Data, text));
    }
    Ok(Answer::Message("Success".to_owned()))
}

/// Whether the broker takes this password for this user.
pub fn accepts(call: &Call, name: &str, password: &str) -> Result<bool, Failure> {
    let reply = call.get_as(&WHOAMI, name, password)?;
    // A user without a management tag is refused entry, but its password was right.
    Ok(reply.is_ok() || reply.error() == "not_authorised")
}

/// `change_password`.
pub const CHANGE_PASSWORD: Command = Command {
    name: "change_password",
    section: Section::Users,
    summary: "Changes the user password",
    usage: "change_password <username> <password>",
    explains: &[
        ("<username>", "name of the user"),
        ("<password>", "its password; read from standard input when left out"),
    ],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    words: Words::between(1, 2),
    endpoints: &[&USER],
    banner: |call| Some(format!("Changing password for user \"{}\" ...", call.word(0))),
    run: change_password,
    ..Command::BLANK
};

fn change_password(call: &Call) -> Result<Answer, Failure> {
    let password = match call.words.get(1) {
        Some(password) => password.clone(),
        None => call.prompt("Password")?.ok_or_else(|| no_password(Kind::Software))?,
    };
    let user = user(call)?.ok_or_else(|| no_user(call))?;
    put_user(call, &json!({"password": password, "tags": user["tags"]}))
}

fn user(call: &Call) -> Result<Option<Value>, Failure> {
    if call.word(0).is_empty() {
        // No user is called that, and no path could name it.
        return call.require().map(|()| None);
    }
    let reply = call.get(&USER, &[call.word(0)], "")?;
    Ok(reply.is_ok().then_some(reply.body))
}

/// A quoted name: as the reference words it where a password or tags are set.
fn no_user(call: &Call) -> Failure {
    let name = call.word(0);
    let message = format!("User {name} does not exists");
    let json = json!({"result": "error", "node": call.node(), "message": message});
    Failure::refused(Kind::NoUser, format!("User \"{name}\" does not exist")).with_json(json)
}

fn put_user(call: &Call, body: &Value) -> Result<Answer, Failure> {
    let reply = call.put(&USER, &[call.word(0)], body)?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(Failure::refused(Kind::Unavailable, reply.reason())) }
}

/// `clear_password`.
pub const CLEAR_PASSWORD: Command = Command {
    name: "clear_password",
    section: Section::Users,
    summary: "Clears (resets) password and disables password login for a user",
    usage: "clear_password <username>",
    explains: &[("<username>", "name of the user")],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&USER],
    banner: |call| Some(format!("Clearing password for user \"{}\" ...", call.word(0))),
    run: clear_password,
    ..Command::BLANK
};

fn clear_password(call: &Call) -> Result<Answer, Failure> {
    let Some(user) = user(call)? else {
        let text = format!("{{:no_such_user, \"{}\"}}", call.word(0));
        return Err(Failure::refused(Kind::Unavailable, text));
    };
    put_user(call, &json!({"password_hash": "", "tags": user["tags"]}))
}

/// `delete_user`.
pub const DELETE_USER: Command = Command {
    name: "delete_user",
    section: Section::Users,
    summary: "Removes a user from the internal database. Has no effect on users provided by external backends such as LDAP",
    usage: "delete_user <username>",
    explains: &[("<username>", "name of the user")],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&USER],
    banner: |call| Some(format!("Deleting user \"{}\" ...", call.word(0))),
    run: delete_user,
    ..Command::BLANK
};

fn delete_user(call: &Call) -> Result<Answer, Failure> {
    if call.word(0).is_empty() {
        return call.require().map(|()| Answer::Done);
    }
    let reply = call.delete(&USER, &[call.word(0)], "")?;
    // A user that is not there is as good as deleted.
    if reply.is_ok() || reply.status == 404 {
        Ok(Answer::Done)
    } else {
        Err(Failure::refused(Kind::Unavailable, reply.reason()))
    }
}

/// `list_users`.
pub const LIST_USERS: Command = Command {
    name: "list_users",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Users,
    summary: "List user names and tags",
    usage: "list_users [--no-table-headers] [--timeout <timeout>]",
    guides: &["access-control"],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&USERS],
    banner: |_| Some("Listing users ...".to_owned()),
    run: list_users,
    ..Command::BLANK
};

fn list_users(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&USERS, &[], "columns=name,tags")?;
    let users = reply.body.as_array().cloned().unwrap_or_default();
    let rows = users.iter().map(|user| vec![Term::from_json(&user["name"]), Term::words(&user["tags"])]).collect();
    Ok(Answer::Rows(Rows { columns: vec!["user".into(), "tags".into()], rows, ..Rows::default() }))
}

/// `set_user_tags`.
pub const SET_USER_TAGS: Command = Command {
    name: "set_user_tags",
    section: Section::Users,
    summary: "Sets user tags",
    usage: "set_user_tags <username> <tag> [...]",
    explains: &[("<username>", "name of the user"), ("<tags>", "tags, separated by blanks")],
    guides: &["management", "access-control"],
    needs: Needs::AppRunning,
    words: Words::at_least(1),
    endpoints: &[&USER],
    banner: |call| Some(format!("Setting tags for user \"{}\" to [{}] ...", call.word(0), call.words[1..].join(", "))),
    run: set_user_tags,
    ..Command::BLANK
};

fn set_user_tags(call: &Call) -> Result<Answer, Failure> {
    let user = user(call)?.ok_or_else(|| no_user(call))?;
    let body = json!({
        "tags": call.words[1..],
        "password_hash": user["password_hash"],
        "hashing_algorithm": user["hashing_algorithm"],
    });
    put_user(call, &body)
}
