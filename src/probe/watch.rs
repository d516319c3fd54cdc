//! What is still being observed when a climb has gone on: other name servers, other addresses, the way without the proxy.

use std::pin::Pin;
use std::task::Poll;

use futures::FutureExt;
use futures::future::{BoxFuture, MaybeDone, OptionFuture, maybe_done, poll_fn};

use super::connect::Attempts;
use super::resolve::Asking;
use crate::facts::EndpointObservation;
use crate::facts::dns::DnsObservation;
use crate::facts::probe::{DirectObservation, ProxyObservation, TcpObservation};

/// The name servers and addresses beside those that were used.
#[derive(Debug, Default)]
pub struct Stragglers {
    /// A name that servers are still being asked for.
    pub asking: Option<Asking>,
    /// Addresses that are still being tried.
    pub attempts: Option<Attempts>,
}

impl Stragglers {
    /// The whole of both, after a last wait.
    pub async fn outcomes(self) -> (Option<DnsObservation>, Option<Vec<TcpObservation>>) {
        let dns = OptionFuture::from(self.asking.map(Asking::outcome));
        let tcp = OptionFuture::from(self.attempts.map(Attempts::outcomes));
        let (dns, tcp) = tokio::join!(dns, tcp);
        (dns.flatten(), tcp)
    }

    async fn add_to_proxy(self, seen: Option<&mut ProxyObservation>) {
        let (dns, tcp) = self.outcomes().await;
        if let Some(seen) = seen {
            seen.dns = dns.or(seen.dns.take());
            seen.tcp = tcp.unwrap_or_default();
        }
    }
}

/// All that is still to come of an endpoint.
#[derive(Default)]
pub struct Rest<'a> {
    /// Of the endpoint itself.
    pub own: Stragglers,
    /// Of the proxy on the way to it.
    pub proxy: Option<Stragglers>,
    /// The way without the proxy.
    pub direct: Option<Beside<'a, Option<DirectObservation>>>,
}

impl Rest<'_> {
    /// Waits for it, and completes the observation.
    pub async fn add_to(self, seen: &mut EndpointObservation) {
        let Self { own, proxy, direct } = self;
        let own = own.outcomes();
        let through = OptionFuture::from(proxy.map(|proxy| proxy.add_to_proxy(seen.proxy.as_mut())));
        let direct = OptionFuture::from(direct.map(Beside::outcome));
        let ((dns, tcp), _, direct) = tokio::join!(own, through, direct);
        seen.dns = dns.or(seen.dns.take());
        seen.tcp = tcp.unwrap_or_else(|| std::mem::take(&mut seen.tcp));
        seen.without_proxy = direct.flatten().flatten().map(Box::new).or(seen.without_proxy.take());
    }
}

/// Work that goes on beside other work, without a task of its own.
pub struct Beside<'a, T>(Pin<Box<MaybeDone<BoxFuture<'a, T>>>>);

impl<'a, T> Beside<'a, T> {
    /// Takes the work; it begins when something is waited for beside it.
    pub fn new(work: impl Future<Output = T> + Send + 'a) -> Self {
        Self(Box::pin(maybe_done(work.boxed())))
    }

    /// Waits for something else while this goes on.
    pub async fn while_waiting<R>(&mut self, other: impl Future<Output = R>) -> R {
        let mut other = std::pin::pin!(other);
        poll_fn(|cx| {
            // Its end is kept for `outcome`.
            let _: Poll<()> = self.0.as_mut().poll(cx);
            other.as_mut().poll(cx)
        })
        .await
    }

    /// Waits for its end.
    pub async fn outcome(mut self) -> Option<T> {
        self.0.as_mut().await;
        self.0.as_mut().take_output()
    }
}
