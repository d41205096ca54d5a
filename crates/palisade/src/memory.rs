//! Memory that was needed for a while, given back to the system.

/// Gives back what the allocator keeps of memory that is free. Reading rules takes half as much again as they come to, in
/// pieces between what stays, which the allocator does not give back by itself.
///
/// Takes one to a few milliseconds; whoever allocates meanwhile may wait as long.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` asks for nothing and may be called by any thread at any time; what is in use it does not touch.
    unsafe {
        libc::malloc_trim(0);
    }
}
