//! What the real UDP sockets of both shells have in common.

use core::net::SocketAddr;
use std::io::{self, ErrorKind};

use socket2::{Domain, Protocol, Socket, Type};

/// Room asked of the kernel: a key frame for each of many viewers out and the reports of all of them in, or what a
/// fast server sends while a viewer's thread does not get to run.
const BUFFER_BYTES: usize = 4 << 20;
/// With less than this, bursts are likely to be lost inside this machine.
const BUFFER_BYTES_WANTED_MIN: usize = 256 << 10;

/// Which of a socket's buffers must take bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bursts {
    /// Much comes at once.
    In,
    /// Much goes out at once, too.
    InAndOut,
}

/// A UDP socket of the family of `address`, which is not yet bound: non-blocking, with room for `bursts`.
///
/// # Errors
/// When the system lacks the family.
pub fn open_udp(address: SocketAddr, bursts: Bursts) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    enlarge_buffers(&socket, bursts);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Less room than asked for is no failure.
fn enlarge_buffers(socket: &Socket, bursts: Bursts) {
    let (article, buffers, limits) = match bursts {
        Bursts::In => ("a ", "UDP receive buffer", "net.core.rmem_max"),
        Bursts::InAndOut => ("", "UDP buffers", "net.core.wmem_max and rmem_max"),
    };
    match grow(socket, bursts) {
        Ok(bytes) if bytes >= BUFFER_BYTES_WANTED_MIN => tracing::debug!(bytes, "{buffers}"),
        Ok(bytes) => {
            let kib = bytes >> 10;
            tracing::warn!(
                "the system grants {article}{buffers} of {kib} KiB only, so bursts may be lost; raise {limits}"
            );
        }
        Err(error) => tracing::warn!("cannot enlarge the {buffers} ({error}): bursts may be lost"),
    }
}

/// The bytes of the smallest buffer that is needed.
fn grow(socket: &Socket, bursts: Bursts) -> io::Result<usize> {
    if bursts == Bursts::InAndOut {
        socket.set_send_buffer_size(BUFFER_BYTES)?;
    }
    socket.set_recv_buffer_size(BUFFER_BYTES)?;
    let receive = socket.recv_buffer_size()?;
    match bursts {
        Bursts::In => Ok(receive),
        Bursts::InAndOut => Ok(receive.min(socket.send_buffer_size()?)),
    }
}

/// What an attempt that must not wait has brought: nothing, when it would have had to wait.
///
/// # Errors
/// Any other error of the attempt.
pub fn without_waiting<T>(attempt: io::Result<T>) -> io::Result<Option<T>> {
    match attempt {
        Ok(received) => Ok(Some(received)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_does_not_block_and_has_what_the_system_grants() {
        let address = "127.0.0.1:0".parse().unwrap();
        let open = || Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP)).unwrap();
        let sizes = |socket: &Socket| (socket.recv_buffer_size().unwrap(), socket.send_buffer_size().unwrap());
        let (plain, granted) = (open(), open());
        granted.set_recv_buffer_size(BUFFER_BYTES).unwrap();
        granted.set_send_buffer_size(BUFFER_BYTES).unwrap();
        let (receive, both) = (open_udp(address, Bursts::In).unwrap(), open_udp(address, Bursts::InAndOut).unwrap());
        assert!(receive.nonblocking().unwrap() && both.nonblocking().unwrap());
        assert_eq!(sizes(&receive), (sizes(&granted).0, sizes(&plain).1));
        assert_eq!(sizes(&both), sizes(&granted));
    }

    #[test]
    fn only_the_need_to_wait_is_no_error() {
        assert_eq!(without_waiting(Ok(7)).unwrap(), Some(7));
        assert_eq!(without_waiting::<u8>(Err(ErrorKind::WouldBlock.into())).unwrap(), None);
        let error = without_waiting::<u8>(Err(ErrorKind::ConnectionRefused.into())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
}
