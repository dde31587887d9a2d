//! The text of a file, the pieces of JSON in it, and the excerpts that diagnostics show.
//!
//! A model is usually one line of many megabytes. A diagnostic therefore never carries the source itself, only an
//! [`Excerpt`]: a few dozen characters around the place, with the true line and column.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::error::{FrontError, Problem, Result};

/// More than any circuit could hold, and little enough that a device file cannot fill the memory.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// Characters shown on each side of the place, and at most of the place itself.
const CONTEXT_CHARS: usize = 40;
const MAX_MARKED_CHARS: usize = 32;

/// What is in a file.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let problem = |error| FrontError::unplaced(file_problem(path.display().to_string(), error));
    read_limited(path, MAX_FILE_BYTES).map_err(problem)
}

/// A file's name, as the user gave it, and its text.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn read(path: &Path) -> Result<Source> {
        let name = path.display().to_string();
        let bytes = bytes(path)?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Source { name, text }),
            Err(error) => Err(match other_format(path) {
                Some(format) => FrontError::unplaced(Problem::OtherFormat { name, format }),
                None => not_utf8(name, error.as_bytes(), error.utf8_error().valid_up_to()),
            }),
        }
    }

    /// What to show of the text when the diagnostic is about `range`, and where in that the range stands.
    pub(super) fn excerpt(&self, range: Range<usize>) -> (Excerpt, SourceSpan) {
        let start = self.text.floor_char_boundary(range.start);
        let (before, after) = self.text.split_at(start);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = after.lines().next().unwrap_or("");

        let left_chars = before[line_start..].chars().count();
        let skip = left_chars.saturating_sub(CONTEXT_CHARS);
        let left = before[line_start..].chars().skip(skip);
        let marked_bytes = range.end.saturating_sub(start).min(line.len());
        let marked_chars = line.char_indices().take_while(|(at, _)| *at < marked_bytes).count();
        let marked = line.chars().take(marked_chars.min(MAX_MARKED_CHARS));
        let mut right = line.chars().skip(marked_chars.min(MAX_MARKED_CHARS));

        let mut text = String::new();
        text.push_str(if skip > 0 { "…" } else { "" });
        text.extend(left.map(printable));
        let at = text.len();
        text.extend(marked.map(printable));
        let length = text.len() - at;
        text.extend(right.clone().take(CONTEXT_CHARS).map(printable));
        text.push_str(if right.nth(CONTEXT_CHARS).is_some() { "…" } else { "" });

        let line = before.bytes().filter(|byte| *byte == b'\n').count();
        let excerpt = Excerpt { name: self.name.clone(), text, line, column: left_chars };
        (excerpt, (at, length).into())
    }
}

/// Part of one line of a file.
#[derive(Debug)]
pub(super) struct Excerpt {
    name: String,
    text: String,
    /// Of the marked place in the whole file, both counted from zero.
    line: usize,
    column: usize,
}

impl SourceCode for Excerpt {
    /// Always all of it: the excerpt is the context already.
    fn read_span<'a>(
        &'a self,
        _span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> std::result::Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let all = (0, self.text.len()).into();
        let text = self.text.as_bytes();
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), text, all, self.line, self.column, 1)))
    }
}

/// A name out of a file, fit to stand in a message: short and without control characters.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_MARKED_CHARS).map(printable).collect();
    if text.chars().nth(MAX_MARKED_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// Control characters would let a file write to the user's terminal.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // The length is the file system's word, checked above; a pipe says zero.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    let length = file.take(limit + 1).read_to_end(&mut bytes)?;
    if length as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn file_problem(name: String, error: io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::NotFound { name },
        io::ErrorKind::IsADirectory => Problem::Directory { name },
        io::ErrorKind::FileTooLarge => Problem::FileTooLarge { name },
        _ => Problem::Unreadable { name, error },
    }
}

/// What a file that is no text is by its name, where models come as such files.
fn other_format(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "pt" | "pth" => Some("a PyTorch file"),
        "h5" | "hdf5" | "keras" => Some("a Keras model"),
        "tflite" => Some("a TensorFlow Lite model"),
        "npy" | "npz" => Some("a file of numpy arrays"),
        "gz" | "zip" => Some("a compressed file"),
        _ => None,
    }
}

fn not_utf8(name: String, bytes: &[u8], valid: usize) -> Box<FrontError> {
    let shown = &bytes[..bytes.len().min(valid + CONTEXT_CHARS)];
    let text = String::from_utf8_lossy(shown).into_owned();
    let source = Source { name: name.clone(), text };
    let mark = valid..valid + char::REPLACEMENT_CHARACTER.len_utf8();
    let byte = bytes.get(valid).copied().unwrap_or(0);
    FrontError::placed(Problem::NotUtf8 { name, offset: valid }, &source, mark, format!("byte 0x{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_clipped_and_counted() {
        let text = format!("first\n{}\u{e9}X{}", "a".repeat(1000), "b".repeat(1000));
        let source = Source { name: "long".into(), text };
        let (excerpt, span) = source.excerpt(1008..1009);
        assert_eq!((excerpt.line, excerpt.column), (1, 1001));
        assert_eq!(excerpt.text, format!("…{}\u{e9}X{}…", "a".repeat(39), "b".repeat(40)));
        assert_eq!(&excerpt.text[span.offset()..span.offset() + span.len()], "X");
    }

    #[test]
    fn any_range_of_any_text_has_an_excerpt() {
        for text in ["", "\n", "a\u{e9}\r\n\t\u{1b}[1m", "\n\n"] {
            let source = Source { name: String::new(), text: text.into() };
            for start in 0..12 {
                for end in 0..12 {
                    let (excerpt, span) = source.excerpt(start..end);
                    assert!(span.offset() + span.len() <= excerpt.text.len());
                    assert!(!excerpt.text.contains('\u{1b}'));
                }
            }
        }
    }

    #[test]
    fn a_file_over_the_limit_is_refused_whether_or_not_it_says_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_limited(&path, 5).unwrap(), b"12345");
        assert_eq!(read_limited(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        #[cfg(unix)]
        assert_eq!(read_limited(Path::new("/dev/zero"), 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
