//! Writing a file whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;

use miette::Diagnostic;
use serde::Serialize;
use thiserror::Error;
use zknn_verifier::artifact::{FileKind, to_bytes, wipe};

/// Why a file was not written. What stood there before still does.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each one is")]
pub enum WriteError {
    #[error("cannot write {path}: the path does not name a file", path = path.display())]
    #[diagnostic(code(zknn::write::no_name), help("end the path in the name of a file"))]
    NoName { path: PathBuf },

    #[error("cannot write {path}: it is a folder", path = path.display())]
    #[diagnostic(code(zknn::write::directory), help("name a file in it"))]
    Directory { path: PathBuf },

    #[error("cannot write {path}: it is not a regular file", path = path.display())]
    #[diagnostic(
        code(zknn::write::not_a_file),
        help("files are replaced whole, which devices and pipes cannot be; name a file")
    )]
    NotAFile { path: PathBuf },

    #[error("cannot write {path}: there is no folder {folder}", path = path.display(),
        folder = folder.display())]
    #[diagnostic(code(zknn::write::missing_folder), help("make the folder first, or check the path"))]
    MissingFolder { path: PathBuf, folder: PathBuf },

    #[error("cannot write {path}: no permission to make files in {folder}", path = path.display(),
        folder = folder.display())]
    #[diagnostic(code(zknn::write::permission_denied), help("choose a folder that you may write to"))]
    PermissionDenied { path: PathBuf, folder: PathBuf },

    #[error("cannot write {path}: {folder} is on a read-only file system", path = path.display(),
        folder = folder.display())]
    #[diagnostic(code(zknn::write::read_only), help("choose a folder that can be written to"))]
    ReadOnly { path: PathBuf, folder: PathBuf },

    #[error("cannot write {path}: the disk is full, or a quota is used up", path = path.display())]
    #[diagnostic(code(zknn::write::disk_full), help("make room, or choose a folder on another disk"))]
    DiskFull { path: PathBuf },

    #[error("cannot write {path}: {error}", path = path.display())]
    #[diagnostic(code(zknn::write::failed), help("nothing was left behind; see to the cause and try again"))]
    Failed { path: PathBuf, error: io::Error },
}

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Whoever the system's defaults let.
    Shared,
    /// Its owner only, where the system has such a thing.
    Owner,
}

/// Writes `body` as a file of `kind`: all of it or, on an error, nothing. A secret is readable by its owner only, from the
/// start, and its bytes are wiped from memory.
///
/// # Errors
/// The file can't be written.
pub fn write_file(path: &Path, kind: FileKind, body: &impl Serialize) -> Result<(), WriteError> {
    let access = if kind.is_secret() { Access::Owner } else { Access::Shared };
    let mut bytes = to_bytes(kind, body);
    let written = write_with(path, access, |file| file.write_all(&bytes));
    wipe(kind, &mut bytes);
    written
}

/// Writes a file through `write`, so that at any time either all of it stands at `path` or what stood there before.
///
/// The bytes go to a temporary file in the same folder, which takes the place of `path` once they are on the disk, and
/// which is removed on any error. A symbolic link is followed; the file that it leads to is replaced.
///
/// # Errors
///
/// Those of the file system, and those of `write`.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), WriteError> {
    write_with(path, Access::Shared, write)
}

/// As [`write_atomically`], for those who have `access`.
fn write_with(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    let target = target(path)?;
    let (folder, name) = folder_and_name(&target, path)?;
    let (temporary, file) = Temporary::create(folder, name, access).map_err(|error| failure(path, folder, error))?;
    fill(file, access, write)
        .and_then(|()| temporary.move_to(&target))
        .map_err(|error| failure(path, folder, error))?;
    // The file is whole either way; this only makes its name last through a crash, where folders can be synced.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// The file to replace: where `path` leads to, if there is something yet.
fn target(path: &Path) -> Result<PathBuf, WriteError> {
    let owned = || path.to_path_buf();
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(WriteError::Directory { path: owned() }),
        Ok(metadata) if !metadata.is_file() => Err(WriteError::NotAFile { path: owned() }),
        Ok(_) => fs::canonicalize(path).map_err(|error| WriteError::Failed { path: owned(), error }),
        // Whatever else is wrong shows when the temporary file is made.
        Err(_) => Ok(owned()),
    }
}

/// The parts of `target`; errors speak of `path`, which is what the user wrote.
fn folder_and_name<'a>(target: &'a Path, path: &Path) -> Result<(&'a Path, &'a OsStr), WriteError> {
    let ends_in_separator = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    match (target.parent(), target.file_name()) {
        (Some(folder), Some(name)) if !ends_in_separator => {
            let here = folder.as_os_str().is_empty();
            Ok((if here { Path::new(".") } else { folder }, name))
        }
        _ => Err(WriteError::NoName { path: path.to_path_buf() }),
    }
}

fn fill(file: File, access: Access, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let capacity = match access {
        Access::Shared => 1 << 16,
        // A buffer would be left in memory with a secret in it.
        Access::Owner => 0,
    };
    let mut buffered = BufWriter::with_capacity(capacity, file);
    write(&mut buffered)?;
    buffered.into_inner()?.sync_all()
}

fn failure(path: &Path, folder: &Path, error: io::Error) -> WriteError {
    let (path, folder) = (path.to_path_buf(), folder.to_path_buf());
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => WriteError::MissingFolder { path, folder },
        ErrorKind::PermissionDenied => WriteError::PermissionDenied { path, folder },
        ErrorKind::ReadOnlyFilesystem => WriteError::ReadOnly { path, folder },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => WriteError::DiskFull { path },
        _ => WriteError::Failed { path, error },
    }
}

/// A file that removes itself unless it is moved to its place.
struct Temporary {
    path: Option<PathBuf>,
}

impl Temporary {
    /// A new file in the folder, hidden, and named after the file that it is to become.
    fn create(folder: &Path, name: &OsStr, access: Access) -> io::Result<(Temporary, File)> {
        const ATTEMPTS: u32 = 1000;
        let mut attempt = 0;
        loop {
            let mut hidden = OsStr::new(".").to_os_string();
            hidden.push(name);
            hidden.push(format!(".{}-{attempt}.tmp", process::id()));
            let path = folder.join(hidden);
            match options(access).open(&path) {
                Ok(file) => return Ok((Temporary { path: Some(path) }, file)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn move_to(mut self, target: &Path) -> io::Result<()> {
        if let Some(path) = &self.path {
            fs::rename(path, target)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // There is no one left to tell.
            let _ = fs::remove_file(path);
        }
    }
}

/// How the temporary file is opened.
fn options(access: Access) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if access == Access::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn code(result: Result<(), WriteError>) -> String {
        result.unwrap_err().code().unwrap().to_string()
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        for text in ["first", "second, longer", "3"] {
            write_atomically(&path, |w| w.write_all(text.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(folder.path()), ["out"]);
        }
    }

    #[test]
    fn an_error_midway_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let fail = |w: &mut dyn Write| {
            w.write_all(&[0; 1 << 20])?;
            Err(ErrorKind::StorageFull.into())
        };
        assert_eq!(code(write_atomically(&path, fail)), "zknn::write::disk_full");
        assert_eq!(names(folder.path()), [""; 0]);

        fs::write(&path, "before").unwrap();
        assert_eq!(code(write_atomically(&path, fail)), "zknn::write::disk_full");
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn what_another_process_left_behind_is_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!(".out.{}-0.tmp", process::id()));
        fs::write(&left, "left").unwrap();
        write_atomically(&folder.path().join("out"), |w| w.write_all(b"new")).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        assert_eq!(fs::read_to_string(&left).unwrap(), "left");
    }

    #[test]
    fn paths_that_cannot_be_written_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &Path| code(write_atomically(path, |w| w.write_all(b"text")));
        let file = folder.path().join("file");
        fs::write(&file, "text").unwrap();
        assert_eq!(write(folder.path()), "zknn::write::directory");
        assert_eq!(write(&folder.path().join("none/out")), "zknn::write::missing_folder");
        assert_eq!(write(&file.join("out")), "zknn::write::missing_folder");
        assert_eq!(write(&folder.path().join("out/")), "zknn::write::no_name");
        assert_eq!(write(Path::new("")), "zknn::write::no_name");
        assert_eq!(write(&folder.path().join("x".repeat(300))), "zknn::write::failed");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn errors_of_the_system_are_told_apart() {
        let code = |kind: ErrorKind| {
            let error = failure(Path::new("a/b"), Path::new("a"), kind.into());
            error.code().unwrap().to_string()
        };
        assert_eq!(code(ErrorKind::PermissionDenied), "zknn::write::permission_denied");
        assert_eq!(code(ErrorKind::ReadOnlyFilesystem), "zknn::write::read_only");
        assert_eq!(code(ErrorKind::StorageFull), "zknn::write::disk_full");
        assert_eq!(code(ErrorKind::QuotaExceeded), "zknn::write::disk_full");
    }

    /// Even where a file that everybody may read is replaced.
    #[cfg(unix)]
    #[test]
    fn what_is_for_the_owner_nobody_else_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        write_atomically(&path, |w| w.write_all(b"text")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_with(&path, Access::Owner, |w| w.write_all(b"secret")).unwrap();
        assert_eq!((mode(), fs::read(&path).unwrap()), (0o600, b"secret".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, |w| w.write_all(b"after")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "after");

        let device = Path::new("/dev/null");
        let refused = write_atomically(device, |w| w.write_all(b"text"));
        assert_eq!(code(refused), "zknn::write::not_a_file");
    }
}
