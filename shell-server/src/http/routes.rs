//! Which request gets which answer.

use core::net::IpAddr;

use nalcast_core::http::{FieldValue, HeadView, Status};

use super::assets::{SCRIPT, STYLE};
use super::response::Response;
use super::{access, api, metrics, page};
use crate::status::StatusSnapshot;

const TEXT: FieldValue<'static> = FieldValue::from_static("text/plain; charset=utf-8");
const HTML: FieldValue<'static> = FieldValue::from_static("text/html; charset=utf-8");
const JSON: FieldValue<'static> = FieldValue::from_static("application/json");

/// What a request gets.
#[derive(Debug)]
pub(super) enum Reply {
    /// A complete answer.
    Response(Response),
    /// The status, again and again.
    Events,
}

/// Answers a request that came in on the address `local`.
pub(super) fn respond(head: HeadView<'_>, local: IpAddr, status: &StatusSnapshot) -> Reply {
    if let Some(refusal) = access::refuse(head, local) {
        return Reply::Response(refusal);
    }
    let resource = Resource::at(head.path());
    Reply::Response(match (head.method(), resource) {
        (b"GET" | b"HEAD", Some(Resource::Events)) => return Reply::Events,
        (b"GET" | b"HEAD", Some(resource)) => resource.answer(head, status),
        (b"OPTIONS", Some(_)) => Response::options(),
        (b"OPTIONS", None) if head.path() == b"*" => Response::options(),
        // Methods of RFC 9110 §9 and RFC 5789; anything else is not implemented at all (RFC 9110 §15.6.2).
        (b"GET" | b"HEAD" | b"POST" | b"PUT" | b"DELETE" | b"OPTIONS" | b"TRACE" | b"PATCH", None) => {
            Response::text(Status::NotFound, "There is nothing here. The status page is under /.")
        }
        (b"POST" | b"PUT" | b"DELETE" | b"TRACE" | b"PATCH", Some(_)) => Response::method_not_allowed(),
        _ => Response::text(Status::NotImplemented, "This method is not implemented: use GET or HEAD."),
    })
}

/// Everything that can be read.
#[derive(Clone, Copy)]
enum Resource {
    Page,
    Style,
    Script,
    Status,
    Events,
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
            b"/api/v1/events" => Some(Self::Events),
            b"/metrics" => Some(Self::Metrics),
            b"/healthz" => Some(Self::Health),
            _ => None,
        }
    }

    fn answer(self, head: HeadView<'_>, status: &StatusSnapshot) -> Response {
        match self {
            Self::Page => Response::document(HTML, page::render(status)),
            Self::Style => STYLE.answer(head.get("if-none-match")),
            Self::Script => SCRIPT.answer(head.get("if-none-match")),
            Self::Status | Self::Events => Response::document(JSON, api::status_json(status)),
            Self::Metrics => {
                Response::document(metrics::content_type(head.get("accept")), metrics::openmetrics_text(status))
            }
            Self::Health => Response::document(TEXT, "ok\n"),
        }
    }
}
