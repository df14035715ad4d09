use object::Endianness;
use object::elf::{EM_AARCH64, EM_X86_64, PT_INTERP};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use serde::Serialize;

/// Where an image runs, in the words of the OCI image specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Platform {
    /// The processor: `amd64`, `arm64`.
    pub architecture: &'static str,
    /// The system: `linux`.
    pub os: &'static str,
}

impl Platform {
    /// The compiler's words for it.
    pub fn target(self) -> &'static str {
        if self.architecture == "arm64" { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" }
    }
}

/// A program that may go into an image.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Where it runs.
    pub platform: Platform,
    /// The program.
    pub bytes: Vec<u8>,
}

/// Why a program may not go into an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFit {
    /// It is something else.
    #[error("is no Linux program of 64 bits")]
    NoProgram,
    /// Its processor has no name here.
    #[error("is for a processor that no image is made for")]
    Processor,
    /// It needs a loader and libraries, and an image has neither.
    #[error("needs a loader: build it with -C target-feature=+crt-static")]
    Dynamic,
}

impl Binary {
    /// Looks at a program, and says by its head where it runs.
    pub fn new(bytes: Vec<u8>) -> Result<Self, NotFit> {
        let platform = platform(&bytes)?;
        Ok(Self { platform, bytes })
    }
}

fn platform(bytes: &[u8]) -> Result<Platform, NotFit> {
    let file = ElfFile64::<Endianness>::parse(bytes).map_err(|_| NotFit::NoProgram)?;
    let endian = file.endian();
    let architecture = match file.elf_header().e_machine(endian) {
        EM_X86_64 => "amd64",
        EM_AARCH64 => "arm64",
        _ => return Err(NotFit::Processor),
    };
    if file.elf_program_headers().iter().any(|header| header.p_type(endian) == PT_INTERP) {
        return Err(NotFit::Dynamic);
    }
    Ok(Platform { architecture, os: "linux" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_a_loader_is_refused() {
        // The tests themselves are such a program.
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(Binary::new(this).unwrap_err(), NotFit::Dynamic);
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF"] {
            assert_eq!(Binary::new(bytes.to_vec()).unwrap_err(), NotFit::NoProgram);
        }
    }
}
