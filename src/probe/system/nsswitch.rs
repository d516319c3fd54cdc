//! The `hosts:` line of nsswitch.conf(5): who is asked for a name, in which order, and when the asking ends.

use crate::facts::dns::{DnsAnswer, DnsOutcome};

/// A source that can know a registry's name. Others (`myhostname`, `mymachines`, `mdns4_minimal`, …) answer for names of
/// this host, its containers or `.local`, and are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `files`: the hosts file.
    Files,
    /// `resolve`: systemd-resolved, whatever resolv.conf says.
    Resolve,
    /// `dns`: the servers of resolv.conf.
    Dns,
}

/// How asking one source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has the name.
    Success,
    /// It says that there is no such name.
    NotFound,
    /// It is not there, or nothing of it answers.
    Unavailable,
    /// It failed for now.
    TryAgain,
}

impl Status {
    /// What an answer means to the C library; no answer means that the source does not have the name.
    pub fn of(answer: Option<&DnsAnswer>) -> Self {
        match answer.map(|answer| &answer.outcome) {
            Some(DnsOutcome::Resolved) => Self::Success,
            None | Some(DnsOutcome::NameNotFound | DnsOutcome::NoAddress) => Self::NotFound,
            Some(DnsOutcome::TimedOut | DnsOutcome::Unreachable(_)) => Self::Unavailable,
            Some(DnsOutcome::ServerFailure | DnsOutcome::Refused | DnsOutcome::Other(_)) => Self::TryAgain,
        }
    }
}

/// A source, and the statuses after which no further one is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Who is asked.
    pub source: Source,
    ends: Vec<Status>,
}

impl Step {
    fn usual(source: Source) -> Self {
        Self { source, ends: vec![Status::Success] }
    }

    /// Whether the asking ends with this status.
    pub fn ends_with(&self, status: Status) -> bool {
        self.ends.contains(&status)
    }

    /// Applies the inside of `[NOTFOUND=return]`, `[!UNAVAIL=return]`, …
    fn apply(&mut self, criteria: &str) {
        for (statuses, action) in criteria.split_whitespace().filter_map(|one| one.split_once('=')) {
            let (negated, name) = statuses.strip_prefix('!').map_or((false, statuses), |name| (true, name));
            let Some(named) = status(name) else { continue };
            for status in [Status::Success, Status::NotFound, Status::Unavailable, Status::TryAgain] {
                if (status == named) == negated {
                    continue;
                }
                self.ends.retain(|known| *known != status);
                if action.eq_ignore_ascii_case("return") {
                    self.ends.push(status);
                }
            }
        }
    }
}

fn status(name: &str) -> Option<Status> {
    let statuses = [
        ("success", Status::Success),
        ("notfound", Status::NotFound),
        ("unavail", Status::Unavailable),
        ("tryagain", Status::TryAgain),
    ];
    statuses.into_iter().find(|(word, _)| name.eq_ignore_ascii_case(word)).map(|(_, status)| status)
}

/// The order where nobody says otherwise: as the C library's default, and everywhere else.
pub fn default_order() -> Vec<Step> {
    vec![Step::usual(Source::Files), Step::usual(Source::Dns)]
}

/// The steps of the `hosts:` line, in order; without the line, [`default_order`].
pub fn parse(text: &str) -> Vec<Step> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let Some(sources) = lines.filter_map(|line| line.strip_prefix("hosts:")).next_back() else {
        return default_order();
    };
    let mut steps: Vec<Step> = Vec::new();
    // Whether criteria belong to the last of `steps`, not to a source that is passed over.
    let mut is_known = false;
    let mut rest = sources.trim_start();
    while !rest.is_empty() {
        if let Some(criteria) = rest.strip_prefix('[') {
            let (criteria, after) = criteria.split_once(']').unwrap_or((criteria, ""));
            if let Some(step) = steps.last_mut().filter(|_| is_known) {
                step.apply(criteria);
            }
            rest = after.trim_start();
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let source = match word {
            "files" => Some(Source::Files),
            "resolve" => Some(Source::Resolve),
            "dns" => Some(Source::Dns),
            _ => None,
        };
        is_known = source.is_some();
        steps.extend(source.map(Step::usual));
        rest = after.trim_start();
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Vec<Source> {
        parse(text).iter().map(|step| step.source).collect()
    }

    #[test]
    fn the_order_is_the_lines_and_strangers_are_passed_over() {
        assert_eq!(sources(""), [Source::Files, Source::Dns]);
        assert_eq!(sources("passwd: files\nhosts: dns  files # why not\n"), [Source::Dns, Source::Files]);
        assert_eq!(sources("hosts:\tfiles myhostname mymachines"), [Source::Files]);
        let fedora = "hosts: files myhostname resolve [!UNAVAIL=return] dns";
        assert_eq!(sources(fedora), [Source::Files, Source::Resolve, Source::Dns]);
    }

    #[test]
    fn criteria_belong_to_the_source_before_them() {
        let ubuntu = parse("hosts: files mdns4_minimal [NOTFOUND=return] dns");
        assert!(ubuntu.iter().all(|step| !step.ends_with(Status::NotFound)), "{ubuntu:?}");
        let fedora = parse("hosts: resolve[!UNAVAIL=return] dns");
        let ends = |status| fedora[0].ends_with(status);
        assert!(ends(Status::Success) && ends(Status::NotFound) && ends(Status::TryAgain));
        assert!(!ends(Status::Unavailable));
        let closed = parse("hosts: files [notfound=RETURN success=continue] dns");
        assert!(closed[0].ends_with(Status::NotFound) && !closed[0].ends_with(Status::Success));
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read(text in "(?s).{0,200}") {
            parse(&text);
            parse(&format!("hosts: {text}"));
        }
    }
}
