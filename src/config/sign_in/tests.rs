use super::*;

fn attempts(error: SignInError) -> Vec<CredentialAttempt> {
    match error {
        SignInError::NoCredential { attempts } => attempts,
        SignInError::Refused { .. } => panic!("{error}"),
    }
}

#[tokio::test]
async fn every_source_is_named_with_its_reason() {
    let session = Session::of_test(Cloud::public(), Environment::of(&[]));
    assert!(matches!(session.sign_in(), SignIn::NotAttempted { .. }));
    let tried = attempts(session.token("https://management.azure.com/").await.unwrap_err());
    let names: Vec<&str> = tried.iter().map(|a| a.source.as_str()).collect();
    assert_eq!(names, ["environment", "workload identity", "managed identity", "Azure CLI", "azd"]);
    assert!(tried.iter().all(|a| a.not_configured), "{tried:?}");
    assert!(matches!(session.sign_in(), SignIn::Failed { attempts } if attempts.len() == 5));
}

#[tokio::test]
async fn an_authority_that_is_not_reached_ends_the_chain_and_is_not_a_refusal() {
    // Port 1 of this machine: nothing listens there.
    let environment = Environment::of(&[
        ("AZURE_CLIENT_ID", "app"),
        ("AZURE_CLIENT_SECRET", "hunter2"),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1"),
    ]);
    let session = Session::of_test(Cloud::public(), environment);
    let error = session.token("https://management.azure.com/").await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let tried = attempts(error);
    assert_eq!(tried.len(), 1);
    assert!(tried[0].reason.starts_with("the authority 127.0.0.1 cannot be reached: cannot connect"), "{tried:?}");
    assert!(!tried[0].not_configured);
}

#[tokio::test]
async fn a_managed_identity_is_asked_at_its_endpoint_and_again_when_its_token_nears_its_end() {
    use crate::config::fake_arm::{FakeArm, Reply};
    let fake = FakeArm::start(|_| {
        let end = OffsetDateTime::now_utc() + time::Duration::minutes(2);
        Reply::ok(&serde_json::json!({ "access_token": "of-the-identity", "token_type": "Bearer",
            "expires_on": end.unix_timestamp().to_string(), "resource": "https://management.azure.com" }))
    })
    .await;
    let endpoint = fake.url.join("/msi/token").unwrap();
    let environment = Environment::of(&[("IDENTITY_ENDPOINT", endpoint.as_str()), ("IDENTITY_HEADER", "the-header")]);
    let session = Session::of_test(Cloud::public(), environment);
    for asked in 1..=2 {
        let token = session.token("https://management.azure.com/").await.unwrap();
        assert_eq!(token.reveal(), "of-the-identity");
        assert!(fake.asked().len() >= asked, "two minutes are less than what is left to a token in use");
    }
    let SignIn::SignedIn { credential, tried, .. } = session.sign_in() else { panic!("{:?}", session.sign_in()) };
    assert_eq!(credential, "managed identity");
    assert_eq!(tried.len(), 2, "environment and workload identity, each with its reason: {tried:?}");
}

#[tokio::test]
async fn half_a_service_principal_says_what_is_missing() {
    let environment = Environment::of(&[("AZURE_CLIENT_ID", "app"), ("AZURE_CLIENT_SECRET", "s")]);
    let tried = attempts(Session::of_test(Cloud::public(), environment).token("https://a/").await.unwrap_err());
    assert!(tried[0].reason.starts_with("AZURE_TENANT_ID is not set"), "{tried:?}");
    let environment = Environment::of(&[("AZURE_CLIENT_ID", "app"), ("AZURE_CLIENT_CERTIFICATE_PATH", "/c.pem")]);
    let tried = attempts(Session::of_test(Cloud::public(), environment).token("https://a/").await.unwrap_err());
    assert!(tried[0].reason.contains("certificates are not supported"), "{tried:?}");
}

#[tokio::test]
async fn started_by_the_azure_cli_its_account_is_the_only_one() {
    let environment = Environment::of(&[
        ("ACR_DOCTOR_AZ", "127.0.0.1:1/key"),
        ("AZURE_CLIENT_ID", "app"),
        ("AZURE_CLIENT_SECRET", "hunter2"),
        ("AZURE_TENANT_ID", "tenant"),
    ]);
    let session = Session::of_test(Cloud::public(), environment);
    let tried = attempts(session.token("https://management.azure.com/").await.unwrap_err());
    let [only] = tried.as_slice() else { panic!("{tried:?}") };
    assert_eq!((only.source.as_str(), only.not_configured), ("az acr doctor", false));
    assert!(only.reason.starts_with("the Azure CLI that started this program does not answer: "), "{tried:?}");
}

#[test]
fn a_tokens_tenant_is_read_and_anything_else_is_not() {
    use base64::Engine as _;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"tid":"t1"}"#);
    assert_eq!(tenant_of(&format!("h.{payload}.s")), Some("t1".to_owned()));
    assert_eq!(tenant_of("no token"), None);
}
