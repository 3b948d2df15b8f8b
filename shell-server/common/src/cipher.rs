//! Which cipher is the faster one here.

use nalcast_core::seal::Aead;

/// AES-GCM where the processor has instructions for both of its halves, ChaCha20-Poly1305 elsewhere.
#[must_use]
pub fn preferred_cipher() -> Aead {
    #[cfg(target_arch = "x86_64")]
    let has_instructions =
        std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    let has_instructions =
        std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let has_instructions = false;
    if has_instructions { Aead::Aes128Gcm } else { Aead::ChaCha20Poly1305 }
}
