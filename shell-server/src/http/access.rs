//! Who may ask: whoever means this server and is no other site's page.

use core::net::IpAddr;

use nalcast_core::http::{Authority, HeadView, Host, Status};

use super::response::Response;

/// The answer to a request that was not meant for this server, or that a page of another site makes.
///
/// `local` is the address on which the request came in.
pub(super) fn refuse(head: HeadView<'_>, local: IpAddr) -> Option<Response> {
    if !is_for_us(head.authority(), local) {
        return Some(Response::text(
            Status::MisdirectedRequest,
            "This server answers only to localhost and to its own IP address. \
             Open it under the address that the server printed at its start.",
        ));
    }
    is_from_elsewhere(head, local).then(|| {
        Response::text(
            Status::Forbidden,
            "Pages of other sites get no answer here. Open the address of this server itself.",
        )
    })
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

/// Whether a browser says that a page of another site asks. A link that is followed is not meant: the page that is
/// opened so belongs to nobody else.
fn is_from_elsewhere(head: HeadView<'_>, local: IpAddr) -> bool {
    // RFC 6454 §7: a scheme with an authority, or `null` for an origin that is kept secret.
    let is_foreign_origin = head.get("origin").is_some_and(|origin| {
        let authority = origin.strip_prefix(b"http://").and_then(Authority::parse);
        authority.is_none() || !is_for_us(authority, local)
    });
    // Fetch Metadata Request Headers §2.
    let is_foreign_site = head.get("sec-fetch-site").is_some_and(|site| site != b"same-origin" && site != b"none");
    let is_link = head.get("sec-fetch-mode") == Some(b"navigate") && head.get("sec-fetch-dest") == Some(b"document");
    is_foreign_origin || (is_foreign_site && !is_link)
}

#[cfg(test)]
mod tests {
    use nalcast_core::http::{Event, Limits, RequestParser};

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

    fn refusal(fields: &str) -> Option<Status> {
        let mut parser = RequestParser::new(Limits::default());
        parser.buffer_mut().extend_from_slice(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes());
        let Ok(Some(Event::Head(head))) = parser.poll() else { panic!("a head") };
        refuse(head.view(), "127.0.0.1".parse().unwrap()).map(|response| response.status())
    }

    #[test]
    fn pages_of_other_sites_get_nothing() {
        let site = |site, mode, dest| {
            format!("Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\nSec-Fetch-Dest: {dest}\r\n")
        };
        for (fields, expected) in [
            (String::new(), None),
            ("Origin: http://localhost:8080\r\n".into(), None),
            ("Origin: http://127.0.0.1\r\n".into(), None),
            ("Origin: http://evil.example\r\n".into(), Some(Status::Forbidden)),
            ("Origin: https://localhost\r\n".into(), Some(Status::Forbidden)),
            ("Origin: null\r\n".into(), Some(Status::Forbidden)),
            ("Origin: \r\n".into(), Some(Status::Forbidden)),
            (site("none", "navigate", "document"), None),
            (site("same-origin", "cors", "empty"), None),
            (site("same-origin", "no-cors", "style"), None),
            (site("cross-site", "navigate", "document"), None),
            (site("cross-site", "navigate", "iframe"), Some(Status::Forbidden)),
            (site("cross-site", "no-cors", "script"), Some(Status::Forbidden)),
            (site("same-site", "cors", "empty"), Some(Status::Forbidden)),
        ] {
            assert_eq!(refusal(&format!("Host: localhost\r\n{fields}")), expected, "{fields:?}");
        }
        assert_eq!(refusal("Host: evil.example\r\n"), Some(Status::MisdirectedRequest));
    }
}
