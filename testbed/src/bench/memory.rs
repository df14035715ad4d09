//! What a process occupies, by the kernel's word.

use std::fs;

use anyhow::Context as _;
use serde::Serialize;
use testbed::Process;

/// Mebibytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Memory {
    /// Resident now (`VmRSS`).
    pub(super) resident: f64,
    /// The most that was resident since the process began (`VmHWM`).
    pub(super) peak: f64,
}

impl Memory {
    pub(super) fn of(process: &Process) -> anyhow::Result<Self> {
        let path = format!("/proc/{}/status", process.pid());
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        Self::read(&text).with_context(|| format!("{path} tells no memory"))
    }

    fn read(status: &str) -> Option<Self> {
        let mebibytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kibibytes / 1024.0)
        };
        Some(Self { resident: mebibytes("VmRSS:")?, peak: mebibytes("VmHWM:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_counts_in_kibibytes() {
        let status = "Name:\tjobstartstop\nVmPeak:\t  999999 kB\nVmHWM:\t   20480 kB\nVmRSS:\t   10752 kB\n";
        assert_eq!(Memory::read(status), Some(Memory { resident: 10.5, peak: 20.0 }));
        assert_eq!(Memory::read("Name:\tzombie\n"), None);
    }
}
