//! Removing a viewer, for whoever is on this machine and has the token.

use core::net::IpAddr;

use nalcast_core::http::{FieldName, FieldValue, HeadView, Status};
use nalcast_core::send::ViewerId;

use super::response::Response;
use crate::control::{Control, Unavailable};

const WWW_AUTHENTICATE: FieldName = FieldName::from_static("WWW-Authenticate");
/// RFC 6750 §3: the scheme has a parameter.
const BEARER: FieldValue<'static> = FieldValue::from_static("Bearer realm=\"nalcast\"");
const RETRY_AFTER: FieldName = FieldName::from_static("Retry-After");
const RETRY_AFTER_SECONDS: FieldValue<'static> = FieldValue::from_static("1");

/// The viewer that a request of `peer` may remove, or the refusal.
///
/// Before the token is proved nothing is said about what was asked for.
pub(super) fn may_remove(
    head: HeadView<'_>,
    number: &[u8],
    peer: IpAddr,
    control: &Control,
) -> Result<ViewerId, Response> {
    // The token goes over the wire as it is: nobody is to get used to sending it over a network.
    if !peer.to_canonical().is_loopback() {
        let message = "Viewers are removed from the server's own machine only, over its loopback address.";
        return Err(Response::error(Status::Forbidden, message));
    }
    if !bearer_token(head).is_some_and(|token| control.is_token(token)) {
        let message = "Viewers are removed with the control token, whose file the server named at its start: \
                       send Authorization: Bearer TOKEN.";
        return Err(Response::error(Status::Unauthorized, message).with(WWW_AUTHENTICATE, BEARER));
    }
    viewer_id(number).ok_or_else(|| {
        Response::error(Status::BadRequest, "A viewer is named by its number, as /api/v1/status has it.")
    })
}

/// Removes a viewer and says what came of it.
pub(super) async fn remove(control: &Control, viewer: ViewerId) -> Response {
    match control.remove(viewer).await {
        Ok(true) => Response::done(),
        Ok(false) => {
            Response::error(Status::NotFound, "No viewer has this number. /api/v1/status lists those there are.")
        }
        Err(Unavailable) => {
            let message = "The server is busy or about to end. Look who is still there and try again.";
            Response::error(Status::ServiceUnavailable, message).with(RETRY_AFTER, RETRY_AFTER_SECONDS)
        }
    }
}

/// The token of the only `Authorization` (RFC 9110 §11.4, RFC 6750 §2.1). Of two, each could be meant.
fn bearer_token(head: HeadView<'_>) -> Option<&[u8]> {
    let mut credentials = head.fields().filter(|field| field.name.eq_ignore_ascii_case(b"authorization"));
    let (only, None) = (credentials.next()?, credentials.next()) else { return None };
    let (scheme, rest) = only.value.split_at_checked(b"Bearer".len())?;
    (scheme.eq_ignore_ascii_case(b"bearer") && rest.starts_with(b" ")).then(|| rest.trim_ascii_start())
}

/// Digits and nothing else.
fn viewer_id(number: &[u8]) -> Option<ViewerId> {
    let is_number = number.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(number).ok().filter(|_| is_number)?;
    text.parse().ok().map(ViewerId)
}
