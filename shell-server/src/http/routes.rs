//! Which request gets which answer.

use nalcast_core::http::{FieldValue, HeadView, Status};
use nalcast_core::send::ViewerId;

use super::assets::{SCRIPT, STYLE};
use super::connection::Ends;
use super::response::{Methods, Response};
use super::{access, api, metrics, page, viewers};
use crate::control::Control;
use crate::status::StatusSnapshot;

const TEXT: FieldValue<'static> = FieldValue::from_static("text/plain; charset=utf-8");
const HTML: FieldValue<'static> = FieldValue::from_static("text/html; charset=utf-8");
const JSON: FieldValue<'static> = FieldValue::from_static("application/json");
/// Each viewer is under this and its number.
const VIEWERS: &[u8] = b"/api/v1/viewers/";

/// What a request gets.
#[derive(Debug)]
pub(super) enum Reply {
    /// A complete answer.
    Response(Response),
    /// The status, again and again.
    Events,
    /// What comes of the removal of this viewer.
    Removal(ViewerId),
}

/// Answers a request that came in over a connection with these ends.
pub(super) fn respond(head: HeadView<'_>, ends: Ends, control: &Control, status: &StatusSnapshot) -> Reply {
    if let Some(refusal) = access::refuse(head, ends.local) {
        return Reply::Response(refusal);
    }
    let resource = Resource::at(head.path());
    Reply::Response(match (head.method(), resource) {
        (b"GET" | b"HEAD", Some(Resource::Events)) => return Reply::Events,
        (b"GET" | b"HEAD", Some(resource)) => resource.answer(head, status),
        (b"DELETE", Some(Resource::Viewer(number))) => match viewers::may_remove(head, number, ends.peer, control) {
            Ok(viewer) => return Reply::Removal(viewer),
            Err(refusal) => refusal,
        },
        (b"OPTIONS", Some(resource)) => Response::options(resource.methods()),
        (b"OPTIONS", None) if head.path() == b"*" => Response::options(Methods::Read),
        // Methods of RFC 9110 §9 and RFC 5789; anything else is not implemented at all (RFC 9110 §15.6.2).
        (b"GET" | b"HEAD" | b"POST" | b"PUT" | b"DELETE" | b"OPTIONS" | b"TRACE" | b"PATCH", None) => {
            Response::text(Status::NotFound, "There is nothing here. The status page is under /.")
        }
        (b"POST" | b"PUT" | b"DELETE" | b"TRACE" | b"PATCH", Some(resource)) => {
            Response::method_not_allowed(resource.methods())
        }
        _ => Response::text(Status::NotImplemented, "This method is not implemented: use GET or HEAD."),
    })
}

/// Everything that there is.
#[derive(Clone, Copy)]
enum Resource<'a> {
    Page,
    Style,
    Script,
    Status,
    Events,
    Metrics,
    Health,
    /// A viewer, by what should be its number.
    Viewer(&'a [u8]),
}

impl<'a> Resource<'a> {
    fn at(path: &'a [u8]) -> Option<Self> {
        match path {
            b"/" => Some(Self::Page),
            b"/status.css" => Some(Self::Style),
            b"/status.js" => Some(Self::Script),
            b"/api/v1/status" => Some(Self::Status),
            b"/api/v1/events" => Some(Self::Events),
            b"/metrics" => Some(Self::Metrics),
            b"/healthz" => Some(Self::Health),
            _ => path.strip_prefix(VIEWERS).map(Self::Viewer),
        }
    }

    const fn methods(self) -> Methods {
        match self {
            Self::Viewer(_) => Methods::Remove,
            Self::Page | Self::Style | Self::Script | Self::Status | Self::Events | Self::Metrics | Self::Health => {
                Methods::Read
            }
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
            Self::Viewer(_) => Response::method_not_allowed(self.methods()),
        }
    }
}
