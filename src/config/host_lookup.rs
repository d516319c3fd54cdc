//! Looks up hosts for the HTTP client with the system's resolver, and asks again before that does.

use std::io;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

/// glibc repeats a lost question after five seconds (`timeout:5`, resolv.conf(5)), which is half of the usual deadline.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Each waits in a thread of its own, for the system's resolver knows no other way.
const AT_MOST: usize = 3;

/// Asks once more each second until one question is answered.
pub(super) struct RepeatedLookup;

impl Resolve for RepeatedLookup {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses = first_answer(AGAIN_AFTER, || lookup_host((host.clone(), 0))).await?;
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The first answer, be it good or bad, of questions asked one after the other.
async fn first_answer<A, F>(again_after: Duration, ask: impl Fn() -> F) -> io::Result<A>
where
    F: Future<Output = io::Result<A>>,
{
    let mut asked = FuturesUnordered::from_iter([ask()]);
    loop {
        tokio::select! {
            Some(answer) = asked.next() => return answer,
            () = tokio::time::sleep(again_after), if asked.len() < AT_MOST => asked.push(ask()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Which question was answered and how many were asked, where those before `first` get lost and it is answered late.
    async fn asked_until(first: usize, again_after: Duration) -> (usize, usize) {
        let count = AtomicUsize::new(0);
        let answer = first_answer(again_after, || {
            let this = count.fetch_add(1, Ordering::Relaxed);
            async move {
                if this < first {
                    std::future::pending::<()>().await;
                }
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                Ok(this)
            }
        });
        (answer.await.expect("the last is answered"), count.into_inner())
    }

    #[tokio::test]
    async fn a_lost_question_is_asked_again() {
        assert_eq!(asked_until(1, Duration::ZERO).await.0, 1);
    }

    #[tokio::test]
    async fn an_answered_question_is_not_asked_again() {
        assert_eq!(asked_until(0, Duration::from_secs(3600)).await, (0, 1));
    }

    #[tokio::test]
    async fn a_silent_resolver_is_asked_so_often_and_no_more() {
        assert_eq!(asked_until(AT_MOST - 1, Duration::ZERO).await, (AT_MOST - 1, AT_MOST));
    }

    #[tokio::test]
    async fn a_bad_answer_is_an_answer() {
        let refused = || async { io::Result::<()>::Err(io::ErrorKind::NotFound.into()) };
        let answer = first_answer(AGAIN_AFTER, refused).await;
        assert_eq!(answer.map_err(|e| e.kind()), Err(io::ErrorKind::NotFound));
    }
}
