//! A world as it stands now: documents, faults, and the log of everything that was asked.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicU32;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use serde::{Deserialize, Serialize};

use crate::authority::Authority;
use crate::documents::Documents;
use crate::names::{self, Host};
use crate::rounds::Rounds;
use crate::scenario::{ClientSpec, Faults, Heal, LinkSpec, ProxySpec, ResolverSpec, Scenario, matches};
use crate::{LabError, base, heal};

/// What is there and what is broken.
#[derive(Debug, Clone)]
pub struct World {
    /// ARM's documents.
    pub documents: Documents,
    /// What is broken.
    pub faults: Faults,
    /// The client machine.
    pub client: ClientSpec,
    /// The link between the client and its router, where it is not a plain cable.
    pub link: Option<LinkSpec>,
    /// The corporate proxy.
    pub proxy: Option<ProxySpec>,
    /// The corporate resolver, where it is a real program.
    pub resolver: Option<ResolverSpec>,
    /// Whether the client says in which subnet it stands.
    pub in_subnet: bool,
    /// Hosts that the filters on the way have been told to let through.
    pub allowed: Vec<String>,
    /// What the corporate resolver has been told since.
    pub told: Told,
    /// Settings of the client's kernel, by their names.
    pub sysctls: BTreeMap<String, String>,
    /// ARM actions that the client's identity has been given.
    pub granted: Vec<String>,
    /// Whether a real registry holds the image.
    pub real_registry: bool,
}

/// What a resolver of one's own has been told besides its configuration.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Zones for which it is to ask Azure's resolver.
    pub forwards: Vec<String>,
    /// Names that it answers by itself, or no longer.
    pub records: BTreeMap<String, Option<Ipv4Addr>>,
    /// Zones whose private addresses it is to leave in its answers.
    pub private: Vec<String>,
}

/// One thing that was asked of the world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// The method, or `DNS`, `TLS`, `CONNECT`.
    pub method: String,
    /// The host or name.
    pub host: String,
    /// The path, the record type, or what was done.
    pub path: String,
    /// Where it came from.
    pub source: String,
    /// The status or response code, and the round in which ARM gave it, where it answers in rounds.
    pub answer: String,
}

impl Seen {
    /// The round in which ARM gave this answer.
    pub fn round(&self) -> Option<u32> {
        self.answer.rsplit_once(", round ")?.1.parse().ok()
    }
}

/// A running world, shared by all its servers.
pub struct Lab {
    world: RwLock<World>,
    log: Mutex<Vec<Seen>>,
    /// The certificate authorities.
    pub authority: Authority,
    /// How many requests ARM has throttled.
    pub throttled: AtomicU32,
    /// ARM's answers, where it gives them in rounds.
    pub rounds: Rounds,
}

impl World {
    /// The world that a scenario describes.
    pub fn new(scenario: &Scenario) -> Result<Self, LabError> {
        let base = base::world(&scenario.world)?;
        let in_subnet = scenario.client.in_subnet.unwrap_or(base.in_subnet);
        let mut world = Self {
            documents: base.documents,
            faults: scenario.faults.clone(),
            client: scenario.client.clone(),
            link: scenario.link.clone(),
            proxy: scenario.proxy.clone(),
            resolver: scenario.resolver.clone(),
            in_subnet,
            allowed: Vec::new(),
            told: Told::default(),
            sysctls: BTreeMap::new(),
            granted: Vec::new(),
            real_registry: scenario.real_registry,
        };
        world.change(&scenario.arm, &scenario.remove)?;
        Ok(world)
    }

    /// Applies what mends it.
    pub fn heal(&mut self, heal: &Heal) -> Result<(), LabError> {
        if heal.faults {
            self.faults = Faults::default();
        }
        self.change(&heal.arm, &heal.remove)
    }

    fn change(&mut self, patches: &BTreeMap<String, toml::Value>, remove: &[String]) -> Result<(), LabError> {
        for key in remove {
            self.documents.remove(key)?;
        }
        for (key, patch) in patches {
            self.documents.patch(key, patch)?;
        }
        Ok(())
    }

    /// Whether the filters on the way let a host through, whatever they did before.
    pub fn lets_through(&self, host: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// All hosts.
    pub fn hosts(&self) -> Vec<Host> {
        names::hosts(&self.documents)
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Option<Host> {
        self.hosts().into_iter().find(|h| h.name.eq_ignore_ascii_case(name))
    }

    /// The fault in a table of host patterns that concerns a host, unless the filters let it through.
    pub fn fault_of<T: Copy>(&self, table: &BTreeMap<String, T>, host: &str) -> Option<T> {
        if self.lets_through(host) {
            return None;
        }
        table.iter().find(|(pattern, _)| matches(pattern, host)).map(|(_, fault)| *fault)
    }
}

impl Lab {
    /// Starts a world; nothing runs yet.
    pub fn new(world: World) -> Result<Self, LabError> {
        Ok(Self {
            world: RwLock::new(world),
            log: Mutex::new(Vec::new()),
            authority: Authority::new()?,
            throttled: AtomicU32::new(0),
            rounds: Rounds::default(),
        })
    }

    /// The world as it is now.
    pub fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world.
    pub fn heal(&self, heal: &Heal) -> Result<(), LabError> {
        self.world.write().unwrap_or_else(PoisonError::into_inner).heal(heal)
    }

    /// Does what a report says.
    pub fn apply(&self, changes: &[serde_json::Value]) {
        let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            heal::apply(&mut world, change);
        }
    }

    /// Notes what was asked.
    pub fn note(&self, method: &str, host: &str, path: &str, source: &str, answer: &str) {
        let seen = Seen {
            method: method.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            source: source.to_owned(),
            answer: answer.to_owned(),
        };
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }

    /// Takes what was noted so far.
    pub fn take_log(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
