//! Makes fixes: from sentences, commands, changes and steps.

use crate::facts::{Change, Fix, Step};

impl Fix {
    /// A fix with a command to paste.
    pub fn command(summary: impl Into<String>, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..Self::advice(summary) }
    }

    /// A fix without a command: something outside Azure and this host.
    pub fn advice(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            command: None,
            widens_access: false,
            change: None,
            steps: Vec::new(),
            bicep: None,
            terraform: None,
        }
    }

    /// What takes several steps, in their order; one alone is no sequence.
    /// A step without a command leaves the whole without one: half a command mends nothing.
    pub fn steps(summary: impl Into<String>, steps: impl IntoIterator<Item = Self>) -> Self {
        let mut steps: Vec<Self> = steps.into_iter().collect();
        let summary = summary.into();
        if let [_] = steps.as_slice() {
            return steps
                .pop()
                .map_or_else(|| Self::advice(summary.clone()), |one| Self { summary: summary.clone(), ..one });
        }
        let commands: Option<Vec<String>> = steps.iter().map(|step| step.command.clone()).collect();
        Self {
            command: commands.filter(|all| !all.is_empty()).map(|all| all.join(" &&\n")),
            widens_access: steps.iter().any(|step| step.widens_access),
            steps: steps.into_iter().map(Step::from).collect(),
            ..Self::advice(summary)
        }
    }

    /// The same as data.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.change = Some(change);
        self
    }

    /// Says that it opens more than this client needs.
    #[must_use]
    pub fn widening(mut self) -> Self {
        self.widens_access = true;
        self
    }

    /// The resource type or property in Bicep, and the resource or argument in Terraform.
    #[must_use]
    pub fn iac(mut self, bicep: impl Into<String>, terraform: impl Into<String>) -> Self {
        self.terraform = Some(terraform.into());
        self.bicep(bicep)
    }

    /// The property in Bicep, where Terraform's azurerm has no argument for it.
    #[must_use]
    pub fn bicep(mut self, bicep: impl Into<String>) -> Self {
        self.bicep = Some(bicep.into());
        self
    }

    /// The same with another sentence.
    #[must_use]
    pub fn saying(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }
}

impl From<Fix> for Step {
    fn from(fix: Fix) -> Self {
        let Fix { summary, command, change, bicep, terraform, .. } = fix;
        Self { summary, command, change, bicep, terraform }
    }
}

impl From<Step> for Fix {
    fn from(step: Step) -> Self {
        let Step { summary, command, change, bicep, terraform } = step;
        Self { command, change, bicep, terraform, ..Self::advice(summary) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_one_command_if_each_has_one() {
        let (a, b) = (Fix::command("A", "a"), Fix::command("B", "b").widening());
        let both = Fix::steps("Both", [a.clone(), b]);
        assert_eq!(both.command.as_deref(), Some("a &&\nb"));
        assert!(both.widens_access);
        assert_eq!(both.steps.len(), 2);
        assert_eq!(Fix::steps("Half", [a.clone(), Fix::advice("C")]).command, None);
        let alone = Fix::steps("Alone", [a]);
        assert_eq!((alone.summary.as_str(), alone.steps.len()), ("Alone", 0));
    }
}
