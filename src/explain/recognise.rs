//! From a pasted text to the symptom that tells most, and its candidates.

use std::collections::HashSet;

use crate::facts::Code;

use super::clues::{Clues, HostKind};
use super::explanation::{Candidate, Explanation};
use super::symptom::{Lead, Symptom, all};
use super::text;

/// More would be a catalogue, not an answer.
const MOST: usize = 8;

/// Lines that are joined where a terminal or a mail program has broken a message.
const WRAPPED: usize = 200;

/// What conditions in the table can ask for; its test holds the table to them.
#[cfg(test)]
pub(super) const CLUES: [&str; 18] = [
    "login",
    "data",
    "privatelink",
    "storage",
    "authority",
    "arm",
    "mcr",
    "private",
    "public",
    "address",
    "ipv6",
    "proxy",
    "tasks",
    "kubernetes",
    "daemon",
    "registry",
    "mirror",
    "context",
];

/// A text without any of these is not about a registry, unless it names one of its hosts.
const CONTEXT: [&str; 31] = [
    "azurecr",
    "aka.ms/acr/",
    "/v2/",
    "oauth2/token",
    "oauth2/exchange",
    "error response from daemon",
    "failed to pull",
    "pull image",
    "pulling image",
    "imagepull",
    "failed to resolve reference",
    "failed to do request",
    "failed to resolve source metadata",
    "pinging container registry",
    "container registry",
    "containerregistry",
    "container-registry",
    "check-health",
    "az acr",
    "docker login",
    "docker pull",
    "docker push",
    "podman login",
    "podman pull",
    "failed to solve",
    "initializing source docker://",
    "httpreadseeker",
    "error pulling image",
    "registry login server",
    "reading blob",
    "helm pull",
];

/// A line in which a symptom was found.
struct Match {
    symptom: &'static Symptom,
    clues: Clues,
}

/// Explains a pasted text. Never guesses: a text that no symptom fits gets no candidate.
pub fn explain(text: &str) -> Explanation {
    let lines = text::lines(text);
    let whole = Whole::of(&lines);
    let mut matches = find(&lines, &whole);
    if matches.is_empty() && (2..=WRAPPED).contains(&lines.len()) {
        matches = find(&[lines.join(" ")], &whole);
    }
    let Some(first) = matches.first() else {
        return Explanation::new(unknown(&lines), Vec::new());
    };
    let symptom = whole.fill(&first.symptom.says, &first.clues);
    Explanation::new(symptom, candidates(&matches, &whole))
}

fn unknown(lines: &[String]) -> String {
    if lines.is_empty() {
        return "There is no text to explain.".to_owned();
    }
    let foreign = lines.iter().flat_map(|line| Clues::of(line).hosts).find(|h| h.kind == HostKind::Foreign);
    match foreign {
        Some(host) if !lines.iter().any(|line| Clues::of(line).is_related()) => {
            format!("The text is about {}, which is no Azure container registry.", host.name)
        }
        _ => "Not a text that acr-doctor knows; it does not guess.".to_owned(),
    }
}

/// The best symptom of each line, those that tell most first; of equals, the first in the text.
fn find(lines: &[String], whole: &Whole) -> Vec<Match> {
    let mut matches: Vec<Match> = Vec::new();
    let mut seen = HashSet::new();
    for line in lines.iter().filter(|line| seen.insert(line.as_str())) {
        let shown: Vec<&Symptom> = all().iter().filter(|s| s.patterns.iter().any(|p| p.is_in(line))).collect();
        if shown.is_empty() {
            continue;
        }
        let clues = Clues::of(line);
        if clues.is_foreign() {
            continue;
        }
        let best = shown.into_iter().find(|symptom| fits(symptom, line, &clues, lines.len() == 1, whole));
        // A symptom that was found once is not found better elsewhere in the log.
        let fresh = best.filter(|symptom| matches.iter().all(|m| m.symptom.name != symptom.name));
        if let Some(symptom) = fresh {
            matches.push(Match { symptom, clues });
        }
    }
    matches.sort_by_key(|m| std::cmp::Reverse(m.symptom.rank));
    matches
}

fn fits(symptom: &Symptom, line: &str, clues: &Clues, alone: bool, whole: &Whole) -> bool {
    let Some(pattern) = symptom.patterns.iter().find(|p| p.is_in(line)) else { return false };
    if symptom.unless.iter().any(|p| p.is_in(line)) {
        return false;
    }
    if symptom.weak {
        let about_us = clues.is_related() || whole.about_registry || to_https(line, clues);
        let by_itself = alone && pattern.is_all_of(line);
        if !(by_itself || about_us && port_fits(line, clues)) {
            return false;
        }
    }
    symptom.when.as_ref().is_none_or(|when| when.holds(|clue| whole.has(clue, clues)))
}

/// `dial tcp A:443`: an HTTPS client in Go, as every container runtime is.
fn to_https(line: &str, clues: &Clues) -> bool {
    (line.contains("dial tcp") || line.contains("read tcp")) && clues.address.is_some_and(|a| a.port == Some(443))
}

/// A registry is reached on port 443; another port is another service, or a proxy.
fn port_fits(line: &str, clues: &Clues) -> bool {
    line.contains("proxy") || clues.address.and_then(|a| a.port).is_none_or(|port| port == 443)
}

fn candidates(matches: &[Match], whole: &Whole) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for found in matches {
        let clue = |clue: &str| whole.has(clue, &found.clues);
        let leads =
            found.symptom.candidate.iter().filter(|lead| lead.when.as_ref().is_none_or(|when| when.holds(clue)));
        for lead in leads {
            if !candidates.iter().any(|c| c.code.as_str() == lead.code) {
                candidates.push(candidate(lead, found, whole));
            }
        }
    }
    candidates.truncate(MOST);
    candidates
}

fn candidate(lead: &Lead, found: &Match, whole: &Whole) -> Candidate {
    Candidate {
        code: Code::from(lead.code.as_str()),
        why: whole.fill(&lead.why, &found.clues),
        decides: whole.fill(&lead.decides, &found.clues),
        standing: None,
        because: None,
    }
}

/// What the text as a whole tells.
struct Whole {
    about_registry: bool,
    /// A login server or another name of a registry's.
    login: Option<String>,
    /// The address of a line that names the registry, for lines that name none.
    resolved: Clues,
    /// The surroundings that its words tell of: those of [`SURROUNDINGS`].
    surroundings: Vec<&'static str>,
}

/// Clues that stand anywhere in a text, and the words that give them.
const SURROUNDINGS: [(&str, &[&str]); 5] = [
    ("proxy", &["proxy"]),
    (
        "tasks",
        &[
            "acr build",
            "acr task",
            "acr run",
            "agent pool",
            "run id:",
            "queued a run with id",
            "quick build",
            "failed to run step id",
        ],
    ),
    (
        "kubernetes",
        &[
            "kubelet",
            "imagepullbackoff",
            "errimagepull",
            "kubectl",
            "failed to pull image",
            "failed to pull and unpack image",
            "remote_image.go",
            "pod_workers.go",
        ],
    ),
    ("daemon", &["from daemon", "dockerd", "containerd", "rpc error", "cri-o"]),
    ("mirror", &["mirror"]),
];

impl Whole {
    fn of(lines: &[String]) -> Self {
        let has = |words: &[&str]| lines.iter().any(|line| words.iter().any(|word| line.contains(word)));
        let mut login = None;
        let mut resolved = Clues::default();
        for line in lines.iter().filter(|line| line.contains("azurecr")) {
            let clues = Clues::of(line);
            let host =
                clues.hosts.iter().find(|h| matches!(h.kind, HostKind::Login)).or_else(|| {
                    clues.hosts.iter().find(|h| matches!(h.kind, HostKind::Data | HostKind::PrivateLinkName))
                });
            if login.is_none() {
                login = host.and_then(|host| login_server(&host.name));
            }
            if host.is_some() && resolved.address.is_none() {
                resolved.address = clues.address;
            }
        }
        Self {
            about_registry: has(&CONTEXT),
            login,
            resolved,
            surroundings: SURROUNDINGS.iter().filter(|(_, words)| has(words)).map(|(clue, _)| *clue).collect(),
        }
    }

    /// Whether a clue of the table's conditions is there.
    fn has(&self, clue: &str, clues: &Clues) -> bool {
        let kind = |kind| clues.host(kind).is_some();
        let address = clues.address.or(self.resolved.address);
        let private = clues.private().or(self.resolved.private());
        match clue {
            "login" => kind(HostKind::Login),
            "data" => kind(HostKind::Data),
            "privatelink" => kind(HostKind::PrivateLinkName),
            "storage" => kind(HostKind::Storage),
            "authority" => kind(HostKind::Authority),
            "arm" => kind(HostKind::ResourceManager),
            "mcr" => kind(HostKind::MicrosoftRegistry),
            "private" => private == Some(true),
            "public" => private == Some(false),
            "address" => address.is_some(),
            "ipv6" => address.is_some_and(|a| a.ip.is_ipv6()),
            "registry" => self.login.is_some(),
            "context" => self.about_registry,
            other => self.surroundings.contains(&other),
        }
    }

    /// Puts the names that the text gives into a sentence or a command; a name that it does not give
    /// is written as the commands' own help writes it.
    fn fill(&self, template: &str, clues: &Clues) -> String {
        let login = self.login.as_deref();
        // Registry names have no hyphen: what follows one is the hash of a domain name label.
        let registry = login.and_then(|login| login.split(['.', '-']).next()).unwrap_or("NAME");
        // An image's name stands beside the host of its layers, and the layers' host is what failed.
        let layers = clues.hosts.iter().find(|h| matches!(h.kind, HostKind::Data | HostKind::Storage));
        let first = layers.or_else(|| clues.hosts.iter().find(|h| h.kind != HostKind::Foreign));
        let first = first.map(|h| h.name.as_str());
        let host = first.filter(|host| is_full(host)).or(login);
        let address = clues.address.or(self.resolved.address).map(|a| a.ip.to_string());
        let zone = login.and_then(|login| login.split_once('.')).map_or("azurecr.io", |(_, suffix)| suffix);
        template
            .replace("{registry}", registry)
            .replace("{login}", login.unwrap_or("NAME.azurecr.io"))
            .replace("{host}", host.unwrap_or("NAME.azurecr.io"))
            .replace("{name}", host.unwrap_or("the registry's name"))
            .replace("{address}", address.as_deref().unwrap_or("ADDRESS"))
            .replace("{at}", &address.as_ref().map(|a| format!(" ({a})")).unwrap_or_default())
            .replace("{zone}", &format!("privatelink.{zone}"))
    }
}

/// The suffix alone is left where somebody has blackened the name.
fn is_full(host: &str) -> bool {
    !matches!(host, "azurecr.io" | "azurecr.us" | "azurecr.cn" | "azcr.io")
}

/// The login server of a registry's name of any kind: `a.westeurope.data.azurecr.io` → `a.azurecr.io`.
fn login_server(name: &str) -> Option<String> {
    let suffix = ["azurecr.io", "azurecr.us", "azurecr.cn"].into_iter().find(|s| name.ends_with(&format!(".{s}")))?;
    let registry = name.split('.').next()?;
    Some(format!("{registry}.{suffix}"))
}
