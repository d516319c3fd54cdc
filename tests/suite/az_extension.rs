//! The Azure CLI extension knows this program's commands from a file, which is written from them.

use std::fs;

use acr_doctor::cli::args::Arguments;
use clap::{Arg, ArgAction, Command, CommandFactory};
use serde_json::{Value, json};

use crate::golden::{self, root};

/// These make no sense below `az`.
const OWN: [&str; 2] = ["completions", "man"];

fn one(command: &Command) -> Value {
    said(json!({
        "name": command.get_name(),
        "about": text(command.get_about()),
        "afterHelp": text(command.get_after_help()),
        "arguments": command.get_arguments().filter(|a| !a.is_hide_set() && !is_global(a)).map(argument).collect::<Vec<_>>(),
    }))
}

/// Without the members that say nothing.
fn said(mut object: Value) -> Value {
    let says_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    };
    if let Value::Object(members) = &mut object {
        members.retain(|name, value| name == "arguments" || !says_nothing(value));
    }
    object
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

/// The arguments of every command, and clap's own, are az's.
fn is_global(argument: &Arg) -> bool {
    argument.is_global_set() || matches!(argument.get_action(), ArgAction::Help | ArgAction::Version)
}

fn argument(argument: &Arg) -> Value {
    let takes_value = argument.get_action().takes_values();
    let many = takes_value && argument.get_num_args().is_some_and(|range| range.max_values() > 1);
    let values = argument.get_value_names().unwrap_or_default();
    let choices = argument.get_possible_values();
    let defaults = argument.get_default_values();
    said(json!({
        "id": argument.get_id().as_str(),
        "long": argument.get_long(),
        "short": argument.get_short(),
        "help": text(argument.get_help()),
        "heading": argument.get_help_heading(),
        "value": values.first().filter(|_| takes_value).map(ToString::to_string),
        "choices": choices.iter().filter(|_| takes_value).map(clap::builder::PossibleValue::get_name).collect::<Vec<_>>(),
        "default": defaults.first().filter(|_| takes_value).map(|v| v.to_string_lossy()),
        "many": many,
        "repeated": matches!(argument.get_action(), ArgAction::Append),
        "required": argument.is_required_set(),
    }))
}

#[test]
fn the_extension_knows_every_command_and_argument() {
    let mut program = Arguments::command();
    program.build();
    let commands = program.get_subcommands().filter(|c| !OWN.contains(&c.get_name()));
    let document = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commands": commands.map(one).collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&document).unwrap();
    golden::check("packaging/az-extension/azext_acr_doctor/commands.json", &(text + "\n"));
}

#[test]
fn the_extension_has_the_variable_that_the_program_reads() {
    let program = fs::read_to_string(root().join("src/config/sign_in/running_az.rs")).unwrap();
    let extension = fs::read_to_string(root().join("packaging/az-extension/azext_acr_doctor/account.py")).unwrap();
    assert!(program.contains("\"ACR_DOCTOR_AZ\"") && extension.contains("\"ACR_DOCTOR_AZ\""));
}
