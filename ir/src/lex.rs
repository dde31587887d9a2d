//! The words of the text form.

/// A word with the column it starts at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind<'a>,
    /// Counted in characters from 1.
    pub(crate) column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TokenKind<'a> {
    /// `%3`, without the sign.
    Node(&'a str),
    /// A name.
    Word(&'a str),
    /// A number as it is written: `-5`, `0.25`, `1e-7`.
    Number(&'a str),
    /// `#a1b2`, without the sign.
    Digest(&'a str),
    /// One of `= : [ ] ( ) , ^ ..=`.
    Mark(&'a str),
    /// The end of the line.
    End,
}

impl TokenKind<'_> {
    /// How the word reads in an error message.
    pub(crate) fn describe(self) -> String {
        match self {
            TokenKind::Node(text) => format!("`%{text}`"),
            TokenKind::Word(text) | TokenKind::Number(text) | TokenKind::Mark(text) => {
                format!("`{text}`")
            }
            TokenKind::Digest(text) => format!("`#{text}`"),
            TokenKind::End => "the end of the line".to_owned(),
        }
    }
}

/// The words of one line, the last being [`TokenKind::End`]; a comment counts as its end.
///
/// # Errors
///
/// The column and the character where no word begins.
pub(crate) fn tokens(line: &str) -> Result<Vec<Token<'_>>, (usize, char)> {
    let mut tokens = Vec::new();
    let mut rest = line;
    let mut column = 1;
    loop {
        let blank = rest.len() - rest.trim_start().len();
        column += rest[..blank].chars().count();
        rest = &rest[blank..];
        let Some(first) = rest.chars().next().filter(|&first| first != ';') else {
            tokens.push(Token { kind: TokenKind::End, column });
            return Ok(tokens);
        };
        let (kind, length) = token(rest).ok_or((column, first))?;
        tokens.push(Token { kind, column });
        // Every word is ASCII, so its bytes are its characters.
        column += length;
        rest = &rest[length..];
    }
}

/// The word at the beginning of a text, with its length.
fn token(text: &str) -> Option<(TokenKind<'_>, usize)> {
    let after = |start: usize, accepts: fn(&u8) -> bool| {
        start + text.as_bytes()[start..].iter().take_while(|byte| accepts(byte)).count()
    };
    let first = *text.as_bytes().first()?;
    match first {
        b'%' => match after(1, u8::is_ascii_digit) {
            1 => None,
            end => Some((TokenKind::Node(&text[1..end]), end)),
        },
        b'#' => match after(1, u8::is_ascii_hexdigit) {
            1 => None,
            end => Some((TokenKind::Digest(&text[1..end]), end)),
        },
        b'-' | b'0'..=b'9' => number_length(text.as_bytes()).map(|end| (TokenKind::Number(&text[..end]), end)),
        b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
            let end = after(0, |byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            Some((TokenKind::Word(&text[..end]), end))
        }
        b'.' if text.starts_with("..=") => Some((TokenKind::Mark(&text[..3]), 3)),
        b'=' | b':' | b'[' | b']' | b'(' | b')' | b',' | b'^' => Some((TokenKind::Mark(&text[..1]), 1)),
        _ => None,
    }
}

/// The length of `-? digits (. digits)? (e [+-]? digits)?`; the parts in parentheses count only when whole,
/// so that `5..=7` begins with `5`.
fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |start: usize| {
        let count = text.iter().skip(start).take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(start + count)
    };
    let mut end = digits(usize::from(text.first() == Some(&b'-')))?;
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1).unwrap_or(end);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign).unwrap_or(end);
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(line: &str) -> Vec<TokenKind<'_>> {
        tokens(line).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn an_interval_is_not_mistaken_for_a_fraction() {
        use TokenKind::*;
        assert_eq!(kinds("-5..=4"), [Number("-5"), Mark("..="), Number("4"), End]);
        assert_eq!(kinds("1.5e-7"), [Number("1.5e-7"), End]);
        assert_eq!(kinds("2^-24"), [Number("2"), Mark("^"), Number("-24"), End]);
    }

    #[test]
    fn columns_count_characters_and_comments_end_the_line() {
        let found = tokens("  %12 = relu ; größer").unwrap();
        let columns: Vec<usize> = found.iter().map(|token| token.column).collect();
        assert_eq!(columns, [3, 7, 9, 14]);
        assert_eq!(tokens("\u{a0}\u{a0}ß"), Err((3, 'ß')));
        assert_eq!(tokens("%"), Err((1, '%')));
    }
}
