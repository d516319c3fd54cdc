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

/// How many tokens are asked for, where two are wanted and each lasts so long.
async fn asked_for(lasting: time::Duration) -> (Vec<String>, usize) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let variable = format!("{}/key", listener.local_addr().unwrap());
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut line = String::new();
            BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
            let number = counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            let end = (OffsetDateTime::now_utc() + lasting).unix_timestamp();
            let answer = serde_json::json!({ "accessToken": format!("token-{number}"), "expiresOn": end });
            stream.write_all(answer.to_string().as_bytes()).await.unwrap();
        }
    });
    let session = Session::of_test(Cloud::public(), Environment::of(&[("ACR_DOCTOR_AZ", &variable)]));
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.push(session.token("https://management.azure.com/").await.unwrap().reveal().to_owned());
    }
    (tokens, count.load(std::sync::atomic::Ordering::Relaxed))
}

#[tokio::test]
async fn a_token_is_used_until_it_nears_its_end_and_then_renewed() {
    let (tokens, asked) = asked_for(time::Duration::hours(1)).await;
    assert_eq!((tokens, asked), (vec!["token-1".to_owned(); 2], 1));
    let (tokens, asked) = asked_for(time::Duration::minutes(2)).await;
    assert_eq!((tokens, asked), (vec!["token-2".to_owned(), "token-3".to_owned()], 3));
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
