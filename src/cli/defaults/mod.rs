//! What the Azure CLI has configured stands where an argument is left out.
//!
//! As az has it (knack's `CLIConfig`): the environment, `AZURE_{SECTION}_{OPTION}`; for `defaults` then the files
//! `.azure/config` of the working directory and of those above it; last the user's own file, in `AZURE_CONFIG_DIR` or
//! `~/.azure`. `az config set defaults.acr=…` and `az configure --defaults acr=…` write these files.

mod ini;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;

use crate::facts::{Cloud, RegistryReference};

use super::args::{Arguments, Command, Format, GlobalArguments, RegistryArguments};
use ini::Ini;

/// More than any config file of az.
const LIMIT: u64 = 1 << 20;

/// A variable's value, by its name.
type Environment = Box<dyn Fn(&str) -> Option<String>>;

/// The Azure CLI's settings.
pub(super) struct Defaults {
    environment: Environment,
    /// The nearest first.
    local: Vec<(PathBuf, Ini)>,
    own: Option<(PathBuf, Ini)>,
}

/// A setting, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    value: String,
    source: String,
}

/// What was taken from the settings, for the log, and what cannot be used.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// `argument 'value' (source)`.
    pub(super) used: Vec<String>,
    /// One sentence each.
    pub(super) unusable: Vec<String>,
}

impl Defaults {
    /// The settings of whoever runs this program here.
    pub(super) fn here() -> Self {
        let environment = |name: &str| std::env::var(name).ok();
        let home = environment("HOME").or_else(|| environment("USERPROFILE")).map(PathBuf::from);
        let own = environment("AZURE_CONFIG_DIR")
            .filter(|own| !own.is_empty())
            .map(PathBuf::from)
            .or_else(|| home.map(|home| home.join(".azure")));
        Self::of(environment, std::env::current_dir().ok().as_deref(), own.as_deref())
    }

    fn of(
        environment: impl Fn(&str) -> Option<String> + 'static,
        directory: Option<&Path>,
        own: Option<&Path>,
    ) -> Self {
        let name = own.and_then(Path::file_name).unwrap_or(".azure".as_ref());
        let above = directory.into_iter().flat_map(Path::ancestors).map(|directory| directory.join(name));
        Self {
            environment: Box::new(environment),
            local: above.take_while(|at| Some(at.as_path()) != own).filter_map(|at| config_file(&at)).collect(),
            own: own.and_then(config_file),
        }
    }

    fn setting(&self, section: &str, option: &str) -> Option<Setting> {
        let variable = format!("AZURE_{}_{}", section.to_uppercase(), option.to_uppercase());
        if let Some(value) = (self.environment)(&variable) {
            // An empty variable unsets what a file says.
            return (!value.is_empty()).then_some(Setting { value, source: variable });
        }
        // Only defaults are local to a directory.
        let local = self.local.iter().filter(|_| section == "defaults");
        local.chain(&self.own).find_map(|(path, ini)| {
            let value = ini.get(section, option).filter(|value| !value.is_empty())?.to_owned();
            Some(Setting { value, source: path.display().to_string() })
        })
    }

    /// Puts the settings where the user gave nothing.
    pub(super) fn fill(&self, arguments: &mut Arguments) -> Taken {
        let mut filling = Filling { settings: self, taken: Taken::default() };
        filling.global(&mut arguments.global);
        match &mut arguments.command {
            Command::Check(check) => {
                if check.from.is_some() {
                    // The cluster's, as `az aks` has it.
                    filling.text(&mut check.registry.resource_group, "--resource-group", "group");
                }
                filling.registry(&mut check.registry);
                filling.audience(&mut check.vantage.registry_audience);
            }
            Command::CheckHealth(health) => {
                filling.registry(&mut health.registry);
                filling.audience(&mut health.registry_audience);
            }
            Command::Config(config) if config.from.is_empty() => {
                if config.registry.subscription.is_none() {
                    filling.name(&mut config.registry.name);
                }
                if config.registry.name.is_none() {
                    filling.text(&mut config.registry.resource_group, "--resource-group", "group");
                }
                filling.place(&mut config.registry);
            }
            Command::Probe(probe) => {
                if probe.login_server.is_none() {
                    filling.name(&mut probe.name);
                }
                let host = probe.login_server.clone().or_else(|| probe.name.clone());
                filling.cloud(&mut probe.cloud, host.as_deref());
            }
            Command::Endpoints(endpoints) if endpoints.from.is_empty() => filling.registry(&mut endpoints.registry),
            // Only who names a registry wants it to be looked at.
            Command::Explain(explain) if explain.registry.name.is_some() => filling.place(&mut explain.registry),
            Command::Logs(logs) => filling.registry(&mut logs.registry),
            Command::Whatif(whatif) if whatif.config.is_empty() => filling.registry(&mut whatif.registry),
            Command::Audit(audit) => filling.cloud(&mut audit.azure.cloud, None),
            Command::Config(_)
            | Command::Endpoints(_)
            | Command::Whatif(_)
            | Command::Reconcile(_)
            | Command::Explain(_)
            | Command::Permissions(_)
            | Command::Completions { .. }
            | Command::Man(_) => {}
        }
        filling.taken
    }
}

/// A directory's config file, if there is one that can be read.
fn config_file(directory: &Path) -> Option<(PathBuf, Ini)> {
    let path = directory.join("config");
    let mut bytes = Vec::new();
    File::open(&path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some((path, Ini::parse(&String::from_utf8_lossy(&bytes))))
}

struct Filling<'a> {
    settings: &'a Defaults,
    taken: Taken,
}

impl Filling<'_> {
    fn global(&mut self, global: &mut GlobalArguments) {
        if global.output.is_none()
            && let Some(setting) = self.settings.setting("core", "output")
        {
            match Format::from_str(&setting.value, true) {
                Ok(format) => {
                    self.note("--output", &setting);
                    global.output = Some(format);
                }
                Err(_) => self.refuse("an output format", &setting),
            }
        }
        global.no_color |= self.switch("no_color");
        // As az: who asks for more is not answered with less.
        let louder = global.verbose || global.debug;
        global.only_show_errors |= !louder && self.switch("only_show_errors");
    }

    fn switch(&mut self, option: &str) -> bool {
        let Some(setting) = self.settings.setting("core", option) else { return false };
        match setting.value.to_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => true,
            "0" | "no" | "false" | "off" => false,
            _ => {
                self.refuse("true or false", &setting);
                false
            }
        }
    }

    /// Which registry, in whose subscription and cloud. Its group is not taken: a registry's name is unique, and a
    /// default that is meant for other resources would hide it.
    fn registry(&mut self, registry: &mut RegistryArguments) {
        self.name(&mut registry.name);
        self.place(registry);
    }

    fn place(&mut self, registry: &mut RegistryArguments) {
        self.text(&mut registry.subscription, "--subscription", "subscription");
        let name = registry.name.clone();
        self.cloud(&mut registry.cloud, name.as_deref());
    }

    fn name(&mut self, name: &mut Option<String>) {
        self.text(name, "--name", "acr");
    }

    /// `acr.audience_resource`, as `az acr login` takes it.
    fn audience(&mut self, audience: &mut Option<String>) {
        if let Some(setting) = self.settings.setting("acr", "audience_resource") {
            self.note("the registry's token is asked for", &setting);
            *audience = Some(setting.value);
        }
    }

    fn text(&mut self, argument: &mut Option<String>, flag: &str, option: &str) {
        if argument.is_none()
            && let Some(setting) = self.settings.setting("defaults", option)
        {
            self.note(flag, &setting);
            *argument = Some(setting.value);
        }
    }

    /// The cloud that az is set to, unless the registry's own name says another.
    fn cloud(&mut self, cloud: &mut Option<String>, registry: Option<&str>) {
        let named = |host: RegistryReference| match host {
            RegistryReference::LoginServer(host) => Cloud::of_registry_host(&host),
            RegistryReference::Name(_) | RegistryReference::Id(_) => None,
        };
        let by_host = registry.and_then(|text| text.parse().ok()).and_then(named);
        if cloud.is_some() || by_host.is_some() {
            return;
        }
        let Some(setting) = self.settings.setting("cloud", "name") else { return };
        match Cloud::named(&setting.value) {
            Some(known) if known == Cloud::public() => {}
            Some(known) => {
                self.note("--cloud", &setting);
                *cloud = Some(known.name);
            }
            None => self.refuse("a cloud that is built in (--cloud FILE describes another)", &setting),
        }
    }

    fn note(&mut self, flag: &str, setting: &Setting) {
        self.taken.used.push(format!("{flag} '{}' ({})", setting.value, setting.source));
    }

    fn refuse(&mut self, expected: &str, setting: &Setting) {
        self.taken.unusable.push(format!("{} has '{}', which is not {expected}", setting.source, setting.value));
    }
}

#[cfg(test)]
mod tests;
