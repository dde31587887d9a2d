//! Tensors, in the form ndarray's serde support gives them: `{"v": 1, "dim": [2, 3], "data": [… 6 numbers]}`. A file may also hold
//! lists in lists, which show their shape.

use ndarray::{ArrayD, IxDyn};

use super::error::{Problem, Result};
use super::fields::Object;
use super::piece::Piece;
use super::source::shown;
use super::{MAX_ELEMENTS, MAX_RANK, shapes};

/// Reads the tensor of a whole file: an object, or lists in lists.
pub(super) fn read_whole(piece: Piece) -> Result<ArrayD<f64>> {
    if piece.is_array() {
        return of_lists(piece);
    }
    of_rank(piece, "the tensor", None).map_err(|error| match piece.member(FOREIGN_FIELD) {
        Some(lists) => lists.error(Problem::ForeignTensor, "the numbers"),
        None => error,
    })
}

/// Reads the tensor of a layer's field, whose rank the field decides.
pub(super) fn read(piece: Piece, field: &'static str) -> Result<ArrayD<f64>> {
    let rank = shapes::dimensions(field).map(|dimensions| (field, dimensions));
    of_rank(piece, &format!("`{field}`"), rank)
}

/// Reads the tensor of a layer's field, of whatever rank.
pub(super) fn read_of_any_rank(piece: Piece, field: &'static str) -> Result<ArrayD<f64>> {
    of_rank(piece, &format!("`{field}`"), None)
}

/// Reads a tensor; the field may decide its rank, and what its dimensions mean.
fn of_rank(piece: Piece, what: &str, rank: Option<(&'static str, (usize, &'static str))>) -> Result<ArrayD<f64>> {
    let object = Object::new(piece, what)?.only(&["v", "dim", "data"])?;

    let version = object.required("v")?;
    if version.text() != "1" {
        let problem = Problem::TensorVersion { got: shown(version.text()) };
        return Err(version.error(problem, "expected 1"));
    }

    let dim = object.required("dim")?;
    let extents = extents(dim, &format!("`dim` of {what}"))?;
    if let Some((field, (rank, meaning))) = rank
        && extents.len() != rank
    {
        let problem = Problem::TensorRank { field: field.to_string(), expected: rank, got: extents.len(), meaning };
        return Err(dim.error(problem, format!("expected {meaning}")));
    }

    let data = object.required("data")?;
    // `extents` has checked that the product does not overflow.
    let expected = extents.iter().product();
    let numbers = data.floats(&format!("`data` of {what}"), expected)?;
    let got = numbers.len();
    ArrayD::from_shape_vec(IxDyn(&extents), numbers).map_err(|_| wrong_length(data, extents, expected, got))
}

/// What ezkl calls the numbers of an input.
const FOREIGN_FIELD: &str = "input_data";

/// Reads lists in lists, of one length at each depth.
fn of_lists(piece: Piece) -> Result<ArrayD<f64>> {
    let mut lists = Lists { extents: Vec::new(), numbers: Vec::new() };
    lists.read(piece, 0)?;
    let Lists { extents, numbers } = lists;
    // As many numbers as the lengths say, since no list had another length or depth.
    ArrayD::from_shape_vec(IxDyn(&extents), numbers).map_err(|_| piece.error(Problem::Ragged, "not of one length"))
}

struct Lists {
    /// The length of the lists at each depth.
    extents: Vec<usize>,
    numbers: Vec<f64>,
}

impl Lists {
    fn read(&mut self, piece: Piece, depth: usize) -> Result<()> {
        const WHAT: &str = "the tensor";
        if depth == MAX_RANK {
            return Err(piece.error(Problem::TooManyExtents { what: WHAT.to_string() }, "one too many"));
        }
        let is_new = self.extents.len() == depth;
        // Numbers have been read already, from the lists that are farthest down.
        let is_nested = piece.element(0).is_some_and(Piece::is_array);
        if !self.numbers.is_empty() && (is_new || is_nested != (depth + 1 < self.extents.len())) {
            return Err(piece.error(Problem::Ragged, "of another depth than those before"));
        }
        if is_new {
            self.extents.push(0);
        }
        let mut length = 0;
        if is_nested {
            piece.each(WHAT, |_, element| {
                length += 1;
                if element.is_array() {
                    self.read(element, depth + 1)
                } else {
                    Err(element.error(Problem::Ragged, "no list"))
                }
            })?;
        } else {
            let numbers = piece.floats(WHAT, 0)?;
            length = numbers.len();
            self.numbers.extend(numbers);
        }
        if is_new {
            self.extents[depth] = length;
        }
        match self.extents[depth] == length {
            _ if length == 0 => Err(piece.error(Problem::NoExtents { what: WHAT.to_string() }, "empty")),
            true => Ok(()),
            false => {
                let label = format!("{length} elements, and {} in the first", self.extents[depth]);
                Err(piece.error(Problem::Ragged, label))
            }
        }
    }
}

/// An error at the first element too many, or at the bracket where elements are missing.
fn wrong_length(data: Piece, dim: Vec<usize>, expected: usize, got: usize) -> Box<super::FrontError> {
    let problem = Problem::DataLength { dim, expected, got };
    match data.element(expected) {
        Some(surplus) => surplus.error(problem, format!("one more than {expected}")),
        None => data.closing().error(problem, format!("ends after {got}")),
    }
}

/// Reads a list of extents: positive, few, and with a product that fits.
pub(super) fn extents(piece: Piece, what: &str) -> Result<Vec<usize>> {
    let mut extents = Vec::new();
    piece.each(what, |index, element| {
        if index == MAX_RANK {
            let problem = Problem::TooManyExtents { what: what.to_string() };
            return Err(element.error(problem, "one too many"));
        }
        extents.push(extent(element, what)?);
        Ok(())
    })?;
    if extents.is_empty() {
        return Err(piece.error(Problem::NoExtents { what: what.to_string() }, "empty"));
    }
    if shapes::elements(&extents).is_none() {
        let problem = Problem::TooManyElements { what: what.to_string(), extents };
        return Err(piece.error(problem, format!("more than {MAX_ELEMENTS} elements")));
    }
    Ok(extents)
}

fn extent(piece: Piece, what: &str) -> Result<usize> {
    if !piece.is_number() {
        return Err(piece.wrong_type(format!("an extent of {what}"), "a positive integer"));
    }
    match piece.text().parse::<usize>() {
        Ok(extent) if (1..=MAX_ELEMENTS).contains(&extent) => Ok(extent),
        _ => {
            let problem = Problem::Extent { what: what.to_string(), got: shown(piece.text()) };
            Err(piece.error(problem, "not a positive integer in range"))
        }
    }
}
