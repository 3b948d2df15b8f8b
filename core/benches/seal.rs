//! What sealing costs: a full datagram through each cipher, and a handshake.

use core::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nalcast_core::handshake::{Handshake, Noise, Proposal, SharedKey};
use nalcast_core::limits::DATAGRAM_BYTES_BASE;
use nalcast_core::seal::{Aead, Channel, Cipher, Direction, Seal, Seals};
use nalcast_core::secrets::Secrets;

const CIPHERS: [Aead; 2] = [Aead::Aes128Gcm, Aead::ChaCha20Poly1305];

fn seals(aead: Aead) -> Seals<Cipher> {
    let cipher = |secret| Cipher::new(aead, &[secret; 32], b"bench").expect("keys");
    Seals { to_viewer: cipher(1), to_server: cipher(2) }
}

fn datagrams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    group.throughput(Throughput::Bytes(DATAGRAM_BYTES_BASE as u64));
    for aead in CIPHERS {
        let mut channel = Channel::new(seals(aead), Direction::ToViewer);
        let plaintext = [7; DATAGRAM_BYTES_BASE];
        let plaintext = &plaintext[..DATAGRAM_BYTES_BASE - channel.overhead()];
        let mut buf = [0; DATAGRAM_BYTES_BASE];
        group.bench_function(format!("{aead:?}/seal"), |bencher| {
            bencher.iter(|| channel.seal(None, black_box(&mut buf), |writer| writer.bytes(black_box(plaintext))));
        });
        // The cipher alone, for a channel opens no datagram twice.
        let cipher = seals(aead).to_viewer;
        let mut sealed = [0; DATAGRAM_BYTES_BASE];
        cipher.seal(1, b"hdr", &mut sealed);
        group.bench_function(format!("{aead:?}/open"), |bencher| {
            bencher.iter(|| {
                let mut body = sealed;
                cipher.open(1, b"hdr", black_box(&mut body))
            });
        });
    }
    group.finish();
}

fn handshake(criterion: &mut Criterion) {
    let noise = Noise::with_key(SharedKey::new([7; 32]), Aead::Aes128Gcm);
    let mut secrets = Secrets::new([1; 32]);
    criterion.bench_function("handshake/both sides", |bencher| {
        bencher.iter(|| {
            let (mut pending, message) = noise.begin(&mut secrets, b"context")?;
            let proposal = Proposal { message: message.as_bytes(), ciphers: Aead::ALL, connection_id: 1 };
            let (_, response) = noise.respond(&mut secrets, b"context", proposal, &[0; 20])?;
            noise.conclude(&mut pending, 1, response.as_bytes(), &mut [0; 20])
        });
    });
    let (_, message) = noise.begin(&mut secrets, b"context").expect("a message");
    let stranger = Noise::with_key(SharedKey::new([8; 32]), Aead::Aes128Gcm);
    criterion.bench_function("handshake/a stranger", |bencher| {
        bencher.iter(|| {
            let proposal = Proposal { message: message.as_bytes(), ciphers: Aead::ALL, connection_id: 1 };
            stranger.respond(&mut secrets, b"context", proposal, &[0; 20])
        });
    });
}

criterion_group!(benches, datagrams, handshake);
criterion_main!(benches);
