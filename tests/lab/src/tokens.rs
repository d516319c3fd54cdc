//! Tokens that look like JWTs. The signature is a constant: what matters is that the client cannot make them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The tenant of all worlds.
pub const TENANT: &str = "22222222-2222-2222-2222-222222222222";
/// The service principal's application id.
pub const CLIENT_ID: &str = "33333333-3333-3333-3333-333333333333";
/// Its object id.
pub const OBJECT_ID: &str = "44444444-4444-4444-4444-444444444444";
/// Its secret. Tests look for it in everything that the program prints.
pub const SECRET: &str = "canary-secret-Zm9vYmFy~lab";
/// The mark in every signature of a blob's address; likewise a canary.
pub const SIGNATURE: &str = "canarysig";

/// A multiple of four letters, as base64 wants it: the Azure CLI decodes even what it does not verify.
const SEAL: &str = "canarysealed";

/// Makes a token that holds these claims.
pub fn seal(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{SEAL}", part(&json!({ "typ": "JWT", "alg": "RS256", "kid": "lab" })), part(claims))
}

/// The claims of a token that the laboratory made.
pub fn open(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, seal) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = URL_SAFE_NO_PAD.decode(claims).ok().filter(|_| seal == SEAL)?;
    serde_json::from_slice(&bytes).ok()
}

/// Seconds since 1970.
pub fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

/// An Entra access token for an audience.
pub fn entra(audience: &str) -> String {
    seal(&json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{TENANT}/"), "iat": now(), "nbf": now(),
        "exp": now() + 3600, "appid": CLIENT_ID, "oid": OBJECT_ID, "tid": TENANT, "ver": "1.0", "idtyp": "app"
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_tokens_open() {
        let token = seal(&json!({ "a": 1 }));
        assert_eq!(open(&token), Some(json!({ "a": 1 })));
        assert_eq!(open(&token.replace(SEAL, "forged")), None);
        assert_eq!(open("x"), None);
    }
}
