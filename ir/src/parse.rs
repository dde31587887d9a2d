#[derive(Debug)]
pub struct ParseError;
pub struct ParseErrorKind;
pub fn parse(_t: &str) -> Result<crate::Graph, ParseError> {
    Err(ParseError)
}
pub fn parse_with(
    _t: &str,
    _r: &dyn Fn(&str) -> Option<crate::Weights>,
) -> Result<crate::Graph, ParseError> {
    Err(ParseError)
}
