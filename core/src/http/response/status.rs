//! Status codes.

macro_rules! statuses {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $reason:literal;)+) => {
        /// A status code (RFC 9110 §15).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Status {
            $($(#[doc = $doc])+ $name = $code,)+
        }

        impl Status {
            /// The three digits.
            #[must_use]
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The reason phrase.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason,)+
                }
            }

            /// The status line with its end (RFC 9112 §4).
            pub(super) const fn line(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("HTTP/1.1 ", $code, " ", $reason, "\r\n"),)+
                }
            }
        }
    };
}

statuses! {
    /// The connection changes its protocol after this head.
    SwitchingProtocols = 101, "Switching Protocols";
    /// The request succeeded.
    Ok = 200, "OK";
    /// The request succeeded and there is nothing to show.
    NoContent = 204, "No Content";
    /// What the client has is still right.
    NotModified = 304, "Not Modified";
    /// The request is malformed.
    BadRequest = 400, "Bad Request";
    /// Whoever asks has not said who that is, or not proved it.
    Unauthorized = 401, "Unauthorized";
    /// The server knows what is asked for and does not give it.
    Forbidden = 403, "Forbidden";
    /// There is nothing under this path.
    NotFound = 404, "Not Found";
    /// The resource does not know this method.
    MethodNotAllowed = 405, "Method Not Allowed";
    /// The request took too long to arrive.
    RequestTimeout = 408, "Request Timeout";
    /// The body is too large.
    ContentTooLarge = 413, "Content Too Large";
    /// The target is too long.
    UriTooLong = 414, "URI Too Long";
    /// The expectation cannot be met.
    ExpectationFailed = 417, "Expectation Failed";
    /// The request is meant for another server.
    MisdirectedRequest = 421, "Misdirected Request";
    /// The head is too large.
    HeaderFieldsTooLarge = 431, "Request Header Fields Too Large";
    /// The method or a transfer coding is not implemented.
    NotImplemented = 501, "Not Implemented";
    /// The server is busy.
    ServiceUnavailable = 503, "Service Unavailable";
    /// The major version is not supported.
    VersionNotSupported = 505, "HTTP Version Not Supported";
}

impl Status {
    /// Whether an answer with this status can have content, and so a length (RFC 9110 §6.4.1, §8.6).
    #[must_use]
    pub const fn has_content(self) -> bool {
        !matches!(self, Self::SwitchingProtocols | Self::NoContent | Self::NotModified)
    }

    /// Whether the request was received, understood and accepted (RFC 9110 §15.3).
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self.code(), 200..=299)
    }
}
