//! What came of running a scenario.

use serde::{Deserialize, Serialize};

use crate::world::Seen;

/// One run of the program.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ran {
    /// The command line.
    pub command: Vec<String>,
    /// The exit status, absent when it was killed at the deadline.
    pub exit: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Seconds.
    pub seconds: f64,
    /// What the world was asked meanwhile.
    pub log: Vec<Seen>,
}

/// What the child process that held the world reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The program ran; and again after the world was mended, if the scenario says how.
    Ran {
        /// The first run.
        first: Ran,
        /// The run in the mended world.
        healed: Option<Ran>,
    },
    /// This machine cannot hold a world.
    Unsupported(String),
    /// The laboratory failed.
    Failed(String),
}
