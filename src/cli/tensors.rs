//! Tensors in JSON files, one for each input of a model.

use miette::Report;
use ndarray::ArrayD;
use std::path::PathBuf;
use zknn::front::read_tensor;

/// The tensor in each file.
pub(super) fn read<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<Vec<ArrayD<f64>>, Report> {
    let read = |path: &PathBuf| read_tensor(path).map_err(|error| Report::new(*error));
    paths.into_iter().map(read).collect()
}
