//! From an accepted socket to an open session: protocol header, credentials, tuning, vhost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::session::{Opened, Session};
use crate::amqp091::encode;
use crate::amqp091::frame::{self, FRAME_MAX_INITIAL};
use crate::amqp091::handshake::{
    Capabilities, HEADER_BYTES, Login, OUR_HEADER, Tuned, accepts_header, login, mechanism, server_properties, tune,
};
use crate::amqp091::method::Method;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::limit::check_node_connections;
use crate::domain::mechanism::offered;
use crate::domain::name::VhostName;
use crate::domain::user::User;
use crate::domain::value::FieldTable;
use crate::domain::vhost::VhostLimits;
use crate::error::Error;
use crate::facade::{Broker, Peer, Settings};
use crate::runtime::clock::now_ms;
use crate::runtime::events::connection as events;
use crate::runtime::queue::ConnectionSender;
use crate::runtime::registry::{ConnectionFacts, OpenConnections, connection_name};
use crate::tls::{ClientCertificates, TlsFacts};

/// How long a refused login waits when the client cannot be told in the protocol: slows
/// guessing, and matches the reference.
const REFUSED_LOGIN_PAUSE: Duration = Duration::from_secs(3);

/// Longest wait for the client's `close-ok` after a refusal.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// Where a socket leads.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    /// What encrypts what goes between them.
    pub(super) tls: Option<Arc<TlsFacts>>,
}

struct Handshake<'a, S> {
    socket: &'a mut S,
    input: BytesMut,
    frame_max: u32,
    /// What the client said of itself.
    client_properties: FieldTable,
}

/// Why there is no session: told to the client already, or not worth telling.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

/// Brings a socket to an open session. `None`: the connection is over. What was read
/// beyond the handshake is in the returned buffer.
pub(super) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    broker: &Broker,
    socket: &mut S,
    ends: &Ends,
) -> Option<(Session, BytesMut)> {
    let timeout = broker.settings().handshake_timeout;
    let mut handshake = Handshake {
        socket,
        input: BytesMut::with_capacity(4096),
        frame_max: FRAME_MAX_INITIAL,
        client_properties: FieldTable::new(),
    };
    match tokio::time::timeout(timeout, handshake.run(broker, ends)).await {
        Ok(Ok(session)) => return Some((session, handshake.input)),
        Ok(Err(Over)) => {}
        Err(_) => tracing::warn!(peer = %ends.peer, "handshake timeout: closing a connection"),
    }
    let events = broker.events();
    events.tell(|| {
        let name = connection_name(ends.peer, ends.local);
        events::connection_closed(events.node(), broker.registry().next_id(), &name, &handshake.client_properties)
    });
    None
}

impl<S: AsyncRead + AsyncWrite + Unpin> Handshake<'_, S> {
    async fn run(&mut self, broker: &Broker, ends: &Ends) -> Result<Session, Over> {
        self.protocol_header(ends).await?;
        let settings = broker.settings();
        let properties =
            server_properties(&broker.cluster_name(), &settings.product, &settings.version, &settings.platform);
        let mechanisms = offered(&settings.auth_mechanisms, ends.tls.is_some());
        self.send(|out| encode::connection_start(out, &properties, &mechanisms)).await?;

        let (user, client_properties, mechanism) = self.log_in(broker, ends, &mechanisms).await?;
        let capabilities = Capabilities::of(&client_properties);

        let proposed = Tuned {
            channel_max: settings.channel_max,
            frame_max: settings.frame_max,
            heartbeat_s: settings.heartbeat_s,
        };
        self.send(|out| encode::connection_tune(out, proposed.channel_max, proposed.frame_max, proposed.heartbeat_s))
            .await?;
        let answered = self.method("tuning", |method| match *method {
            Method::ConnectionTuneOk { channel_max, frame_max, heartbeat } => {
                Some(Tuned { channel_max, frame_max, heartbeat_s: heartbeat })
            }
            _ => None,
        });
        let answered = answered.await?;
        let tuned = match tune(proposed, answered) {
            Ok(tuned) => tuned,
            Err(violation) => return Err(self.refuse(&violation, (10, 31)).await),
        };
        self.frame_max = tuned.frame_max;

        let vhost = self
            .method("opening", |method| match *method {
                Method::ConnectionOpen { vhost, .. } => Some(vhost.to_owned()),
                _ => None,
            })
            .await?;
        let vhost = match check_open(broker, &user, &vhost) {
            Ok(vhost) => vhost,
            Err(error) => return Err(self.refuse(&error.into(), (10, 40)).await),
        };
        let Some(vhost_handle) = broker.vhost(&vhost) else {
            let violation = Violation::connection(ReplyCode::InternalError, format!("vhost '{vhost}' is down"));
            return Err(self.refuse(&violation, (10, 40)).await);
        };
        let id = broker.registry().next_id();
        let (sender, events) = ConnectionSender::new();
        let facts = ConnectionFacts {
            peer: ends.peer,
            local: ends.local,
            user: user.name.clone(),
            vhost: vhost.clone(),
            auth_mechanism: mechanism,
            client_properties,
            heartbeat_s: tuned.heartbeat_s,
            frame_max: tuned.frame_max,
            channel_max: tuned.channel_max,
            connected_at_ms: now_ms(),
            tls: ends.tls.clone(),
        };
        // Others may have opened since the check above; this one counts and enters in one step.
        let admit = |open| {
            check_node(broker, open)?;
            broker.directory().vhosts.get(&vhost).map_or(Ok(()), |found| limits(&found.limits, &vhost, &user, open))
        };
        let entry = match broker.registry().add(id, facts, sender.clone(), admit) {
            Ok(entry) => entry,
            Err(error) => return Err(self.refuse(&error.into(), (10, 40)).await),
        };
        broker.events().tell(|| events::connection_created(broker.events().node(), &entry));
        let mut session = Session::new(Opened {
            broker: broker.clone(),
            entry,
            sender,
            events,
            user,
            vhost,
            tuned,
            capabilities,
            vhost_handle,
        });
        encode::connection_open_ok(&mut session.output.bytes);
        Ok(session)
    }

    async fn protocol_header(&mut self, ends: &Ends) -> Result<(), Over> {
        let mut header = [0u8; HEADER_BYTES];
        self.socket.read_exact(&mut header).await?;
        if accepts_header(&header) {
            return Ok(());
        }
        let spoken = match &header {
            header if header.starts_with(b"GET ") || header.starts_with(b"POST ") => "HTTP",
            [0x16, 3, ..] => "TLS (listeners.ssl.default is for that)",
            header if header.starts_with(b"AMQP") => "another AMQP version",
            _ => "something else",
        };
        tracing::warn!(peer = %ends.peer, "a client speaks {spoken} on the AMQP 0-9-1 port: closing the connection");
        self.socket.write_all(&OUR_HEADER).await?;
        self.socket.shutdown().await?;
        Err(Over)
    }

    async fn log_in(
        &mut self,
        broker: &Broker,
        ends: &Ends,
        offered: &str,
    ) -> Result<(Arc<User>, FieldTable, String), Over> {
        let (client_properties, chosen, response) = self
            .method("starting", |method| match method {
                Method::ConnectionStartOk { client_properties, mechanism, response, .. } => {
                    Some((client_properties.clone(), (*mechanism).to_owned(), response.to_vec()))
                }
                _ => None,
            })
            .await?;
        self.client_properties = client_properties.clone();
        let login = match mechanism(&chosen, offered).and_then(|mechanism| login(mechanism, &response)) {
            Ok(login) => login,
            Err(violation) => return Err(self.refuse(&violation, (10, 11)).await),
        };
        let peer = Peer { address: Some(ends.peer.ip().to_canonical()), protocol: "amqp091" };
        let (claimed, authenticated) = match login {
            Login::Password(name, password) => {
                let authenticated = broker.authenticate(&name, &password, peer).await;
                (name, authenticated)
            }
            Login::NotText => (String::new(), Err(Error::InvalidCredentials("not UTF-8".to_owned()))),
            Login::Certificate => match name_in_certificate(broker.settings(), ends) {
                Ok(name) => {
                    let authenticated = broker.authenticate_certificate(&name, peer).await;
                    (name, authenticated)
                }
                Err(error) => {
                    broker.count_refused_login("", peer);
                    (String::new(), Err(error))
                }
            },
        };
        broker.events().tell(|| {
            let refused = authenticated.as_ref().err();
            events::login((ends.peer, ends.local, ends.tls.is_some()), &chosen, &claimed, refused)
        });
        match authenticated {
            Ok(user) => Ok((user, client_properties, chosen)),
            Err(error) => {
                tracing::warn!(peer = %ends.peer, mechanism = chosen, "login refused: {error}");
                if Capabilities::of(&client_properties).authentication_failure_close {
                    let violation = Violation::connection(
                        ReplyCode::AccessRefused,
                        format!(
                            "Login was refused using authentication mechanism {chosen}. For details see the broker logfile."
                        ),
                    );
                    return Err(self.refuse(&violation, (0, 0)).await);
                }
                tokio::time::sleep(REFUSED_LOGIN_PAUSE).await;
                Err(Over)
            }
        }
    }

    /// The next method, when it is the one the state waits for.
    async fn method<T>(&mut self, state: &str, wanted: impl Fn(&Method<'_>) -> Option<T>) -> Result<T, Over> {
        loop {
            let (outcome, used) = match frame::read(&self.input, self.frame_max) {
                Ok(None) => {
                    if self.socket.read_buf(&mut self.input).await? == 0 {
                        return Err(Over);
                    }
                    continue;
                }
                Err(violation) => (Err((violation, (0, 0))), 0),
                Ok(Some(frame)) => {
                    let used = frame.payload.len() + frame::OVERHEAD_BYTES;
                    let channel = frame.channel;
                    if frame.kind == frame::HEARTBEAT {
                        (Ok(None), used)
                    } else {
                        let ids = Method::ids_of(frame.payload);
                        let outcome = match Method::decode(frame.payload) {
                            Ok(method) => wanted(&method).filter(|_| channel == 0).map(Some).ok_or_else(|| {
                                (
                                    Violation::connection(
                                        ReplyCode::ChannelError,
                                        format!("unexpected method in connection state {state}"),
                                    ),
                                    ids,
                                )
                            }),
                            Err(violation) => Err((violation, ids)),
                        };
                        (outcome, used)
                    }
                }
            };
            let _ = self.input.split_to(used);
            match outcome {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => {}
                Err((violation, ids)) => return Err(self.refuse(&violation, ids).await),
            }
        }
    }

    async fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Over> {
        let mut out = Vec::new();
        write(&mut out);
        self.socket.write_all(&out).await?;
        self.socket.flush().await?;
        Ok(())
    }

    /// Says `connection.close`, and waits a bounded time for the client to agree.
    async fn refuse(&mut self, violation: &Violation, ids: (u16, u16)) -> Over {
        tracing::warn!(code = violation.code.number(), "refusing a connection: {}", violation.reply_text());
        let ids = violation.ids(ids);
        let _ = self.send(|out| encode::close(out, 0, violation.code.number(), &violation.reply_text(), ids)).await;
        let agreed = async {
            let mut rest = [0u8; 512];
            let mut tail = Vec::new();
            while let Ok(count @ 1..) = self.socket.read(&mut rest).await {
                tail.extend_from_slice(&rest[..count]);
                if tail.windows(CLOSE_OK.len()).any(|frame| frame == CLOSE_OK) {
                    break;
                }
                tail.drain(..tail.len().saturating_sub(CLOSE_OK.len()));
            }
        };
        let _ = tokio::time::timeout(CLOSE_WAIT, agreed).await;
        Over
    }
}

/// The frame of `connection.close-ok`.
const CLOSE_OK: [u8; 12] = [frame::METHOD, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, frame::END];

/// The user a client's certificate stands for. A certificate that is here has been verified:
/// others end the handshake, and where nobody verifies none is asked for.
fn name_in_certificate(settings: &Settings, ends: &Ends) -> Result<String, Error> {
    let refused = |reason: &str| Error::LoginRefused(reason.to_owned());
    let Some(tls) = &ends.tls else { return Err(refused("the connection is not encrypted")) };
    if settings.amqp_tls.client_certificates == ClientCertificates::Ignored {
        return Err(refused("certificates of clients are not verified: ssl_options.verify is not verify_peer"));
    }
    let Some(peer) = &tls.peer else { return Err(refused("the client showed no certificate")) };
    let name = peer.names.user(settings.certificate_login).filter(|name| !name.is_empty());
    name.map(str::to_owned)
        .ok_or_else(|| refused("the client's certificate holds no name of the kind that ssl_cert_login_from asks for"))
}

/// Whether a user may enter a vhost now.
fn check_open(broker: &Broker, user: &User, name: &str) -> Result<VhostName, Error> {
    let directory = broker.directory();
    let vhost = VhostName::new(name).map_err(|error| Error::NotAllowed(error.to_string()))?;
    let open = broker.registry().open_connections(&vhost, &user.name);
    check_node(broker, open)?;
    let Some(found) = directory.vhosts.get(&vhost) else { return Err(Error::NoSuchVhost(vhost)) };
    limits(&found.limits, &vhost, user, open)?;
    if !directory.may_enter(&user.name, &vhost) {
        return Err(Error::VhostAccessRefused { vhost, user: user.name.clone() });
    }
    Ok(vhost)
}

/// Whether the node takes one more connection.
fn check_node(broker: &Broker, open: OpenConnections) -> Result<(), Error> {
    check_node_connections(broker.settings().connection_max, open.in_all)
}

/// Whether one more connection is within the limits of its vhost and its user.
fn limits(of_vhost: &VhostLimits, vhost: &VhostName, user: &User, open: OpenConnections) -> Result<(), Error> {
    of_vhost.check_connections(vhost, &user.name, open.in_vhost)?;
    user.limits.check_connections(&user.name, open.of_user)
}

impl Session {
    /// Whether the user may open one more channel.
    pub(super) fn check_channel_limit(&self) -> Result<(), Violation> {
        let Some(user) = self.directory.users.get(&self.user) else { return Ok(()) };
        user.limits
            .check_channels(&self.user, self.entry.channels_of_user())
            .map_err(|error| Violation::from(error).anonymous())
    }
}
