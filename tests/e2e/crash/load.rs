//! The clients of the mixed crash test: each works until the broker is gone, and notes what it sent and what it was told.

use std::collections::VecDeque;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard};

use tests::amqp::{Client, Event};

use super::model::{Id, QueueModel, id};

/// Queues that get a copy of every message of the fanout exchange: one is consumed, one consumed in pieces, one purged.
pub const QUEUES: [&str; 3] = ["crash.consumed", "crash.sparse", PURGED];
const PURGED: &str = "crash.purged";
/// Exchanges; both are durable.
pub const FANOUT: &str = "crash.fanout";
pub const TOPIC: &str = "crash.topic";
/// Queues that come and go.
pub const SLOTS: [&str; 6] = ["slot.0", "slot.1", "slot.2", "slot.3", "slot.4", "slot.5"];

/// Unconfirmed publishes of a publisher, and how many it has left when consumers do not keep up.
const WINDOW: usize = 200;
const WINDOW_BEHIND: usize = 4;

/// A consumed queue with more messages is too long: reading it after each kill would take the time.
const BACKLOG_MAX: usize = 2_000;

/// Numbers from a seed, the same ones for the same seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// One of many independent sequences of a seed.
    pub fn new(seed: u64, sequence: u64) -> Self {
        Self(seed ^ sequence.wrapping_mul(0xA076_1D64_78BD_642F))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

/// A queue that comes and goes. Only one client touches it, one step at a time.
#[derive(Debug, Default)]
pub struct Slot {
    /// It was declared, and that was answered.
    pub declared: bool,
    /// The same for its binding to the topic exchange.
    pub bound: bool,
    /// A step without its answer.
    pub open: Option<Step>,
    /// All steps since it was made, the open one among them; what a failure is explained with.
    pub steps: Vec<(Step, String)>,
    pub model: QueueModel,
}

/// What is done to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Declare,
    Delete,
    Bind,
    Unbind,
    Purge,
    Publish,
    /// The server was killed; what came before is as it was found.
    Crash,
}

/// What is known of the broker's content; lives through all rounds. Every lock is taken alone.
#[derive(Debug, Default)]
pub struct World {
    /// By [`QUEUES`].
    pub queues: [Mutex<QueueModel>; QUEUES.len()],
    /// By [`SLOTS`].
    pub slots: Mutex<[Slot; SLOTS.len()]>,
    /// Messages of each publisher so far.
    numbers: [AtomicU64; 3],
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

impl World {
    fn new_id(&self, publisher: usize) -> Id {
        id(publisher as u64, self.numbers[publisher].fetch_add(1, SeqCst))
    }
}

/// From the start of a server to its death.
#[derive(Debug)]
pub struct Round<'a> {
    pub broker: SocketAddr,
    pub world: &'a World,
    pub killed: AtomicBool,
    confirms: Mutex<u64>,
    more: Condvar,
}

impl<'a> Round<'a> {
    pub fn new(broker: SocketAddr, world: &'a World) -> Self {
        Self { broker, world, killed: AtomicBool::new(false), confirms: Mutex::new(0), more: Condvar::new() }
    }

    /// Messages confirmed in this round.
    pub fn confirms(&self) -> u64 {
        *lock(&self.confirms)
    }

    fn note_confirms(&self, count: u64) {
        *lock(&self.confirms) += count;
        self.more.notify_all();
    }

    /// The server is about to die, or a client has failed: nobody waits any more.
    pub fn end(&self) {
        self.killed.store(true, SeqCst);
        drop(lock(&self.confirms));
        self.more.notify_all();
    }

    /// Waits for that many confirms in all; `false` when the round is over.
    pub fn await_confirms(&self, count: u64) -> bool {
        let over = |confirms: &mut u64| *confirms < count && !self.killed.load(SeqCst);
        let confirms = self.more.wait_while(lock(&self.confirms), over).expect("no holder panics");
        *confirms >= count
    }
}

/// The body of a message: its id, then as many octets made from it as its kind has.
fn body_of(id: Id) -> Vec<u8> {
    let filling = match id % 50 {
        0 => 200_000,
        1..=4 => 20_000,
        kind => usize::try_from(kind * kind).unwrap_or_default(),
    };
    let mut body = id.to_be_bytes().to_vec();
    body.extend(id.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().repeat(filling / 8));
    body
}

/// The id of a message that must be whole.
pub fn id_of(body: &[u8]) -> Result<Id> {
    let id = body.first_chunk::<8>().map(|id| Id::from_be_bytes(*id));
    id.filter(|id| body_of(*id) == body).ok_or_else(|| Error::other(format!("a damaged body of {} bytes", body.len())))
}

/// Publishes of one channel that wait for their confirm, in the order of their tags.
#[derive(Debug, Default)]
struct Window {
    tag: u64,
    open: VecDeque<(u64, Id)>,
}

impl Window {
    fn sent(&mut self, id: Id) {
        self.tag += 1;
        self.open.push_back((self.tag, id));
    }

    /// Waits for a confirm; returns the messages it is for.
    fn settle(&mut self, client: &mut Client) -> Result<Vec<Id>> {
        let Event::Confirm { tag: settled, multiple, taken: true } = client.event()? else {
            return Err(Error::other("a publisher was sent something else than a confirm"));
        };
        let meant = |tag: u64| if multiple { tag <= settled } else { tag == settled };
        let ids = self.open.iter().filter(|(tag, _)| meant(*tag)).map(|(_, id)| *id).collect();
        self.open.retain(|(tag, _)| !meant(*tag));
        Ok(ids)
    }
}

/// Publishes with a window of confirms to an exchange, and so to some of the queues.
fn publish(round: &Round<'_>, mut chance: Chance, publisher: usize, to: (&str, &str), queues: &[usize]) -> Result<()> {
    let mut client = Client::connect(round.broker)?;
    client.select_confirms()?;
    let mut window = Window::default();
    loop {
        let behind = queues
            .iter()
            .any(|queue| QUEUES[*queue] != PURGED && lock(&round.world.queues[*queue]).waiting() > BACKLOG_MAX);
        let burst = chance.between(1, if behind { WINDOW_BEHIND } else { WINDOW } as u64) as usize;
        while window.open.len() < burst {
            let id = round.world.new_id(publisher);
            for queue in queues {
                lock(&round.world.queues[*queue]).sending(id);
            }
            client.publish(to.0, to.1, &body_of(id));
            window.sent(id);
        }
        let ids = window.settle(&mut client)?;
        for queue in queues {
            let mut model = lock(&round.world.queues[*queue]);
            ids.iter().for_each(|id| model.confirmed(*id));
        }
        round.note_confirms(ids.len() as u64);
    }
}

/// To all queues.
pub fn publish_to_all(round: &Round<'_>, chance: Chance) -> Result<()> {
    publish(round, chance, 0, (FANOUT, ""), &[0, 1, 2])
}

/// To one of them, beside the other publisher.
pub fn publish_to_one(round: &Round<'_>, chance: Chance) -> Result<()> {
    publish(round, chance, 1, ("", QUEUES[0]), &[0])
}

/// Sends the acknowledgements that were appended and waits until the broker has surely handed them to the queue: the second
/// question is read after everything that came with the first has been dealt with.
fn settle(client: &mut Client, model: &Mutex<QueueModel>, ids: &mut Vec<Id>, prefetch: u16) -> Result<()> {
    client.limit(prefetch)?;
    client.limit(prefetch)?;
    let mut model = lock(model);
    ids.drain(..).for_each(|id| model.settled(id));
    Ok(())
}

/// Acknowledges everything, in batches.
pub fn consume(round: &Round<'_>, mut chance: Chance) -> Result<()> {
    const PREFETCH: u16 = 300;
    let (mut client, model) = (Client::connect(round.broker)?, &round.world.queues[0]);
    client.consume(QUEUES[0], PREFETCH)?;
    let mut batch = Vec::new();
    let mut enough = 1;
    loop {
        let Event::Delivery { tag, body, .. } = client.event()? else { continue };
        batch.push(id_of(&body)?);
        if batch.len() < enough {
            continue;
        }
        batch.iter().for_each(|id| lock(model).settling(*id));
        client.ack(tag, true);
        settle(&mut client, model, &mut batch, PREFETCH)?;
        enough = chance.between(1, u64::from(PREFETCH) / 2) as usize;
    }
}

/// Acknowledges one by one and out of order, gives some back, drops some, and holds on to some.
pub fn consume_in_pieces(round: &Round<'_>, mut chance: Chance) -> Result<()> {
    const PREFETCH: u16 = 400;
    const HELD_MAX: usize = 200;
    let (mut client, model) = (Client::connect(round.broker)?, &round.world.queues[1]);
    client.consume(QUEUES[1], PREFETCH)?;
    let (mut held, mut settling) = (VecDeque::new(), Vec::new());
    loop {
        let Event::Delivery { tag, redelivered, body } = client.event()? else { continue };
        let id = id_of(&body)?;
        match chance.below(10) {
            0 if !redelivered => client.nack(tag, true),
            0 | 1 => {
                lock(model).settling(id);
                client.nack(tag, false);
                settling.push(id);
            }
            2..=6 => {
                lock(model).settling(id);
                client.ack(tag, false);
                settling.push(id);
            }
            _ => held.push_back((tag, id)),
        }
        if held.len() > HELD_MAX {
            for (tag, id) in held.drain(..HELD_MAX / 2) {
                lock(model).settling(id);
                client.ack(tag, false);
                settling.push(id);
            }
        }
        if settling.len() as u64 > chance.below(200) {
            settle(&mut client, model, &mut settling, PREFETCH)?;
        }
    }
}

/// Purges a queue nobody consumes, now and then.
pub fn purge(round: &Round<'_>, mut chance: Chance) -> Result<()> {
    let (mut client, model) = (Client::connect(round.broker)?, &round.world.queues[2]);
    loop {
        if !round.await_confirms(round.confirms() + chance.between(50, 1500)) {
            return Err(Error::other("the round is over"));
        }
        let certain = lock(model).purging();
        client.purge(PURGED)?;
        lock(model).purged(&certain);
    }
}

/// Declares, binds, fills, purges and deletes queues, one step after the other.
pub fn rebuild(round: &Round<'_>, mut chance: Chance) -> Result<()> {
    let mut client = Client::connect(round.broker)?;
    client.select_confirms()?;
    let mut window = Window::default();
    loop {
        let at = chance.below(SLOTS.len() as u64) as usize;
        let step = {
            let mut slots = lock(&round.world.slots);
            let slot = &mut slots[at];
            let step = match chance.below(10) {
                _ if !slot.declared => Step::Declare,
                0 => Step::Delete,
                1..=3 if slot.bound => Step::Unbind,
                1..=3 => Step::Bind,
                4 => Step::Purge,
                _ => Step::Publish,
            };
            slot.open = Some(step);
            slot.steps.push((step, String::new()));
            step
        };
        take_step(round.world, (&mut client, &mut window), &mut chance, (at, step))?;
        lock(&round.world.slots)[at].open = None;
    }
}

fn take_step(
    world: &World,
    (client, window): (&mut Client, &mut Window),
    chance: &mut Chance,
    (at, step): (usize, Step),
) -> Result<()> {
    let name = SLOTS[at];
    let change = |change: &mut dyn FnMut(&mut Slot)| change(&mut lock(&world.slots)[at]);
    match step {
        Step::Declare => {
            client.declare_queue(name)?;
            change(&mut |slot| (slot.declared, slot.bound) = (true, false));
        }
        Step::Delete => {
            client.delete_queue(name)?;
            change(&mut |slot| {
                *slot = Slot { open: Some(step), steps: vec![(step, String::new())], ..Slot::default() }
            });
        }
        Step::Bind => {
            client.bind(name, TOPIC, name)?;
            change(&mut |slot| slot.bound = true);
        }
        Step::Unbind => {
            client.unbind(name, TOPIC, name)?;
            change(&mut |slot| slot.bound = false);
        }
        Step::Purge => {
            let mut certain = Vec::new();
            change(&mut |slot| certain = slot.model.purging());
            client.purge(name)?;
            change(&mut |slot| slot.model.purged(&certain));
        }
        Step::Crash => {}
        Step::Publish => {
            let mut bound = false;
            change(&mut |slot| bound = slot.bound);
            // Through its binding as well as without.
            let exchange = if bound && chance.percent(50) { TOPIC } else { "" };
            for _ in 0..chance.between(1, 20) {
                let id = world.new_id(2);
                change(&mut |slot| {
                    slot.model.sending(id);
                    if let Some((_, what)) = slot.steps.last_mut() {
                        *what = format!("{exchange}<{}", id & 0xff_ffff);
                    }
                });
                client.publish(exchange, name, &body_of(id));
                window.sent(id);
            }
            while !window.open.is_empty() {
                for id in window.settle(client)? {
                    change(&mut |slot| slot.model.confirmed(id));
                }
            }
        }
    }
    Ok(())
}
