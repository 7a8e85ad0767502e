//! What a page of `/metrics/detailed` is asked for: groups of families, vhosts, queues.

use broker::domain::name::VhostName;
use fancy_regex::{Regex, RegexBuilder};

use super::Group;
use crate::query::QueryString;

/// Longest pattern for queue names, in bytes, as in the reference.
const QUEUE_PATTERN_BYTES_MAX: usize = 2000;

/// Steps a match may take; a name whose match takes more does not match.
const BACKTRACK_STEPS_MAX: usize = 100_000;

/// What to show.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    groups: Vec<Group>,
    /// `None`: all.
    vhosts: Option<Vec<String>>,
    queue: Option<Regex>,
}

impl Filter {
    /// Reads a query. Names that are nothing are left out, as the reference does.
    ///
    /// # Errors
    /// The reference's words about a pattern it does not take.
    pub(crate) fn parse(query: &QueryString) -> Result<Self, String> {
        let groups = query.all("family").filter_map(Group::named).collect();
        let vhosts: Vec<_> = query.all("vhost").map(str::to_owned).collect();
        let mut patterns = query.all("queue");
        let pattern = patterns.next().filter(|pattern| !pattern.is_empty());
        if patterns.next().is_some() {
            return Err("Only one 'queue' query parameter is allowed".to_owned());
        }
        let queue = match pattern {
            None => None,
            Some(pattern) if pattern.len() > QUEUE_PATTERN_BYTES_MAX => {
                return Err("'queue' regex too long".to_owned());
            }
            Some(pattern) => {
                let built = RegexBuilder::new(pattern).backtrack_limit(BACKTRACK_STEPS_MAX).build();
                Some(built.map_err(|error| format!("Invalid 'queue' regex: {error}"))?)
            }
        };
        Ok(Self { groups, vhosts: (!vhosts.is_empty()).then_some(vhosts), queue })
    }

    /// Whether a group was asked for.
    pub(crate) fn wants(&self, group: Group) -> bool {
        self.groups.contains(&group)
    }

    /// Whether a vhost is shown.
    pub(crate) fn shows_vhost(&self, vhost: &VhostName) -> bool {
        self.vhosts.as_ref().is_none_or(|shown| shown.iter().any(|name| name == vhost.as_str()))
    }

    /// Whether a queue of this name is shown.
    pub(crate) fn shows_queue(&self, name: &str) -> bool {
        self.queue.as_ref().is_none_or(|pattern| pattern.is_match(name).unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Filter, String> {
        Filter::parse(&QueryString::parse(Some(query)))
    }

    #[test]
    fn groups_vhosts_and_queues_are_chosen() {
        let filter = parse("family=queue_metrics&family=nope&family=vhost_status&vhost=a&vhost=b&queue=%5Ex").unwrap();
        assert!(filter.wants(Group::Queue) && filter.wants(Group::VhostStatus) && !filter.wants(Group::QueueCoarse));
        let vhost = |name: &str| VhostName::new(name).unwrap();
        assert!(filter.shows_vhost(&vhost("b")) && !filter.shows_vhost(&vhost("/")));
        assert!(filter.shows_queue("x1") && !filter.shows_queue("1x"));
        let all = parse("queue=").unwrap();
        assert!(all.shows_vhost(&vhost("/")) && all.shows_queue("") && !all.wants(Group::Queue));
    }

    #[test]
    fn patterns_that_are_none_are_refused() {
        for (query, reason) in [
            ("queue=a&queue=b", "Only one 'queue' query parameter is allowed"),
            (&*format!("queue={}", "a".repeat(2001)), "'queue' regex too long"),
        ] {
            assert_eq!(parse(query).unwrap_err(), reason);
        }
        assert!(parse("queue=%28").unwrap_err().starts_with("Invalid 'queue' regex"));
        assert!(!parse("queue=%28a%2B%29%2B%24b").unwrap().shows_queue(&"a".repeat(60)), "given up, not waited for");
    }
}
