//! The image, made once for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What the tests' image says it was made from.
pub(crate) const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const TIME: &str = "1796216400";

/// The repository's folder.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// `dist/`, as `make image` leaves it.
pub(crate) fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dist");
        make(&folder);
        folder
    })
}

/// Runs `make image` into another folder. The program is built once, and not for speed: all else is as it is released.
pub(crate) fn make(folder: &Path) {
    let output = Command::new("make")
        .args(["image", "PROFILE=quick", &format!("DIST={}", folder.display()), &format!("REVISION={REVISION}")])
        .args([&format!("SOURCE_DATE_EPOCH={TIME}"), &format!("PACKAGING={}", env!("CARGO_BIN_EXE_packaging"))])
        .current_dir(repository())
        // Of the make that runs the tests: it would lend its jobs to this one.
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap();
    let (told, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "make image: {told}{why}");
}
