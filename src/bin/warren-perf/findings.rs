//! What all workers saw, judged: which messages went wrong, and the figures of the report.

use hdrhistogram::Histogram;

use crate::lane::Published;
use crate::options::Options;
use crate::plan::{Destination, Plan};
use crate::receiver::Consumed;
use crate::report::{Latency, Phase, Report, Server, latencies};
use crate::usage::{Usage, Watch};
use crate::verify::{QueueView, verdict};

/// More failures than this are counted but not listed.
const FAILURES_LISTED_MAX: usize = 20;

/// What was read from the kernel around the run.
pub struct Measured {
    /// Before the first publish.
    pub before: Option<Usage>,
    /// Between publishing and consuming, when the backlog came first.
    pub between: Option<Usage>,
    /// After the last message.
    pub after: Option<Usage>,
    /// After the broker had its rest.
    pub settled: Option<Usage>,
    /// CPU time of this tool in between.
    pub client_cpu_seconds: f64,
}

/// All that is known at the end of a run.
pub struct Findings {
    /// One per publisher, in the order they finished.
    pub published: Vec<Published>,
    /// One per consumer, in the order they finished.
    pub consumed: Vec<Consumed>,
    /// Messages in each queue, when nobody consumed.
    pub held: Option<Vec<u64>>,
    /// Before and after.
    pub measured: Measured,
    /// The watched processes.
    pub watch: Watch,
}

impl Findings {
    /// Judges the run.
    pub fn report(&self, plan: &Plan, options: &Options) -> Report {
        let mut failures = self.failures(plan, options);
        if failures.len() > FAILURES_LISTED_MAX {
            let more = failures.len() - FAILURES_LISTED_MAX;
            failures.truncate(FAILURES_LISTED_MAX);
            failures.push(format!("and {more} more"));
        }
        let cpu = |from: Option<Usage>, to: Option<Usage>| Some(to?.cpu_seconds - from?.cpu_seconds);
        let m = &self.measured;
        let (publish_cpu, deliver_cpu) = match m.between {
            Some(_) => (cpu(m.before, m.between), cpu(m.between, m.after)),
            None => (cpu(m.before, m.after), cpu(m.before, m.after)),
        };
        let messages = self.sent().max(self.delivered());
        let merged = |parts: &mut dyn Iterator<Item = &Histogram<u64>>| {
            let mut all = latencies();
            for part in parts {
                // All histograms have the same bounds, so adding cannot fail.
                let _ = all.add(part);
            }
            Latency::of(&all)
        };
        Report {
            ok: failures.is_empty(),
            failures,
            notes: self.notes(options),
            options: std::env::args().skip(1).map(without_login).collect(),
            publish: self.publish_phase(publish_cpu),
            deliver: self.deliver_phase(options, deliver_cpu),
            confirmed: options.confirm.map(|_| self.published.iter().map(|p| p.confirmed).sum()),
            redelivered: self.consumed.iter().map(|c| c.redelivered).sum(),
            latency_us: merged(&mut self.consumed.iter().map(|c| &c.latency)),
            confirm_latency_us: merged(&mut self.published.iter().filter_map(|p| p.confirm_latency.as_ref())),
            server: self.server(options),
            client_cpu_seconds: m.client_cpu_seconds,
            client_cpu_seconds_per_million: per_million(m.client_cpu_seconds, messages),
        }
    }

    fn sent(&self) -> u64 {
        self.published.iter().flat_map(|p| &p.sent).map(|(_, count)| count).sum()
    }

    fn delivered(&self) -> u64 {
        self.consumed.iter().map(|c| c.delivered).sum()
    }

    fn publish_phase(&self, cpu: Option<f64>) -> Option<Phase> {
        let start = self.published.iter().map(|p| p.started_ns).min()?;
        let end = self.published.iter().map(|p| p.finished_ns).max()?;
        Some(phase(self.sent(), end - start, cpu))
    }

    fn deliver_phase(&self, options: &Options, cpu: Option<f64>) -> Option<Phase> {
        let first = self.consumed.iter().filter_map(|c| c.first_ns).min();
        let end = self.consumed.iter().filter_map(|c| c.last_ns).max()?;
        let published = self.published.iter().map(|p| p.started_ns).min();
        let start = if options.backlog_first { first } else { published.or(first) }?;
        Some(phase(self.delivered(), end.saturating_sub(start), cpu))
    }

    fn server(&self, options: &Options) -> Option<Server> {
        let (before, after) = (self.measured.before?, self.measured.after?);
        Some(Server {
            pids: options.server_pid.clone(),
            cpu_seconds: after.cpu_seconds - before.cpu_seconds,
            resident_kib_before: before.resident_kib,
            resident_kib_published: self.measured.between.map(|between| between.resident_kib),
            resident_kib_peak: self.watch.peak_kib(),
            resident_kib_after: after.resident_kib,
            resident_kib_settled: self.measured.settled.map(|settled| settled.resident_kib),
        })
    }

    fn notes(&self, options: &Options) -> Vec<String> {
        let mut notes = Vec::new();
        let blocked: u64 = self.published.iter().map(|p| p.blocked).sum();
        if blocked > 0 {
            notes.push(format!("the server blocked publishing {blocked} times (memory or disk alarm)"));
        }
        if options.size < crate::payload::ORDER_BYTES && options.consumers > 0 && options.publishers > 0 {
            notes.push("bodies under 8 bytes carry no sequence: only the number of messages was checked".to_owned());
        }
        notes
    }

    fn failures(&self, plan: &Plan, options: &Options) -> Vec<String> {
        let mut failures = Vec::new();
        let mut sum = |what: &str, count: u64| {
            if count > 0 {
                failures.push(format!("{count} {what}"));
            }
        };
        sum("publishes were refused (basic.nack)", self.published.iter().map(|p| p.refused).sum());
        sum("messages were returned as unroutable", self.published.iter().map(|p| p.returned).sum());
        sum(
            "confirms came for publishes that were not outstanding",
            self.published.iter().map(|p| p.unknown_confirms).sum(),
        );
        sum("bodies did not have the size that was sent", self.consumed.iter().map(|c| c.wrong_size).sum());
        sum("consumers waited in vain for more messages", self.consumed.iter().map(|c| u64::from(c.stalled)).sum());
        let stale = |c: &Consumed| c.queues.iter().map(|(_, view, _)| view.stale).sum::<u64>();
        sum("messages are older than this run", self.consumed.iter().map(stale).sum());
        if let Some(held) = &self.held {
            self.judge_held(plan, held, &mut failures);
        }
        if options.consumers > 0 {
            self.judge_delivered(plan, options, &mut failures);
        }
        failures
    }

    /// How many messages publishers sent to a queue.
    fn expected(&self, queue: usize) -> u64 {
        self.published.iter().map(|p| sent_to(p, queue)).sum()
    }

    fn judge_held(&self, plan: &Plan, held: &[u64], failures: &mut Vec<String>) {
        for (queue, (name, held)) in plan.queues.iter().zip(held).enumerate() {
            let expected = self.expected(queue);
            if *held != expected {
                failures.push(format!("queue {name}: holds {held} messages, but {expected} were sent"));
            }
        }
    }

    fn judge_delivered(&self, plan: &Plan, options: &Options, failures: &mut Vec<String>) {
        let mut views: Vec<Vec<&QueueView>> = vec![Vec::new(); plan.queues.len()];
        let mut left = vec![0; plan.queues.len()];
        for (queue, view, held) in self.consumed.iter().flat_map(|c| &c.queues) {
            views[*queue].push(view);
            left[*queue] = *held;
        }
        let reading = options.publishers == 0;
        for (queue, views) in views.iter().enumerate() {
            let name = plan.queues[queue].as_str();
            if left[queue] > 0 {
                failures.push(format!("queue {name}: {} messages are still in it", left[queue]));
            }
            let unmarked: u64 = views.iter().map(|view| view.unmarked).sum();
            if options.size < crate::payload::ORDER_BYTES && !reading {
                let expected = self.expected(queue);
                if unmarked != expected {
                    failures.push(format!("queue {name}: {unmarked} messages came, but {expected} were sent"));
                }
                continue;
            }
            if unmarked > 0 {
                failures.push(format!("queue {name}: {unmarked} messages are too short to be ours"));
            }
            let mut senders: Vec<u32> = views.iter().flat_map(|view| view.senders()).collect();
            senders.extend(self.published.iter().filter(|p| sent_to(p, queue) > 0).map(|p| p.id));
            senders.sort_unstable();
            senders.dedup();
            for sender in senders {
                let expected = self.published.iter().filter(|p| p.id == sender).map(|p| sent_to(p, queue)).sum();
                failures.extend(verdict(name, sender, views, (!reading).then_some(expected)));
            }
        }
    }
}

/// An argument as it may be printed: a URI may hold a password.
fn without_login(argument: String) -> String {
    match (argument.find("amqp://"), argument.rfind('@')) {
        (Some(start), Some(end)) if end > start => format!("{}amqp://…{}", &argument[..start], &argument[end..]),
        _ => argument,
    }
}

fn sent_to(published: &Published, queue: usize) -> u64 {
    let reaches = |to: &Destination| *to == Destination::Every || *to == Destination::Queue(queue);
    published.sent.iter().filter(|(to, _)| reaches(to)).map(|(_, count)| count).sum()
}

fn per_million(seconds: f64, messages: u64) -> f64 {
    if messages == 0 { 0.0 } else { seconds * 1e6 / messages as f64 }
}

fn phase(messages: u64, ns: u64, cpu: Option<f64>) -> Phase {
    let seconds = ns as f64 / 1e9;
    let per_second = if ns == 0 { 0.0 } else { messages as f64 / seconds };
    let server_cpu_seconds_per_million = cpu.map(|cpu| per_million(cpu, messages));
    Phase { messages, seconds, per_second, server_cpu_seconds: cpu, server_cpu_seconds_per_million }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_printed() {
        assert_eq!(without_login("--uri=amqp://u:p@ss@h/v".into()), "--uri=amqp://…@h/v");
        assert_eq!(without_login("amqp://h/v".into()), "amqp://h/v");
        assert_eq!(without_login("-x".into()), "-x");
    }
}
