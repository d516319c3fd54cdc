//! The real programs that a world runs, and how they are started anew where it was changed: they read their
//! configuration once.

use std::process::Child;

use crate::world::Lab;
use crate::{LabError, nat64, resolver, squid};

/// Those that a change may concern.
#[derive(Debug)]
pub struct Running {
    squid: Option<Child>,
    resolver: Option<Child>,
}

impl Running {
    /// Starts the programs that the world has.
    pub fn start(lab: &Lab) -> Result<Self, LabError> {
        let world = lab.world();
        if world.client.nat64 {
            nat64::start()?;
        }
        Ok(Self { resolver: resolver::start(&world)?, squid: squid::start(&world, &lab.authority)? })
    }

    /// Starts them anew, with what the world is now.
    pub fn restart(&mut self, lab: &Lab) -> Result<(), LabError> {
        if end(&mut self.resolver)? {
            self.resolver = resolver::start(&lab.world())?;
        }
        if end(&mut self.squid)? {
            self.squid = squid::start(&lab.world(), &lab.authority)?;
        }
        Ok(())
    }
}

/// Ends a program, if it runs; its sockets are free then.
fn end(program: &mut Option<Child>) -> Result<bool, LabError> {
    let Some(mut before) = program.take() else { return Ok(false) };
    before.kill().and_then(|()| before.wait()).map_err(LabError::io("end a program"))?;
    Ok(true)
}
