//! Which request gets which answer.

use core::net::IpAddr;

use bytes::BytesMut;
use nalcast_core::http::{Authority, FieldName, FieldValue, HeadView, Host, HttpError, ResponseHead, Status};

use super::{api, metrics, page};
use crate::status::StatusSnapshot;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
/// What every resource here can do; also the answer to `OPTIONS`.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The same for every answer. The page needs its own style and script, no frame and nothing from elsewhere.
const SECURITY_FIELDS: [(&str, &str); 4] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
];

/// An answer that is still to be written.
#[derive(Debug)]
pub(super) struct Response {
    status: Status,
    content_type: &'static str,
    body: String,
    allow: bool,
    omit_body: bool,
}

impl Response {
    /// A plain text that ends in a line feed.
    pub(super) fn text(status: Status, text: &str) -> Self {
        Self { status, content_type: TEXT, body: format!("{text}\n"), allow: false, omit_body: false }
    }

    /// The answer to bytes that are no acceptable request.
    pub(super) fn refusal(error: &HttpError) -> Self {
        Self::text(error.status(), &format!("Refused: {error}."))
    }

    /// Appends the answer. There is no Date: the program has no wall clock (RFC 9110 §6.6.1).
    pub(super) fn write(&self, out: &mut BytesMut, keep_alive: bool) {
        let mut head = ResponseHead::start(out, self.status);
        let mut field = |name, value| {
            let value = FieldValue::new(value);
            debug_assert!(value.is_ok(), "the program's own values are valid");
            if let Ok(value) = value {
                head.field(FieldName::from_static(name), value);
            }
        };
        for (name, value) in SECURITY_FIELDS {
            field(name, value);
        }
        if self.allow {
            field("Allow", ALLOW);
        }
        field("Connection", if keep_alive { "keep-alive" } else { "close" });
        // A 204 has neither content nor its length (RFC 9110 §8.6).
        if self.status == Status::NoContent {
            return head.finish();
        }
        field("Content-Type", self.content_type);
        head.content_length(self.body.len());
        head.finish();
        if !self.omit_body {
            out.extend_from_slice(self.body.as_bytes());
        }
    }
}

/// Answers a request that came in on the address `local`.
pub(super) fn respond(head: HeadView<'_>, local: IpAddr, status: &StatusSnapshot) -> Response {
    let mut response = route(head, local, status);
    response.omit_body = head.method() == b"HEAD";
    response
}

fn route(head: HeadView<'_>, local: IpAddr, status: &StatusSnapshot) -> Response {
    if !is_for_us(head.authority(), local) {
        return Response::text(
            Status::MisdirectedRequest,
            "This server answers only to localhost and to its own IP address. \
             Open it under the address that the server printed at its start.",
        );
    }
    let resource = Resource::at(head.path());
    match (head.method(), resource) {
        (b"GET" | b"HEAD", Some(resource)) => resource.answer(status),
        (b"OPTIONS", Some(_)) => Response { allow: true, ..Response::text(Status::NoContent, "") },
        (b"OPTIONS", None) if head.path() == b"*" => Response { allow: true, ..Response::text(Status::NoContent, "") },
        // Methods of RFC 9110 §9 and RFC 5789; anything else is not implemented at all (RFC 9110 §15.6.2).
        (b"GET" | b"HEAD" | b"POST" | b"PUT" | b"DELETE" | b"OPTIONS" | b"TRACE" | b"PATCH", None) => {
            Response::text(Status::NotFound, "There is nothing here. The status page is under /.")
        }
        (b"POST" | b"PUT" | b"DELETE" | b"TRACE" | b"PATCH", Some(_)) => Response {
            allow: true,
            ..Response::text(Status::MethodNotAllowed, "This can only be read: use GET or HEAD.")
        },
        _ => Response::text(Status::NotImplemented, "This method is not implemented: use GET or HEAD."),
    }
}

/// Everything that can be read.
#[derive(Clone, Copy)]
enum Resource {
    Page,
    Style,
    Script,
    Status,
    Metrics,
    Health,
}

impl Resource {
    const fn at(path: &[u8]) -> Option<Self> {
        match path {
            b"/" => Some(Self::Page),
            b"/status.css" => Some(Self::Style),
            b"/status.js" => Some(Self::Script),
            b"/api/v1/status" => Some(Self::Status),
            b"/metrics" => Some(Self::Metrics),
            b"/healthz" => Some(Self::Health),
            _ => None,
        }
    }

    fn answer(self, status: &StatusSnapshot) -> Response {
        let (content_type, body) = match self {
            Self::Page => (HTML, page::render(status)),
            Self::Style => (CSS, page::STYLE.to_owned()),
            Self::Script => (JAVASCRIPT, page::SCRIPT.to_owned()),
            Self::Status => (JSON, api::status_json(status)),
            Self::Metrics => (metrics::CONTENT_TYPE, metrics::openmetrics_text(status)),
            Self::Health => (TEXT, "ok\n".to_owned()),
        };
        Response { content_type, body, ..Response::text(Status::Ok, "") }
    }
}

/// Whether the request names this server, so that no foreign page can reach it through a name of its own whose
/// address it changes (DNS rebinding). Programs that name nobody, in HTTP/1.0, are not browsers.
fn is_for_us(authority: Option<Authority<'_>>, local: IpAddr) -> bool {
    let address = match authority.map(|authority| authority.host) {
        None => return true,
        Some(Host::Name(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            // RFC 6761 §6.3: the whole of localhost is this machine.
            return name == "localhost" || name.ends_with(".localhost");
        }
        Some(Host::V4(address)) => IpAddr::V4(address),
        Some(Host::V6(address)) => IpAddr::V6(address).to_canonical(),
    };
    address.is_loopback() || address == local.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_that_name_this_server_are_for_it() {
        let local = "192.0.2.1".parse().unwrap();
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost.:8080", true),
            ("a.localhost", true),
            ("127.0.0.1:8080", true),
            ("127.9.9.9", true),
            ("[::1]:8080", true),
            ("192.0.2.1", true),
            ("[::ffff:192.0.2.1]", true),
            ("192.0.2.2", false),
            ("[::2]", false),
            ("evil.example", false),
            ("notlocalhost", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
        ] {
            let authority = Authority::parse(host.as_bytes());
            assert!(authority.is_some(), "{host}");
            assert_eq!(is_for_us(authority, local), expected, "{host}");
        }
        assert!(is_for_us(None, local));
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert!(is_for_us(Authority::parse(b"192.0.2.1"), mapped));
    }
}
