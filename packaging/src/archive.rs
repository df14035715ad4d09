use std::fs;
use std::io;
use std::path::Path;

use tar::{Builder, EntryType, Header};

/// A file, or a folder, as it stands in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A folder that only root may change; it comes before what is in it.
    Folder(&'a str),
    /// A file that everybody may read.
    File(&'a str, &'a [u8]),
    /// A file that everybody may run as well.
    Program(&'a str, &'a [u8]),
}

impl Entry<'_> {
    fn header(&self) -> (Header, &str, &[u8]) {
        let (kind, mode, path, bytes) = match *self {
            Self::Folder(path) => (EntryType::Directory, 0o755, path, &[][..]),
            Self::File(path, bytes) => (EntryType::Regular, 0o444, path, bytes),
            Self::Program(path, bytes) => (EntryType::Regular, 0o555, path, bytes),
        };
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(bytes.len() as u64);
        (header, path, bytes)
    }
}

/// Puts these into a tar, in this order, as root's and as of this time (seconds since 1970).
pub fn archive(entries: &[Entry<'_>], time: u64) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for entry in entries {
        let (mut header, path, bytes) = entry.header();
        header.set_mtime(time);
        builder.append_data(&mut header, path, bytes)?;
    }
    builder.into_inner()
}

/// Puts a folder into a tar, sorted by name.
pub fn archive_of_folder(folder: &Path, time: u64) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    gather(folder, "", &mut found)?;
    let entries: Vec<Entry<'_>> = found
        .iter()
        .map(|(path, bytes)| match bytes {
            Some(bytes) => Entry::File(path, bytes),
            None => Entry::Folder(path),
        })
        .collect();
    archive(&entries, time)
}

/// Each folder is followed by what is in it.
fn gather(folder: &Path, prefix: &str, found: &mut Vec<(String, Option<Vec<u8>>)>) -> io::Result<()> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        let (path, inside) = (folder.join(&name), format!("{prefix}{name}"));
        if path.is_dir() {
            let below = format!("{inside}/");
            found.push((below.clone(), None));
            gather(&path, &below, found)?;
        } else {
            found.push((inside, Some(fs::read(path)?)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_roots_and_of_the_given_time_and_nobody_else_may_write_it() {
        let bytes =
            archive(&[Entry::Folder("etc/"), Entry::File("etc/a", b"1"), Entry::Program("b", b"22")], 7).unwrap();
        let mut archive = tar::Archive::new(&*bytes);
        let seen: Vec<(String, u32, u64)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 7));
                let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
                (path, header.mode().unwrap(), header.size().unwrap())
            })
            .collect();
        let expected = [("etc/", 0o755, 0), ("etc/a", 0o444, 1), ("b", 0o555, 2)];
        assert_eq!(seen, expected.map(|(path, mode, size)| (path.to_owned(), mode, size)));
    }

    #[test]
    fn a_folder_is_archived_in_the_order_of_names_whatever_the_disk_says() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["b", "a", "c/z", "c/y"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let bytes = archive_of_folder(folder.path(), 0).unwrap();
        let mut archive = tar::Archive::new(&*bytes);
        let paths = archive.entries().unwrap().map(|entry| entry.unwrap().path_bytes().into_owned());
        let paths: Vec<String> = paths.map(|path| String::from_utf8(path).unwrap()).collect();
        assert_eq!(paths, ["a", "b", "c/", "c/y", "c/z"]);
    }
}
