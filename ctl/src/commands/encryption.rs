//! Secrets: encrypted configuration values and password hashes. Needs no node.

use base64::Engine as _;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};

use crate::call::Call;
use crate::command::{Command, Section, Tool, Words};
use crate::encryption::{CIPHERS, HASHES, ITERATIONS_MAX, Scheme};
use crate::exit::{Failure, Kind};
use crate::literal;
use crate::output::{Answer, Format};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] =
    &[&DECODE, &DECRYPT_CONF_VALUE, &ENCODE, &ENCRYPT_CONF_VALUE, &HASH_PASSWORD, &LIST_CIPHERS, &LIST_HASHES];

/// The prefix of encrypted values in `rabbitmq.conf`.
const ENCRYPTED: &str = "encrypted:";

fn check_scheme(call: &Call) -> Result<(), Failure> {
    if call.switches.text("cipher").is_some_and(|cipher| !CIPHERS.contains(&cipher)) {
        // What decodes says it without a full stop.
        let stop = if call.command.name.starts_with("enc") { "." } else { "" };
        return Err(Failure::bad_argument(format!("The requested cipher is not supported{stop}")));
    }
    if call.switches.text("hash").is_some_and(|hash| !HASHES.contains(&hash)) {
        return Err(Failure::bad_argument("The requested hash is not supported"));
    }
    if call.switches.integer("iterations").is_some_and(|count| !(1..=ITERATIONS_MAX).contains(&count)) {
        return Err(Failure::bad_argument("The requested number of iterations is incorrect"));
    }
    Ok(())
}

fn scheme(call: &Call) -> Scheme<'_> {
    let default = Scheme::default();
    Scheme {
        cipher: call.switches.text("cipher").unwrap_or(default.cipher),
        hash: call.switches.text("hash").unwrap_or(default.hash),
        iterations: call
            .switches
            .integer("iterations")
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(default.iterations),
    }
}

/// A word, or what standard input says instead.
fn word_or_input(call: &Call, at: usize, question: &str) -> Result<String, Failure> {
    match call.words.get(at) {
        Some(word) => Ok(word.clone()),
        None => call.prompt(question)?.ok_or_else(|| Failure::refused(Kind::Unavailable, "not_enough_args")),
    }
}

fn failed() -> Failure {
    let text = "Failed to decrypt the value. Things to check: is the passphrase correct? Are the cipher and hash algorithms \
                the same as those used for encryption?";
    Failure::refused(Kind::Unavailable, text)
}

fn sealed(call: &Call) -> Result<String, Failure> {
    let value = word_or_input(call, 0, "Value to encode")?;
    let passphrase = word_or_input(call, 1, "Passphrase")?;
    let term = literal::parse(&value)
        .ok_or_else(|| Failure::refused(Kind::Unavailable, format!("the value is no Erlang term: {value}")))?;
    scheme(call)
        .encrypt(&term, &passphrase)
        .ok_or_else(|| Failure::refused(Kind::Software, "the system gives no random bytes"))
}

/// `encode`.
pub const ENCODE: Command = Command {
    name: "encode",
    section: Section::Configuration,
    summary: "Encrypts a sensitive configuration value to be used in the advanced.config file",
    usage: "encode value passphrase [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>]",
    explains: &[
        ("<value>", "the value, as JSON"),
        ("<passphrase>", "secret the value is encrypted with"),
        ("--cipher <cipher>", "cipher to use"),
        ("--hash <hash>", "hash to derive the key with"),
        ("--iterations <iterations>", "rounds of key derivation"),
    ],
    guides: &["configure"],
    switches: &[Switch::text("cipher"), Switch::text("hash"), Switch::integer("iterations")],
    format: Format::Erlang,
    words: Words::between(0, 2),
    check: check_scheme,
    banner: |_| Some("Encrypting value to be used in advanced.config...".to_owned()),
    run: encode,
    ..Command::BLANK
};

fn encode(call: &Call) -> Result<Answer, Failure> {
    let text = sealed(call)?;
    Ok(Answer::Value(Term::pair(Term::atom("encrypted"), Term::text(text))))
}

/// `encrypt_conf_value`.
pub const ENCRYPT_CONF_VALUE: Command = Command {
    name: "encrypt_conf_value",
    section: Section::Configuration,
    summary: "Encrypts a sensitive configuration value to be used in the advanced.config file",
    usage: "encrypt_conf_value value passphrase [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>]",
    explains: &[
        ("<value>", "the value, as JSON"),
        ("<passphrase>", "secret the value is encrypted with"),
        ("--cipher <cipher>", "cipher to use"),
        ("--hash <hash>", "hash to derive the key with"),
        ("--iterations <iterations>", "rounds of key derivation"),
    ],
    guides: &["configure"],
    switches: &[Switch::text("cipher"), Switch::text("hash"), Switch::integer("iterations")],
    words: Words::between(0, 2),
    check: check_scheme,
    banner: |_| Some("Encrypting value to be used in rabbitmq.conf...".to_owned()),
    run: encrypt_conf_value,
    ..Command::BLANK
};

fn encrypt_conf_value(call: &Call) -> Result<Answer, Failure> {
    let text = sealed(call)?;
    Ok(Answer::Value(match call.format {
        Format::Json => Term::text(text),
        _ => Term::text(format!("{ENCRYPTED}{text}")),
    }))
}

/// `decode`.
pub const DECODE: Command = Command {
    name: "decode",
    section: Section::Configuration,
    summary: "Decrypts an encrypted advanced.config value",
    usage: "decode value passphrase [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>]",
    explains: &[
        ("<value>", "the value, as JSON"),
        ("<passphrase>", "secret the value is encrypted with"),
        ("--cipher <cipher>", "cipher to use"),
        ("--hash <hash>", "hash to derive the key with"),
        ("--iterations <iterations>", "rounds of key derivation"),
    ],
    guides: &["configure"],
    switches: &[Switch::text("cipher"), Switch::text("hash"), Switch::integer("iterations")],
    format: Format::Erlang,
    words: Words::between(0, 2),
    check: check_decode,
    banner: |_| Some("Decrypting an advanced.config (Erlang term) value...".to_owned()),
    run: decode,
    ..Command::BLANK
};

fn check_decode(call: &Call) -> Result<(), Failure> {
    if call.words.is_empty() {
        return Err(Failure::usage("not enough arguments: Please provide a value to decode and a passphrase"));
    }
    check_scheme(call)
}

fn decode(call: &Call) -> Result<Answer, Failure> {
    let passphrase = word_or_input(call, 1, "Passphrase")?;
    let text = match literal::parse(call.word(0)) {
        Some(Term::Tuple(parts)) => match parts.as_slice() {
            [Term::Atom(mark), Term::Text(text) | Term::Chars(text)] if mark == "encrypted" => text.clone(),
            _ => return Err(failed()),
        },
        Some(Term::Text(text) | Term::Chars(text)) => text,
        _ => return Err(failed()),
    };
    scheme(call).decrypt(&text, &passphrase).map(Answer::Value).ok_or_else(failed)
}

/// `decrypt_conf_value`.
pub const DECRYPT_CONF_VALUE: Command = Command {
    name: "decrypt_conf_value",
    section: Section::Configuration,
    summary: "Decrypts an encrypted configuration value",
    usage: "decrypt_conf_value value passphrase [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>]",
    explains: &[
        ("<value>", "the value, as JSON"),
        ("<passphrase>", "secret the value is encrypted with"),
        ("--cipher <cipher>", "cipher to use"),
        ("--hash <hash>", "hash to derive the key with"),
        ("--iterations <iterations>", "rounds of key derivation"),
    ],
    guides: &["configure"],
    switches: &[Switch::text("cipher"), Switch::text("hash"), Switch::integer("iterations")],
    format: Format::Erlang,
    words: Words::between(0, 2),
    check: check_decode,
    banner: |_| Some("Decrypting a rabbitmq.conf string value...".to_owned()),
    run: decrypt_conf_value,
    ..Command::BLANK
};

fn decrypt_conf_value(call: &Call) -> Result<Answer, Failure> {
    let passphrase = word_or_input(call, 1, "Passphrase")?;
    let given = call.word(0);
    let text = match literal::parse(given) {
        Some(Term::Text(text) | Term::Chars(text)) => text,
        _ => given.to_owned(),
    };
    let text = text.strip_prefix(ENCRYPTED).unwrap_or(&text);
    scheme(call).decrypt(text, &passphrase).map(Answer::Value).ok_or_else(failed)
}

/// `hash_password`.
pub const HASH_PASSWORD: Command = Command {
    name: "hash_password",
    section: Section::Other,
    summary: "Hashes a plaintext password",
    usage: "hash_password <cleartext_password> [--hashing-algorithm <algorithm>]",
    explains: &[
        ("<cleartext_password>", "password to hash"),
        ("--hashing-algorithm <algorithm>", "hashing algorithm to use: sha256, sha512, md5"),
    ],
    switches: &[Switch::text("hashing-algorithm")],
    words: Words::between(0, 1),
    check: check_password,
    banner: banner_of_hash,
    run: hash_password,
    ..Command::BLANK
};

fn check_password(call: &Call) -> Result<(), Failure> {
    if call.words.first().is_some_and(String::is_empty) {
        return Err(Failure::bad_argument("password cannot be an empty string"));
    }
    match algorithm(call.switches.text("hashing-algorithm").unwrap_or("sha256")) {
        Some(_) => Ok(()),
        None => {
            let name = call.switches.text("hashing-algorithm").unwrap_or_default();
            Err(Failure::bad_argument(format!("unsupported hashing algorithm: {name}")))
        }
    }
}

fn banner_of_hash(call: &Call) -> Option<String> {
    Some(match call.words.first() {
        Some(password) => format!("Will hash password {password}"),
        None => "Will hash provided password".to_owned(),
    })
}

/// Bytes of salt in front of a stored password hash.
const SALT_BYTES: usize = 4;

type Hash = fn(&[u8]) -> Vec<u8>;

fn algorithm(name: &str) -> Option<Hash> {
    Some(match name.to_lowercase().as_str() {
        "sha256" | "sha-256" => |bytes| Sha256::digest(bytes).to_vec(),
        "sha512" | "sha-512" => |bytes| Sha512::digest(bytes).to_vec(),
        "md5" => |bytes| Md5::digest(bytes).to_vec(),
        _ => return None,
    })
}

fn hash_password(call: &Call) -> Result<Answer, Failure> {
    let password = word_or_input(call, 0, "Password")?;
    let name = call.switches.text("hashing-algorithm").unwrap_or("sha256");
    let hash = algorithm(name).ok_or_else(|| Failure::bad_argument("unsupported hashing algorithm"))?;
    let text = salted(hash, &password).map_err(|error| Failure::refused(Kind::Software, error))?;
    Ok(Answer::Message(text))
}

/// The salted hash of a password, as the node stores it.
///
/// # Errors
/// When there is no such algorithm, or no randomness.
pub fn password_hash(name: &str, password: &str) -> Result<String, String> {
    let hash = algorithm(name).ok_or_else(|| format!("there is no hashing algorithm '{name}'"))?;
    salted(hash, password)
}

/// A salt and the hash of both, as the node stores them.
fn salted(hash: Hash, password: &str) -> Result<String, String> {
    let mut salt = [0_u8; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    let digest = hash(&[&salt[..], password.as_bytes()].concat());
    Ok(base64::engine::general_purpose::STANDARD.encode([&salt[..], &digest].concat()))
}

/// `list_ciphers`.
pub const LIST_CIPHERS: Command = Command {
    name: "list_ciphers",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists cipher suites supported by encoding commands",
    usage: "list_ciphers",
    guides: &["configure", "ssl"],
    format: Format::Erlang,
    banner: |_| Some("Listing supported ciphers ...".to_owned()),
    run: list_ciphers,
    ..Command::BLANK
};

fn list_ciphers(_: &Call) -> Result<Answer, Failure> {
    Ok(names(&CIPHERS))
}

/// `list_hashes`.
pub const LIST_HASHES: Command = Command {
    name: "list_hashes",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists hash functions supported by encoding commands",
    usage: "list_hashes",
    guides: &["configure", "ssl"],
    format: Format::Erlang,
    banner: |_| Some("Listing supported hash algorithms ...".to_owned()),
    run: list_hashes,
    ..Command::BLANK
};

fn list_hashes(_: &Call) -> Result<Answer, Failure> {
    Ok(names(&HASHES))
}

fn names(words: &[&str]) -> Answer {
    Answer::Document(Term::List(words.iter().map(|word| Term::atom(*word)).collect()))
}
