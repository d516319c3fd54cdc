use clap::Parser as _;

use super::*;

fn settings(environment: &'static [(&str, &str)], local: &[&str], own: &str) -> Defaults {
    let file = |name: &str, text: &str| (PathBuf::from(name), Ini::parse(text));
    Defaults {
        environment: Box::new(|asked| {
            environment.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        }),
        local: local.iter().map(|text| file("local", text)).collect(),
        own: Some(file("own", own)),
    }
}

fn filled(defaults: &Defaults, words: &[&str]) -> (Arguments, Taken) {
    let mut arguments = Arguments::try_parse_from([&["acr-doctor"], words].concat()).unwrap();
    let taken = defaults.fill(&mut arguments);
    (arguments, taken)
}

fn registry(arguments: &Arguments) -> &RegistryArguments {
    match &arguments.command {
        Command::Check(check) => &check.registry,
        Command::Config(config) => &config.registry,
        Command::Endpoints(endpoints) => &endpoints.registry,
        other => panic!("{other:?}"),
    }
}

const OWN: &str = "[defaults]\nacr = own\ngroup = rg\n[core]\noutput = tsv\nno_color = true\nonly_show_errors = on\n\
                   [cloud]\nname = AzureUSGovernment";

#[test]
fn the_environment_goes_before_files_and_near_files_before_far_ones() {
    let near = "[defaults]\nacr = near\n[core]\noutput = yaml";
    for (environment, local, name) in [
        (&[("AZURE_DEFAULTS_ACR", "environment")][..], &[near, "[defaults]\nacr = far"][..], Some("environment")),
        (&[], &[near, "[defaults]\nacr = far"], Some("near")),
        (&[], &["[defaults]\ngroup = x", "[defaults]\nacr = far"], Some("far")),
        (&[], &[], Some("own")),
        (&[("AZURE_DEFAULTS_ACR", "")], &[near], None),
    ] {
        let (arguments, _) = filled(&settings(environment, local, OWN), &["check"]);
        assert_eq!(registry(&arguments).name.as_deref(), name);
        assert_eq!(arguments.global.output, Some(Format::Tsv), "core is not read from a directory's file");
    }
}

#[test]
fn what_is_typed_stands() {
    let (arguments, _) = filled(
        &settings(&[("AZURE_CORE_OUTPUT", "yaml")], &[], OWN),
        &["check", "-n", "typed", "-o", "json", "--cloud", "AzureCloud", "--debug"],
    );
    let GlobalArguments { output, no_color, only_show_errors, .. } = arguments.global;
    assert_eq!((output, no_color, only_show_errors), (Some(Format::Json), true, false));
    let registry = registry(&arguments);
    assert_eq!((registry.name.as_deref(), registry.cloud.as_deref()), (Some("typed"), Some("AzureCloud")));
    assert_eq!(registry.resource_group, None, "a registry's name is unique");
}

#[test]
fn nothing_configured_changes_nothing() {
    let (arguments, taken) = filled(&settings(&[], &[], ""), &["check"]);
    assert_eq!((arguments.global.output, taken), (None, Taken::default()));
    assert!(!arguments.global.no_color && !arguments.global.only_show_errors);
    let registry = registry(&arguments);
    assert_eq!((&registry.name, &registry.cloud, &registry.subscription), (&None, &None, &None));
}

#[test]
fn the_default_registry_stays_out_of_what_is_asked_otherwise() {
    let settings = settings(&[], &[], OWN);
    for (words, name, group) in [
        (&["config"][..], Some("own"), None),
        (&["config", "--subscription", "s"], None, Some("rg")),
        (&["config", "--from", "x.json"], None, None),
        (&["endpoints", "--from", "x.json"], None, None),
    ] {
        let (arguments, _) = filled(&settings, words);
        let registry = registry(&arguments);
        assert_eq!((registry.name.as_deref(), registry.resource_group.as_deref()), (name, group), "{words:?}");
    }
}

#[test]
fn a_login_server_says_its_cloud_itself() {
    let settings = settings(&[], &[], OWN);
    for (name, cloud) in [
        ("contoso", Some("AzureUSGovernment")),
        ("contoso.azurecr.cn", None),
        ("contoso.example", Some("AzureUSGovernment")),
    ] {
        let (arguments, _) = filled(&settings, &["check", "-n", name]);
        assert_eq!(registry(&arguments).cloud.as_deref(), cloud, "{name}");
    }
}

#[test]
fn what_cannot_be_used_is_said_and_passed_over() {
    let environment =
        &[("AZURE_CORE_OUTPUT", "xml"), ("AZURE_CORE_NO_COLOR", "maybe"), ("AZURE_CLOUD_NAME", "AzureStack")];
    let (arguments, taken) = filled(&settings(environment, &[], ""), &["check", "-n", "contoso"]);
    assert_eq!((arguments.global.output, arguments.global.no_color), (None, false));
    assert_eq!(taken.used, Vec::<String>::new());
    let [output, colour, cloud] = taken.unusable.as_slice() else { panic!("{taken:?}") };
    assert_eq!(output, "AZURE_CORE_OUTPUT has 'xml', which is not an output format");
    assert!(colour.starts_with("AZURE_CORE_NO_COLOR has 'maybe'") && cloud.contains("AzureStack"));
}
