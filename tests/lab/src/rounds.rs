//! An ARM that answers in rounds: what is asked side by side is answered together, so that the number of rounds is the
//! number of round trips that the client makes one after another. No stopwatch decides it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often a round is put off for connections that have not asked yet.
const MOST_EXTENSIONS: u32 = 20;

/// The rounds of one run.
#[derive(Debug, Default)]
pub struct Rounds {
    state: Mutex<State>,
    /// Connections that were made and have not asked for anything yet: their first request belongs to this round.
    opening: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct State {
    ended: u32,
    last_arrival: Option<Instant>,
    extensions: u32,
}

/// A connection that has not asked for anything yet.
#[derive(Debug)]
pub struct Opening(Arc<AtomicUsize>);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Rounds {
    /// Counts a connection until its first request.
    pub fn opening(&self) -> Opening {
        self.opening.fetch_add(1, Ordering::Relaxed);
        Opening(Arc::clone(&self.opening))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end of the round that a request came in, and says which it was, from 1: a round ends when nothing
    /// more was asked for the latency.
    pub async fn wait(&self, latency: Duration) -> u32 {
        let own = {
            let mut state = self.state();
            state.last_arrival = Some(Instant::now());
            state.ended
        };
        loop {
            let until = {
                let mut state = self.state();
                let until = state.last_arrival.map_or_else(Instant::now, |at| at + latency);
                if state.ended > own {
                    return own + 1;
                }
                if Instant::now() >= until {
                    if self.opening.load(Ordering::Relaxed) == 0 || state.extensions >= MOST_EXTENSIONS {
                        state.ended += 1;
                        state.extensions = 0;
                        return own + 1;
                    }
                    state.extensions += 1;
                    state.last_arrival = Some(Instant::now());
                }
                until
            };
            tokio::time::sleep_until(until.max(Instant::now() + Duration::from_millis(1))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_asked_together_is_one_round() {
        let rounds = Rounds::default();
        let latency = Duration::from_millis(5);
        let chain = async { (rounds.wait(latency).await, rounds.wait(latency).await) };
        assert_eq!(tokio::join!(rounds.wait(latency), chain), (1, (1, 2)));
    }
}
