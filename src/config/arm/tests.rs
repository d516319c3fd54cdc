use serde_json::json;
use tokio::task::JoinHandle;

use super::*;
use crate::config::fake_arm::{FakeArm, Reply};
use crate::facts::Cloud;

const PATH: &str = "/subscriptions/s/providers/M.N/things";

fn arm(fake: &FakeArm) -> Arm {
    arm_within(fake, Duration::from_secs(60))
}

fn arm_within(fake: &FakeArm, deadline: Duration) -> Arm {
    Arm::new(&Session::signed_in(fake.cloud(), "canary"), deadline, 8)
}

async fn get_of(reply: Reply) -> Result<Arc<Value>, ReadError> {
    let fake = FakeArm::start(move |_| reply.clone()).await;
    arm(&fake).get(PATH, "2024-05-01").await
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_with_the_token_on_each() {
    let fake = FakeArm::start(|asked| {
        Reply::ok(&if asked.target.contains("page=2") {
            json!({ "value": [{ "n": 2 }] })
        } else {
            json!({ "value": [{ "n": 1 }], "nextLink": format!("{}&page=2", asked.target) })
        })
    })
    .await;
    let listing = arm(&fake).list(PATH, "2024-05-01").await;
    assert_eq!(listing.complete().unwrap(), [json!({ "n": 1 }), json!({ "n": 2 })]);
    assert!(fake.asked().iter().all(|a| a.authorization.as_deref() == Some("Bearer canary")));
}

#[tokio::test]
async fn the_token_does_not_follow_a_link_to_another_host() {
    let stranger = FakeArm::start(|_| Reply::ok(&json!({ "value": [] }))).await;
    let link = stranger.url.join("/next").unwrap().to_string();
    let fake = FakeArm::start(move |_| Reply::ok(&json!({ "value": [{}], "nextLink": link }))).await;
    let listing = arm(&fake).list(PATH, "2024-05-01").await;
    assert_eq!(listing.items.len(), 1, "what came before is kept");
    let error = listing.error.unwrap();
    assert_eq!(error.failure, ReadFailure::Malformed);
    assert!(error.message.contains("another host"), "{}", error.message);
    assert!(stranger.asked().is_empty());
}

#[tokio::test]
async fn a_list_that_leads_back_to_itself_ends() {
    let fake = FakeArm::start(|asked| Reply::ok(&json!({ "value": [{}], "nextLink": asked.target }))).await;
    let listing = arm(&fake).list(PATH, "2024-05-01").await;
    assert!(listing.error.unwrap().message.contains("does not end"));
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_short_pause_is_kept_and_a_long_one_is_not_waited_for() {
    let fake = FakeArm::start({
        let count = std::sync::atomic::AtomicUsize::new(0);
        move |_| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Reply::error(429, "TooManyRequests", "slow down").with_header("Retry-After", "0"),
            1 => Reply::error(503, "ServerTimeout", "busy").with_header("Retry-After", "0"),
            _ => Reply::ok(&json!({ "ok": true })),
        }
    })
    .await;
    assert_eq!(*arm(&fake).get(PATH, "1").await.unwrap(), json!({ "ok": true }));
    assert_eq!(fake.asked().len(), 3);

    let body = include_bytes!("../../../tests/fixtures/arm/spec/errors/429-ResourceRequestsThrottled.json");
    let fake = FakeArm::start(move |_| Reply::json(429, body.as_slice())).await;
    let error = arm(&fake).get(PATH, "1").await.unwrap_err();
    assert_eq!(
        (error.failure.clone(), fake.asked().len()),
        (ReadFailure::Throttled, 1),
        "372 s are more than the deadline"
    );
}

/// A query that waits for quota.
async fn held_back(arm: &Arm) -> JoinHandle<Result<Value, ReadError>> {
    let query = tokio::spawn({
        let arm = arm.clone();
        async move { arm.query("/q", "v", &json!({})).await }
    });
    while arm.traffic().throttled() == 0 {
        assert!(!query.is_finished(), "it did not wait");
        tokio::task::yield_now().await;
    }
    query
}

/// The server says that nothing is left for an hour: the next query is not sent, and counted as waiting.
#[tokio::test]
async fn no_query_is_sent_while_the_quota_is_used_up() {
    let fake = FakeArm::start(|_| {
        Reply::ok(&json!({ "data": [] }))
            .with_header("x-ms-user-quota-remaining", "0")
            .with_header("x-ms-user-quota-resets-after", "01:00:00")
    })
    .await;
    let arm = arm_within(&fake, Duration::from_secs(7200));
    arm.query("/q", "v", &json!({})).await.unwrap();
    let second = held_back(&arm).await;
    assert_eq!(fake.asked().len(), 1);
    // A document is no query of Resource Graph: it does not wait.
    arm.get("/subscriptions/s", "v").await.unwrap();
    assert_eq!(fake.asked().len(), 2);
    second.abort();
}

/// To the second: on a clock that moves when the test says so.
#[tokio::test]
async fn a_query_is_sent_when_the_quota_is_renewed_and_not_before() {
    let fake = FakeArm::start(|_| {
        Reply::ok(&json!({ "data": [] }))
            .with_header("x-ms-user-quota-remaining", "0")
            .with_header("x-ms-user-quota-resets-after", "00:01:05")
    })
    .await;
    let arm = arm_within(&fake, Duration::from_secs(600));
    arm.query("/q", "v", &json!({})).await.unwrap();
    tokio::time::pause();
    let second = held_back(&arm).await;
    // The first answer came less than a second ago.
    tokio::time::advance(Duration::from_secs(63)).await;
    // Whoever would be awake by now has its turn before this goes on.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!((arm.traffic().throttled(), fake.asked().len()), (1, 1), "it did not wait until the reset");
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    second.await.unwrap().unwrap();
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn refusals_are_told_apart_and_asked_once() {
    for (status, code, failure) in [
        (401, "InvalidAuthenticationToken", ReadFailure::Unauthorized),
        (403, "AuthorizationFailed", ReadFailure::Forbidden),
        (404, "ResourceNotFound", ReadFailure::NotFound),
        (400, "BadRequest", ReadFailure::Malformed),
    ] {
        let fake = FakeArm::start(move |_| Reply::error(status, code, "no")).await;
        let arm = arm(&fake);
        let (first, second) = futures::join!(arm.get(PATH, "1"), arm.get(PATH, "1"));
        assert_eq!(first.clone().unwrap_err().failure, failure);
        assert_eq!(first, second);
        assert_eq!(fake.asked().len(), 1, "a path is asked for once in a run");
    }
}

#[tokio::test]
async fn what_is_not_arms_is_malformed() {
    let html =
        Reply { headers: vec![("Content-Type", "text/html".to_owned())], ..Reply::json(200, "<html>Login</html>") };
    for (reply, words) in [
        (html, "HTML"),
        (Reply::json(200, ""), "empty"),
        (Reply::json(200, "{\"a\":1}\n{\"a\":2}"), "no JSON"),
        (Reply::json(200, "[]"), "no object"),
        (Reply::json(302, "").with_header("Location", "http://127.0.0.1:1/"), "redirect"),
        (Reply::json(200, "[".repeat(100_000)), "no JSON"),
    ] {
        let error = get_of(reply).await.unwrap_err();
        assert_eq!(error.failure, ReadFailure::Malformed);
        assert!(error.message.contains(words), "{}", error.message);
    }
    let fake = FakeArm::start(|_| Reply::ok(&json!({ "value": "three" }))).await;
    let error = arm(&fake).list(PATH, "1").await.error.unwrap();
    assert!(error.message.contains("no list"), "{}", error.message);
}

#[tokio::test]
async fn a_body_that_grows_when_unpacked_is_cut_off() {
    let bomb = include_bytes!("../../../tests/fixtures/http/24-MiB-of-blanks.gz");
    let error = get_of(Reply::json(200, bomb.as_slice()).with_header("Content-Encoding", "gzip")).await.unwrap_err();
    assert_eq!(error.failure, ReadFailure::TooLarge);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_asked_for_again() {
    let fake = FakeArm::start({
        let count = std::sync::atomic::AtomicUsize::new(0);
        move |_| {
            let cut = if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 { 10 } else { 0 };
            Reply { cut, ..Reply::ok(&json!({ "ok": true })) }
        }
    })
    .await;
    assert!(arm(&fake).get(PATH, "1").await.is_ok());
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn an_old_cloud_is_asked_with_a_version_that_it_has() {
    let fake = FakeArm::start(|asked| {
        if asked.version() == "2023-09-01" {
            Reply::ok(&json!({ "value": [{}] }))
        } else {
            let words = "No registered resource provider found for location 'x' and API version 'y' for type 'z'. \
                         The supported api-versions are '2020-01-01, 2023-09-01, 2024-01-01-preview'.";
            Reply::error(400, "NoRegisteredProviderFound", words)
        }
    })
    .await;
    assert_eq!(arm(&fake).list(PATH, "2024-05-01").await.complete().unwrap().len(), 1);
    assert!(arm(&fake).get(PATH, "2024-05-01").await.is_ok());
}

#[tokio::test]
async fn a_token_is_not_sent_in_clear_to_another_machine() {
    let cloud = Cloud { resource_manager: Url::parse("http://arm.example/").unwrap(), ..Cloud::public() };
    let arm = Arm::new(&Session::signed_in(cloud, "canary"), Duration::from_secs(5), 1);
    let error = arm.get(PATH, "1").await.unwrap_err();
    assert!(error.message.contains("not sent in clear"), "{}", error.message);
}

#[tokio::test]
async fn a_closed_port_is_unreachable_and_said_without_the_query() {
    let cloud = Cloud { resource_manager: Url::parse("http://127.0.0.1:1/").unwrap(), ..Cloud::public() };
    let arm = Arm::new(&Session::signed_in(cloud, "canary"), Duration::from_secs(5), 1);
    let error = arm.get(PATH, "1").await.unwrap_err();
    assert_eq!(error.failure, ReadFailure::Unreachable);
    assert!(!error.message.contains("api-version"), "{}", error.message);
}

#[test]
fn retry_after_is_read_as_seconds_and_as_a_date() {
    let of = |text: &str| {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("retry-after", text.parse().unwrap());
        retry_after(&headers)
    };
    assert_eq!(of("7"), Some(Duration::from_secs(7)));
    assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
    assert_eq!(of("soon"), None);
}
