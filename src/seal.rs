//! The air gap, enforced: gives up internet sockets and io_uring before the first byte of input is read.
//!
//! Linux only. Not a sandbox of the file system. The filter holds for this process, all its threads and its children.

/// Whether the seal is on, or why it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// Internet sockets are refused by the kernel from now on.
    On,
    /// They are not; the text says why.
    Off(String),
}

/// Installs the filter.
#[cfg(target_os = "linux")]
#[must_use]
pub fn seal() -> Seal {
    match install() {
        Ok(()) => Seal::On,
        Err(why) => Seal::Off(why),
    }
}

/// Installs the filter.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn seal() -> Seal {
    Seal::Off("this system has no seccomp".to_owned())
}

#[cfg(target_os = "linux")]
fn install() -> Result<(), String> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};
    // Numbers of the kernel's own headers, the same on every Linux architecture that seccompiler supports.
    const AF_INET: u64 = 2;
    const AF_INET6: u64 = 10;
    const AF_PACKET: u64 = 17;
    const AF_VSOCK: u64 = 40;
    const IO_URING_SETUP: i64 = 425;
    const EPERM: u32 = 1;
    #[cfg(target_arch = "x86_64")]
    const SOCKET: i64 = 41;
    #[cfg(target_arch = "aarch64")]
    const SOCKET: i64 = 198;
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return Err("no filter is known for this processor".to_owned());

    let rule = |family| {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family)?;
        SeccompRule::new(vec![condition])
    };
    let made = || -> Result<BpfProgram, seccompiler::BackendError> {
        let families = [AF_INET, AF_INET6, AF_PACKET, AF_VSOCK].map(rule).into_iter().collect::<Result<Vec<_>, _>>()?;
        let rules = [(SOCKET, families), (IO_URING_SETUP, vec![])].into_iter().collect();
        // The filter kills the process if it is entered under another architecture: seccompiler checks that word first.
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(EPERM), std::env::consts::ARCH.try_into()?)?;
        filter.try_into()
    };
    let program = made().map_err(|e| e.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|e| e.to_string())
}
