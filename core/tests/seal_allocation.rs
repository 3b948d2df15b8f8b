//! Sealing and opening touch no heap.

use allocation_counter::measure;
use nalcast_core::seal::{Aead, Channel, Cipher, Direction, Seals};

#[test]
fn a_datagram_is_sealed_and_opened_without_allocating() {
    for aead in [Aead::Aes128Gcm, Aead::ChaCha20Poly1305] {
        let seals = || {
            let cipher = |secret| Cipher::new(aead, &[secret; 32], b"").unwrap();
            Seals { to_viewer: cipher(1), to_server: cipher(2) }
        };
        let mut server = Channel::new(seals(), Direction::ToViewer);
        let mut viewer = Channel::new(seals(), Direction::ToServer);
        let mut buf = [0; 1200];
        let mut exchange = || {
            let plaintext = [7; 1175];
            let (number, len) = server.seal(None, &mut buf, |writer| writer.bytes(&plaintext)).unwrap();
            assert_eq!(len, 3 + plaintext.len() + 16, "a header of three bytes and a tag of sixteen");
            let (opened, range) = viewer.open(&mut buf[..len]).unwrap();
            assert_eq!((opened, &buf[range]), (number, &plaintext[..]));
        };
        exchange();
        let allocated = measure(|| (0..100).for_each(|_| exchange()));
        assert_eq!(allocated.count_total, 0, "{aead:?}: {allocated:?}");
    }
}
