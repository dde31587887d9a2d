//! Changes that reach what lies behind the digest of the envelope: it is made anew after each.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use zknn::artifact::{FileKind, seal};

/// Bytes before the body.
pub const HEADER: usize = 48;

/// A length beyond all bounds, in the form of each width that a number can have.
pub const HUGE: [&[u8]; 3] =
    [&[0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], &[0xFC, 0xFF, 0xFF, 0xFF, 0x7F], &[0xFB, 0xFF, 0xFF]];

/// A body with something done to it.
pub fn mutated(body: &[u8], donor: &[u8], random: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = body.to_vec();
    // Structure comes first in a file, so half of the changes do too.
    let reach = if random.r#gen() { bytes.len() } else { bytes.len().min(400) };
    let at = random.gen_range(0..reach);
    match random.gen_range(0..9) {
        0 => (0..random.gen_range(1..4)).for_each(|_| bytes[at] ^= 1 << random.gen_range(0..8)),
        1 => bytes[at] = random.r#gen(),
        2 => bytes.truncate(at),
        3 => bytes.extend((0..random.gen_range(1..64)).map(|_| random.r#gen::<u8>())),
        4 | 5 => drop(bytes.splice(at..=at, HUGE[random.gen_range(0..HUGE.len())].iter().copied())),
        6 => bytes[at..].iter_mut().take(8).for_each(|byte| *byte = 0xFF),
        7 => drop(bytes.remove(at)),
        _ => {
            let len = random.gen_range(1..64).min(donor.len()).min(bytes.len() - at);
            let from = random.gen_range(0..=donor.len() - len);
            bytes[at..at + len].copy_from_slice(&donor[from..from + len]);
        }
    }
    bytes
}

/// Calls `judge` with `count` mutations of a file, each in a whole envelope, and none of them the file itself.
pub fn attack(
    kind: FileKind,
    file: &[u8],
    donors: [&[u8]; 3],
    (count, seed): (usize, u64),
    mut judge: impl FnMut(&[u8]),
) {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    for _ in 0..count {
        let donor = donors[random.gen_range(0..donors.len())];
        let sealed = seal(kind, &mutated(&file[HEADER..], &donor[HEADER..], &mut random));
        if sealed != file {
            judge(&sealed);
        }
    }
}
