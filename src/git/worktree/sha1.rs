//! SHA-1 (FIPS 180-4), only for the checksum at the end of an index file. libgit2 offers it for
//! objects, which carry a header that an index file has not.

const BLOCK: usize = 64;

/// The digest of `data`.
pub(super) fn digest(data: &[u8]) -> [u8; 20] {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut blocks = data.chunks_exact(BLOCK);
    for block in &mut blocks {
        compress(&mut state, block);
    }
    // The padding: a one bit, zeros, and the length in bits in the last eight bytes.
    let rest = blocks.remainder();
    let mut tail = [0_u8; 2 * BLOCK];
    tail[..rest.len()].copy_from_slice(rest);
    tail[rest.len()] = 0x80;
    let end = if rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
    tail[end - 8..end].copy_from_slice(&(data.len() as u64 * 8).to_be_bytes());
    for block in tail[..end].chunks_exact(BLOCK) {
        compress(&mut state, block);
    }
    let mut out = [0; 20];
    for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    out
}

#[expect(clippy::many_single_char_names, reason = "the names of the standard")]
fn compress(state: &mut [u32; 5], block: &[u8]) {
    let mut w = [0_u32; 80];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for t in 16..80 {
        w[t] = (w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]).rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    let mut round = |f: fn(u32, u32, u32) -> u32, k: u32, words: &[u32]| {
        for word in words {
            let next = a
                .rotate_left(5)
                .wrapping_add(f(b, c, d))
                .wrapping_add(e)
                .wrapping_add(k)
                .wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
    };
    round(|b, c, d| (b & c) | (!b & d), 0x5a82_7999, &w[..20]);
    round(|b, c, d| b ^ c ^ d, 0x6ed9_eba1, &w[20..40]);
    round(|b, c, d| (b & c) | (b & d) | (c & d), 0x8f1b_bcdc, &w[40..60]);
    round(|b, c, d| b ^ c ^ d, 0xca62_c1d6, &w[60..]);
    for (word, add) in state.iter_mut().zip([a, b, c, d, e]) {
        *word = word.wrapping_add(add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use git2::Oid;

    #[test]
    fn it_agrees_with_libgit2_at_every_length_around_a_block() {
        for len in (0..260).chain([1000, 65_537]) {
            let body: Vec<u8> = (0..len).map(|i: u32| (i * 7 + 3).to_le_bytes()[0]).collect();
            let theirs = Oid::hash_object(git2::ObjectType::Blob, &body).unwrap();
            let mut whole = format!("blob {}\0", body.len()).into_bytes();
            whole.extend_from_slice(&body);
            assert_eq!(digest(&whole), theirs.as_bytes(), "length {len}");
        }
    }
}
