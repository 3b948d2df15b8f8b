//! The states of a subscription and what moves it between them, as one table.

/// Where one viewer's subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViewerState {
    /// Let in, but nothing has come over the session yet.
    HalfOpen,
    /// Receiving.
    Live,
    /// Silent for a while: no media until it speaks again.
    Stalled,
    /// Being told that it is over.
    Closing,
    /// Removed.
    Gone,
}

/// What moves a subscription from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViewerInput {
    /// An authentic datagram came over the session.
    Heard,
    /// Nothing came for a while.
    Silent,
    /// Nothing came for so long that nobody is there.
    Expired,
    /// The viewer said that it leaves.
    Left,
    /// The server ends it.
    Close,
    /// The goodbye was answered, or said often enough.
    Closed,
}

impl ViewerState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::HalfOpen, Self::Live, Self::Stalled, Self::Closing, Self::Gone];

    /// The state after `input`; nothing if the input has no meaning here.
    #[must_use]
    pub const fn after(self, input: ViewerInput) -> Option<Self> {
        use ViewerInput as I;
        Some(match (self, input) {
            (Self::HalfOpen | Self::Live | Self::Stalled, I::Heard) => Self::Live,
            (Self::Closing, I::Heard) => Self::Closing,
            (Self::Live, I::Silent) => Self::Stalled,
            (Self::Live | Self::Stalled, I::Close) => Self::Closing,
            (Self::HalfOpen | Self::Stalled | Self::Closing, I::Expired) => Self::Gone,
            (Self::HalfOpen, I::Close) => Self::Gone,
            (Self::Live | Self::Stalled | Self::Closing, I::Left) => Self::Gone,
            (Self::Closing, I::Closed) => Self::Gone,
            _ => return None,
        })
    }

    /// Whether the viewer counts as being there.
    #[must_use]
    pub const fn is_joined(self) -> bool {
        matches!(self, Self::Live | Self::Stalled)
    }
}

impl ViewerInput {
    /// Every input.
    pub const ALL: [Self; 6] = [Self::Heard, Self::Silent, Self::Expired, Self::Left, Self::Close, Self::Closed];
}
