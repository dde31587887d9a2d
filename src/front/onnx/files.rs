//! Tensors whose data lie in files of their own, beside the model.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::proto::TensorProto;

/// The folder that such files lie in; none for a model that was not read from a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    folder: Option<PathBuf>,
}

impl Files {
    pub(super) fn beside(model: &Path) -> Self {
        let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self { folder: Some(folder.unwrap_or(Path::new(".")).to_path_buf()) }
    }

    /// The bytes of a tensor, no more of them than its file has; or why there are none, in words that follow its name.
    pub(super) fn data(&self, tensor: &TensorProto) -> Result<Vec<u8>, String> {
        let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let location = entry("location").ok_or("lies in a file of its own that has no name")?;
        let number = |key: &str| match entry(key).map(|value| value.parse::<u64>()) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => Err(format!("lies in `{location}` at an {key} that is no number")),
        };
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let path = self.path(location)?;
        let unreadable = |error: std::io::Error| format!("lies in `{location}`, which can't be read: {error}");
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let left = size.saturating_sub(offset);
        let length = length.unwrap_or(left);
        if length > left {
            return Err(format!("takes {length} bytes of `{location}` from {offset}, and the file has {size}"));
        }
        file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    /// The path of a file in the folder, and in no other, not through a link either.
    fn path(&self, location: &str) -> Result<PathBuf, String> {
        let outside = || format!("lies in `{location}`, which is not in the model's folder");
        let folder = self.folder.as_ref().ok_or_else(outside)?;
        if !Path::new(location).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(outside());
        }
        let missing = |error: std::io::Error| format!("lies in `{location}`, which can't be read: {error}");
        let (folder, path) =
            (folder.canonicalize().map_err(missing)?, folder.join(location).canonicalize().map_err(missing)?);
        if path.starts_with(&folder) && path.is_file() { Ok(path) } else { Err(outside()) }
    }
}
