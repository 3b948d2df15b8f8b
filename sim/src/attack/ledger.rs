//! How much each address was sent for what came from there, seen from outside: the server's own counts are not asked.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use nalcast_core::limits::AMPLIFICATION_FACTOR_MAX;

use crate::check::Violation;

/// What came from one address and what went there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Bytes that the server received from there.
    pub received: u64,
    /// Bytes that it sent there.
    pub sent: u64,
    /// Datagrams that it sent there.
    pub datagrams: u64,
    /// Somebody there has heard the server.
    heard: bool,
    /// Somebody there has heard the server and spoken since.
    answered: bool,
}

impl Account {
    /// Bytes sent for each thousand that were received.
    #[must_use]
    pub const fn permille(&self) -> u64 {
        match (self.sent * 1_000).checked_div(self.received) {
            Some(permille) => permille,
            None if self.sent == 0 => 0,
            None => u64::MAX,
        }
    }

    /// The two together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        let (received, sent) = (self.received + other.received, self.sent + other.sent);
        Self { received, sent, datagrams: self.datagrams + other.datagrams, heard: false, answered: false }
    }
}

/// The accounts of all addresses. One proves itself by speaking after it was heard at; where nobody listens, that never
/// happens, whatever is sent in its name.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<SocketAddr, Account>,
}

impl Ledger {
    /// A datagram of `len` bytes that names `from` reached the server.
    pub fn received(&mut self, from: SocketAddr, len: usize) {
        let account = self.accounts.entry(from).or_default();
        account.received += len as u64;
        account.answered |= account.heard;
    }

    /// Somebody at `address` got a datagram of the server's.
    pub fn heard(&mut self, address: SocketAddr) {
        self.accounts.entry(address).or_default().heard = true;
    }

    /// The server sends a datagram of `len` bytes.
    ///
    /// # Errors
    /// If it is too much for an address that has proved nothing.
    pub fn sent(&mut self, to: SocketAddr, len: usize) -> Result<(), Violation> {
        let account = self.accounts.entry(to).or_default();
        account.sent += len as u64;
        account.datagrams += 1;
        let allowed = account.received * AMPLIFICATION_FACTOR_MAX as u64;
        if account.answered || account.sent <= allowed {
            return Ok(());
        }
        Err(format!("{} bytes were sent to {to}, which proved nothing, for {}", account.sent, account.received))
    }

    /// Nothing more is to be known of this address.
    pub fn forget(&mut self, address: SocketAddr) {
        self.accounts.remove(&address);
    }

    /// The account of one address.
    #[must_use]
    pub fn of(&self, address: SocketAddr) -> Account {
        self.accounts.get(&address).copied().unwrap_or_default()
    }

    /// All addresses together at which nobody ever heard anything.
    #[must_use]
    pub fn of_the_deaf(&self) -> Account {
        self.deaf().fold(Account::default(), Account::and)
    }

    /// The largest ratio of bytes sent to bytes received among those addresses, in thousandths.
    #[must_use]
    pub fn worst_permille(&self) -> u64 {
        self.deaf().map(|account| account.permille()).max().unwrap_or(0)
    }

    fn deaf(&self) -> impl Iterator<Item = Account> {
        self.accounts.values().filter(|account| !account.heard).copied()
    }
}
