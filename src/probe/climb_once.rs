//! Data endpoints: each is climbed once, and what else is asked of it goes over the same connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::Instant as Deadline;

use super::climb::{Climbed, Climber};
use super::exchange::{Ask, Connection};
use super::request::PlannedEndpoint;
use super::watch::Rest;
use crate::facts::http::{HttpObservation, HttpOutcome};
use crate::facts::{EndpointObservation, Fqdn};

/// The endpoints of a run that several parts of it need.
#[derive(Default)]
pub struct SharedClimbs<'a>(Mutex<HashMap<Fqdn, Arc<OnceCell<Shared<'a>>>>>);

/// One of them.
struct Shared<'a> {
    seen: tokio::sync::Mutex<Seen>,
    /// Taken by whoever waits for it, which holds up nobody else.
    rest: Mutex<Option<Rest<'a>>>,
}

struct Seen {
    observation: EndpointObservation,
    connection: Option<Connection>,
    /// Whether it was asked who it is: what it says to that counts, whatever else is asked of it.
    is_looked_at: bool,
}

impl<'a> SharedClimbs<'a> {
    /// Climbs an endpoint, unless that is done or under way, and asks it who it is.
    pub async fn look(
        &self,
        climber: &Climber<'a>,
        planned: &PlannedEndpoint,
        deadline: Deadline,
    ) -> EndpointObservation {
        let cell = self.cell(&planned.host);
        let shared = climbed_once(&cell, climber, planned, deadline).await;
        {
            let Seen { observation, connection, is_looked_at } = &mut *shared.seen.lock().await;
            if let (false, Some(connection)) = (std::mem::replace(is_looked_at, true), connection) {
                climber.request(observation, connection, Ask::get("/"), deadline).await;
            }
        }
        shared.whole().await
    }

    /// Sends a request of one's own over the endpoint's connection; its answer stands for the endpoint, unless that is
    /// looked at besides.
    pub async fn ask(
        &self,
        climber: &Climber<'a>,
        planned: &PlannedEndpoint,
        ask: impl Fn() -> Ask,
        deadline: Deadline,
    ) -> (EndpointObservation, Option<HttpObservation>) {
        let cell = self.cell(&planned.host);
        let shared = climbed_once(&cell, climber, planned, deadline).await;
        let answer = {
            let Seen { observation, connection, .. } = &mut *shared.seen.lock().await;
            match connection {
                None => None,
                Some(connection) => {
                    let used = observation.http.is_some();
                    let (mut answer, _) = connection.send(ask(), deadline).await;
                    if used && answer.outcome == HttpOutcome::Closed {
                        // A server may end a connection after any answer (RFC 9112, section 9.6): a new one decides.
                        let again = climber.unrecorded().climb_to_tls(planned, deadline).await;
                        if let Some(again) = again.connection {
                            *connection = again;
                            answer = connection.send(ask(), deadline).await.0;
                        }
                    }
                    observation.http.get_or_insert_with(|| answer.clone());
                    Some(answer)
                }
            }
        };
        (shared.whole().await, answer)
    }

    fn cell(&self, host: &Fqdn) -> Arc<OnceCell<Shared<'a>>> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(host.clone()).or_default())
    }
}

impl Shared<'_> {
    /// The observation; whoever comes first waits for what is still to come, and completes it.
    async fn whole(&self) -> EndpointObservation {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(rest) = rest {
            let mut complete = self.seen.lock().await.observation.clone();
            rest.add_to(&mut complete).await;
            let seen = &mut self.seen.lock().await.observation;
            let http = seen.http.take();
            *seen = EndpointObservation { http, ..complete };
        }
        self.seen.lock().await.observation.clone()
    }
}

async fn climbed_once<'c, 'a>(
    cell: &'c OnceCell<Shared<'a>>,
    climber: &Climber<'a>,
    planned: &PlannedEndpoint,
    deadline: Deadline,
) -> &'c Shared<'a> {
    let climb = async || {
        let Climbed { observation, connection, rest } = climber.climb_to_tls(planned, deadline).await;
        let seen = tokio::sync::Mutex::new(Seen { observation, connection, is_looked_at: false });
        Shared { seen, rest: Mutex::new(Some(rest)) }
    };
    cell.get_or_init(climb).await
}
