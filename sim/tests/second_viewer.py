"""A second implementation of the smallest viewer: joins a server, receives one key frame, says goodbye.

    python3 second_viewer.py HOST PORT KEYFILE CIPHER > key-frame

CIPHER is what is offered: `aes`, `chacha` or `both`. It is written from the description of the datagrams alone; the
handshake, Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s, is written out below.
"""

import base64
import hashlib
import hmac
import os
import socket
import struct
import sys
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MAGIC, VERSION, AUTH_KEY = b"nalc", 1, 1
INIT, RETRY, ACCEPT = 1, 2, 3
OFFERS = {"aes": 1, "chacha": 2, "both": 3}
PING, CLOSE, CLOSE_LEAVING = 0x81, 0x8A, 5
PATIENCE = 10.0


def hmac_blake2s(key, data):
    return hmac.new(key, data, hashlib.blake2s).digest()


def noise_hkdf(chaining_key, material, outputs):
    """HKDF of the Noise Protocol Framework, revision 34, section 4.3."""
    temporary = hmac_blake2s(chaining_key, material)
    out, previous = [], b""
    for number in range(1, outputs + 1):
        previous = hmac_blake2s(temporary, previous + bytes([number]))
        out.append(previous)
    return out


class Noise:
    """The initiator of NNpsk0: `-> psk, e` and `<- e, ee`."""

    def __init__(self, psk, prologue):
        # The name is longer than a hash, so it is hashed.
        self.hash = hashlib.blake2s(b"Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s").digest()
        self.chaining_key = self.hash
        self.cipher, self.nonce = None, 0
        self.mix_hash(prologue)
        self.psk = psk

    def mix_hash(self, data):
        self.hash = hashlib.blake2s(self.hash + data).digest()

    def mix_key(self, material):
        self.chaining_key, key = noise_hkdf(self.chaining_key, material, 2)
        self.cipher, self.nonce = ChaCha20Poly1305(key), 0

    def mix_key_and_hash(self, material):
        self.chaining_key, to_hash, key = noise_hkdf(self.chaining_key, material, 3)
        self.mix_hash(to_hash)
        self.cipher, self.nonce = ChaCha20Poly1305(key), 0

    def next_nonce(self):
        nonce = struct.pack("<IQ", 0, self.nonce)
        self.nonce += 1
        return nonce

    def write_message(self):
        self.mix_key_and_hash(self.psk)
        self.ephemeral = X25519PrivateKey.generate()
        public = self.ephemeral.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.mix_hash(public)
        # With a pre-shared key an ephemeral key is mixed in as well (section 9.2).
        self.mix_key(public)
        proof = self.cipher.encrypt(self.next_nonce(), b"", self.hash)
        self.mix_hash(proof)
        return public + proof

    def read_message(self, message):
        theirs, sealed = message[:32], message[32:]
        self.mix_hash(theirs)
        self.mix_key(theirs)
        self.mix_key(self.ephemeral.exchange(X25519PublicKey.from_public_bytes(theirs)))
        payload = self.cipher.decrypt(self.next_nonce(), sealed, self.hash)
        self.mix_hash(sealed)
        return payload

    def split(self):
        return noise_hkdf(self.chaining_key, b"", 2)


def expand(secret, info, length):
    """HKDF-Expand with SHA-256 (RFC 5869, section 2.3); one block is enough."""
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()[:length]


class Seal:
    """One direction's keys, in their first phase."""

    def __init__(self, cipher, secret, connection_id):
        context = struct.pack(">I", connection_id)
        make, key_bytes = [(AESGCM, 16), (ChaCha20Poly1305, 32)][cipher]
        self.aead = make(expand(secret, b"nalcast key" + context, key_bytes))
        self.iv = expand(secret, b"nalcast iv" + context, 12)

    def nonce(self, number):
        return bytes(a ^ b for a, b in zip(self.iv, struct.pack(">IQ", 0, number)))

    def seal(self, number, header, plaintext):
        return header + self.aead.encrypt(self.nonce(number), plaintext, header)

    def open(self, number, header, sealed):
        return self.aead.decrypt(self.nonce(number), sealed, header)


def head(kind, nonce):
    return struct.pack(">B4sB8s", kind, MAGIC, VERSION, nonce)


def join(sock, key, offer):
    """The handshake: the session's number and the seals of both directions."""
    nonce, versions = os.urandom(8), bytes([1, VERSION])
    context = MAGIC + bytes([VERSION, AUTH_KEY]) + nonce + bytes([offer]) + versions
    noise = Noise(key, context)
    message, cookie = noise.write_message(), b""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        init = head(INIT, nonce) + bytes([len(cookie)]) + cookie + bytes([0, AUTH_KEY, offer]) + versions
        sock.send((init + bytes([len(message)]) + message).ljust(1200, b"\0"))
        try:
            answer = sock.recv(2048)
        except TimeoutError:
            continue
        if answer[:14] == head(RETRY, nonce):
            modes, cookie = answer[14], answer[15:33]
            assert modes == 1 << AUTH_KEY and len(answer) == 33
        elif answer[:14] == head(ACCEPT, nonce):
            (connection_id, length) = struct.unpack_from(">IB", answer, 14)
            assert len(answer) == 19 + length
            cipher, _frame_max, _time, _newest = struct.unpack(">BIQQ", noise.read_message(answer[19:]))
            assert offer & 1 << cipher
            ours, theirs = noise.split()
            return connection_id, Seal(cipher, ours, connection_id), Seal(cipher, theirs, connection_id)
    raise SystemExit("nobody answered")


def say(sock, seal, connection_id, number, control):
    header = struct.pack(">BHI", 0xC0 | number >> 16, number & 0xFFFF, connection_id)
    sock.send(seal.seal(number, header, control))


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def access_unit(frame):
    """What is behind a frame's header: flags, epoch, reference delta, capture time, encode time, length."""
    assert frame[0] & 0x20, "a key frame"
    delta, at = varint(frame, 2)
    assert delta == 0, "which refers to none"
    length, at = varint(frame, at + 4 + 2)
    assert at + length == len(frame)
    return frame[at:]


def receive_key_frame(sock, seal):
    frames, largest = {}, 0
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        datagram = sock.recv(2048)
        if datagram[0] & 0xF0 != 0x80:
            continue
        low = (datagram[0] & 0x0F) << 16 | datagram[1] << 8 | datagram[2]
        # The number nearest to the next one.
        number = largest + 1 + ((low - largest - 1 + (1 << 19)) % (1 << 20)) - (1 << 19)
        try:
            plaintext = seal.open(number, datagram[:3], datagram[3:])
        except InvalidTag:
            continue
        largest = max(largest, number)
        if plaintext[0] & 0xE0 != 0x20:
            continue
        frame_id = plaintext[1] << 8 | plaintext[2]
        index = plaintext[3] << 4 | plaintext[4] >> 4
        count = (plaintext[4] & 0x0F) << 8 | plaintext[5]
        fragments = frames.setdefault(frame_id, {})
        fragments[index] = plaintext[6:]
        if len(fragments) == count + 1:
            return access_unit(b"".join(fragments[i] for i in range(count + 1)))
    raise SystemExit("no key frame came")


def main():
    host, port, key_file, offer = sys.argv[1:]
    with open(key_file, encoding="ascii") as file:
        key = base64.urlsafe_b64decode(file.read().strip() + "=")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((host, int(port)))
    sock.settimeout(1)
    connection_id, ours, theirs = join(sock, key, OFFERS[offer])
    # The first sealed datagram proves that the keys are right; media begins behind it.
    say(sock, ours, connection_id, 1, struct.pack(">BBHI", PING, 6, 1, 0))
    unit = receive_key_frame(sock, theirs)
    say(sock, ours, connection_id, 2, struct.pack(">BBH", CLOSE, 2, CLOSE_LEAVING))
    sys.stdout.buffer.write(unit)


main()
