//! The token that entitles to control the server.

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nalcast_core::secrets::Secrets;
use subtle::ConstantTimeEq;

const TOKEN_BYTES: usize = 32;

/// 256 random bits as base64url, made for one run of the server.
#[derive(Clone)]
pub struct ControlToken(String);

impl ControlToken {
    /// A new one.
    #[must_use]
    pub fn random(secrets: &mut Secrets) -> Self {
        Self(URL_SAFE_NO_PAD.encode(secrets.bytes::<TOKEN_BYTES>()))
    }

    /// Whether `text` is this token. How long that takes does not tell how much of it is right.
    #[must_use]
    pub fn is(&self, text: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(text).into()
    }

    /// The token, to be written where only its owner can read it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Says nothing of it.
impl fmt::Debug for ControlToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ControlToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_the_token_and_nothing_shows_it() {
        let mut secrets = Secrets::new([1; 32]);
        let (token, other) = (ControlToken::random(&mut secrets), ControlToken::random(&mut secrets));
        let text = token.expose().to_owned();
        assert_eq!(text.len(), 43);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        assert!(token.is(text.as_bytes()));
        let wrong = [other.expose(), "", &text[1..], &text[..42], &format!("{text}="), &text.to_lowercase()];
        for wrong in wrong {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "ControlToken");
    }
}
