//! The viewer's states and what moves it between them, as one table.

/// Where a viewer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientState {
    /// Asking to be let in.
    Connecting,
    /// In: frames may come.
    Live,
    /// Pausing before it asks again.
    Waiting,
    /// Saying goodbye.
    Leaving,
    /// Over; nothing moves it any more.
    Ended,
}

/// What moves a viewer from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientInput {
    /// The server let it in.
    Accepted,
    /// The server has no room now.
    Full,
    /// No answer to any try, and it was never in.
    GaveUp,
    /// No answer to any try, but it was in before.
    Unanswered,
    /// The server cannot or will not serve it at all.
    Refused,
    /// The server fell silent or stopped.
    Lost,
    /// The server said that it is over.
    Dismissed,
    /// The pause is over.
    PauseOver,
    /// The user wants to leave.
    Leave,
    /// The goodbye was heard, or said often enough.
    Left,
}

impl ClientState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Connecting, Self::Live, Self::Waiting, Self::Leaving, Self::Ended];

    /// The state after `input`; nothing if the input has no meaning here.
    #[must_use]
    pub const fn after(self, input: ClientInput) -> Option<Self> {
        use ClientInput as I;
        Some(match (self, input) {
            (Self::Connecting, I::Accepted) => Self::Live,
            (Self::Connecting, I::Full | I::Unanswered) => Self::Waiting,
            (Self::Connecting, I::GaveUp | I::Refused | I::Leave) => Self::Ended,
            (Self::Live, I::Lost) => Self::Waiting,
            (Self::Live, I::Dismissed) => Self::Ended,
            (Self::Live, I::Leave) => Self::Leaving,
            (Self::Waiting, I::PauseOver) => Self::Connecting,
            (Self::Waiting, I::Leave) => Self::Ended,
            (Self::Leaving, I::Left | I::Lost | I::Dismissed) => Self::Ended,
            _ => return None,
        })
    }
}

impl ClientInput {
    /// Every input.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Full,
        Self::GaveUp,
        Self::Unanswered,
        Self::Refused,
        Self::Lost,
        Self::Dismissed,
        Self::PauseOver,
        Self::Leave,
        Self::Left,
    ];
}
