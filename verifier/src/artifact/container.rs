//! The envelope of every file: what it is, of which version, how long, and a digest against damage.
//!
//! 48 bytes of header, then the body, then nothing:
//!
//! | bytes | |
//! |---|---|
//! | 0..4 | `ZKNN` |
//! | 4..6 | format version, little-endian |
//! | 6 | kind: 1 circuit, 2 verifying key, 3 proof, 4 opening |
//! | 7 | zero |
//! | 8..16 | length of the body, little-endian |
//! | 16..48 | BLAKE3 of bytes 0..16 and the body |

use miette::Diagnostic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroize;

/// The format that this program writes and reads.
pub const VERSION: u16 = crate::FORMAT_VERSION;

const MAGIC: [u8; 4] = *b"ZKNN";
const PREFIX: usize = 16;
const HEADER: usize = PREFIX + blake3::OUT_LEN;

/// Bodies beyond this are refused unread.
const MAX_BODY: u64 = 1 << 32;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// What `prove` needs.
    Circuit = 1,
    /// What `verify` needs.
    Key = 2,
    /// A proof.
    Proof = 3,
    /// What is behind a commitment: a secret.
    Opening = 4,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::Circuit => "a circuit",
            FileKind::Key => "a verifying key",
            FileKind::Proof => "a proof",
            FileKind::Opening => "an opening",
        })
    }
}

impl FileKind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Circuit, Self::Key, Self::Proof, Self::Opening].into_iter().find(|&kind| kind as u8 == byte)
    }

    /// Whether a file of this kind is for its owner's eyes only.
    pub fn is_secret(self) -> bool {
        match self {
            Self::Circuit | Self::Key | Self::Proof => false,
            Self::Opening => true,
        }
    }
}

/// A file that can't be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{}: {problem}", path.display())]
#[diagnostic(code(zknn::artifact), help("{}", problem.help()))]
pub struct ArtifactError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: ArtifactProblem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactProblem {
    /// It could not be read.
    #[error("it can't be read: {0}")]
    Io(#[from] io::Error),
    /// It does not start as our files do.
    #[error("this is not a zknn file")]
    Foreign,
    /// It is of another format version.
    #[error("its format version is {got}, this program reads {VERSION}")]
    Version {
        /// The file's version.
        got: u16,
    },
    /// It is another kind of file.
    #[error("expected {expected}, got {got}")]
    Kind {
        /// What was wanted.
        expected: FileKind,
        /// What it is.
        got: FileKind,
    },
    /// Its length is not what its header says.
    #[error("its header announces {expected} bytes, the file has {got}")]
    Length {
        /// The announced length, header included.
        expected: u64,
        /// The file's.
        got: u64,
    },
    /// Its bytes are not those that were written.
    #[error("it is damaged: its digest does not match")]
    Damaged,
    /// Its contents make no sense.
    #[error("its contents are invalid: {0}")]
    Invalid(String),
}

impl ArtifactProblem {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Io(_) => "check the path and its permissions",
            Self::Foreign => {
                "`zknn compile` writes circuits (.zkc) and keys (.vk), `zknn prove` proofs (.zkp), `zknn commit` openings"
            }
            Self::Version { .. } => "make the file again with this version of zknn, or use the version that made it",
            Self::Kind { .. } => {
                "check the order of the arguments: `prove CIRCUIT`, `verify KEY PROOF`, `open COMMITMENT OPENING`"
            }
            Self::Length { .. } => "the file was cut off or added to: copy it again",
            Self::Damaged => "the file was changed after it was written: copy or make it again",
            Self::Invalid(_) => "make the file again with `zknn compile` or `zknn prove`",
        }
    }
}

/// Overwrites the bytes of a file, if it is a secret.
pub fn wipe(kind: FileKind, bytes: &mut Vec<u8>) {
    if kind.is_secret() {
        bytes.zeroize();
    }
}

/// Reads a file of `kind`.
///
/// # Errors
/// Whatever is wrong with the file.
pub fn read<T: DeserializeOwned + Serialize>(path: &Path, kind: FileKind) -> Result<T, ArtifactError> {
    let value = read_checked(path).and_then(|mut bytes| {
        let value = from_bytes(kind, &bytes);
        wipe(kind, &mut bytes);
        value
    });
    value.map_err(|problem| ArtifactError { path: path.into(), problem })
}

/// The file's bytes, once its header and length agree; nothing is allocated by the header's word alone.
fn read_checked(path: &Path) -> Result<Vec<u8>, ArtifactProblem> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
    }
    let mut header = [0; HEADER];
    file.read_exact(&mut header).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ArtifactProblem::Foreign,
        _ => error.into(),
    })?;
    let body = body_length(&header)?;
    let mut bytes = Vec::with_capacity(metadata.len().min(HEADER as u64 + body) as usize + 1);
    bytes.extend_from_slice(&header);
    // One byte more than announced tells a file that is too long, even one whose length is not known.
    file.take(body + 1).read_to_end(&mut bytes)?;
    let (expected, got) = (HEADER as u64 + body, bytes.len() as u64);
    if expected != got {
        return Err(ArtifactProblem::Length { expected, got: got.max(metadata.len()) });
    }
    Ok(bytes)
}

fn body_length(header: &[u8; HEADER]) -> Result<u64, ArtifactProblem> {
    if header[..4] != MAGIC || header[7] != 0 {
        return Err(ArtifactProblem::Foreign);
    }
    let version = u16::from_le_bytes([header[4], header[5]]);
    if version != VERSION {
        return Err(ArtifactProblem::Version { got: version });
    }
    let body = u64::from_le_bytes(std::array::from_fn(|i| header[8 + i]));
    if body > MAX_BODY {
        return Err(ArtifactProblem::Invalid(format!("a body of {body} bytes is beyond the limit of {MAX_BODY}")));
    }
    Ok(body)
}

/// A whole file as bytes.
pub fn to_bytes(kind: FileKind, body: &impl Serialize) -> Vec<u8> {
    let bytes = bincode::serde::encode_to_vec(body, bincode::config::standard());
    // No artifact has a form that serde refuses.
    let mut bytes = bytes.expect("an artifact has a serial form");
    let sealed = seal(kind, &bytes);
    wipe(kind, &mut bytes);
    sealed
}

/// A whole file around the bytes of a body, whatever they are.
pub fn seal(kind: FileKind, body: &[u8]) -> Vec<u8> {
    // Room for all of it: what grows leaves copies behind, and a body may be a secret.
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.resize(HEADER, 0);
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes[6] = kind as u8;
    bytes[8..PREFIX].copy_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(body);
    let digest = digest(&bytes);
    bytes[PREFIX..HEADER].copy_from_slice(digest.as_bytes());
    bytes
}

/// The contents of a whole file.
///
/// # Errors
/// Whatever is wrong with the bytes.
pub fn from_bytes<T: DeserializeOwned + Serialize>(kind: FileKind, bytes: &[u8]) -> Result<T, ArtifactProblem> {
    let header = bytes.first_chunk::<HEADER>().ok_or(ArtifactProblem::Foreign)?;
    let expected = HEADER as u64 + body_length(header)?;
    if expected != bytes.len() as u64 {
        return Err(ArtifactProblem::Length { expected, got: bytes.len() as u64 });
    }
    let got = FileKind::from_byte(header[6]).ok_or(ArtifactProblem::Foreign)?;
    if got != kind {
        return Err(ArtifactProblem::Kind { expected: kind, got });
    }
    if header[PREFIX..] != *digest(bytes).as_bytes() {
        return Err(ArtifactProblem::Damaged);
    }
    let body = &bytes[HEADER..];
    // Borrowed bytes are checked to be there before anything is allocated for them.
    let (value, used): (T, _) = bincode::serde::borrow_decode_from_slice(body, bincode::config::standard())
        .map_err(|error| ArtifactProblem::Invalid(error.to_string()))?;
    if used != body.len() {
        return Err(ArtifactProblem::Invalid(format!("{} bytes too many", body.len() - used)));
    }
    // The form of numbers leaves a choice; ours is the shortest, and there is no second file for the same contents.
    let mut unmatched = Unmatched(Some(body));
    let written = bincode::serde::encode_into_std_write(&value, &mut unmatched, bincode::config::standard());
    if written.is_err() || unmatched.0.is_none_or(|rest| !rest.is_empty()) {
        return Err(ArtifactProblem::Invalid("they are not in canonical form".into()));
    }
    Ok(value)
}

/// What is left of some bytes when all that was written is taken off their front; nothing, once something differs.
struct Unmatched<'a>(Option<&'a [u8]>);

impl io::Write for Unmatched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.and_then(|rest| rest.strip_prefix(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn digest(bytes: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(&bytes[..PREFIX]).update(&bytes[HEADER..]).finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let bytes = to_bytes(FileKind::Proof, &vec![1u8, 2, 3]);
        assert_eq!(from_bytes::<Vec<u8>>(FileKind::Proof, &bytes).expect("as written"), [1, 2, 3]);
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let bytes = to_bytes(FileKind::Key, &vec![7u8; 20]);
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            assert!(from_bytes::<Vec<u8>>(FileKind::Key, &changed).is_err(), "byte {i}");
        }
        for len in 0..bytes.len() {
            assert!(from_bytes::<Vec<u8>>(FileKind::Key, &bytes[..len]).is_err());
        }
        assert!(from_bytes::<Vec<u8>>(FileKind::Key, &[bytes.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn problems_have_their_names() {
        let bytes = to_bytes(FileKind::Key, &vec![7u8; 20]);
        let problem = |bytes: &[u8]| from_bytes::<Vec<u8>>(FileKind::Proof, bytes).expect_err("invalid").to_string();
        assert_eq!(problem(&bytes), "expected a proof, got a verifying key");
        assert_eq!(problem(b"{}"), "this is not a zknn file");
        let mut later = bytes.clone();
        later[4] = 9;
        assert_eq!(problem(&later), "its format version is 9, this program reads 5");
        let mut huge = bytes;
        huge[14] = 1;
        assert!(problem(&huge).contains("beyond the limit"));
    }

    #[test]
    fn a_long_vector_in_a_short_body_is_an_error() {
        // The body says that 2^60 bytes follow.
        let bytes = to_bytes(FileKind::Proof, &(1u64 << 60));
        assert!(matches!(from_bytes::<Vec<u8>>(FileKind::Proof, &bytes), Err(ArtifactProblem::Invalid(_))));
    }
}
