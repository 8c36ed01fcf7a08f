//! What Linux and macOS do alike between fork and exec.

use nix::libc;

/// Gives every signal its default action and blocks none: what the supervisor's own start (`nohup`,
/// a shell's background job) set must not reach an agent. Only system calls.
pub(super) fn reset_signals() {
    /// Beyond the real-time signals of Linux and all of macOS's; unknown numbers are refused.
    const LAST: i32 = 64;
    #[expect(unsafe_code, reason = "only plain system calls are allowed between fork and exec")]
    // SAFETY: the default action is no function; the set is initialised before it is used.
    unsafe {
        for number in 1..=LAST {
            libc::signal(number, libc::SIG_DFL);
        }
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

/// The slow way to mark descriptors above standard error. Only system calls.
pub(super) fn close_on_exec_one_by_one() {
    /// Nothing opens descriptors above this unless its limit was raised, and the limit is asked.
    const MOST: libc::rlim_t = 65_536;
    #[expect(unsafe_code, reason = "only plain system calls are allowed between fork and exec")]
    // SAFETY: the limit is initialised before it is read; a closed descriptor is refused.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 1024, rlim_max: 1024 };
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        let last = libc::c_int::try_from(limit.rlim_cur.min(MOST)).unwrap_or(1024);
        for fd in 3..last {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// Rows and columns of the terminal that stdout or stderr is, if one of them is one.
pub(super) fn window() -> Option<(usize, usize)> {
    [libc::STDOUT_FILENO, libc::STDERR_FILENO].into_iter().find_map(|fd| {
        let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
        #[expect(unsafe_code, reason = "there is no safe wrapper")]
        // SAFETY: the kernel fills in the structure it is given.
        let done = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
        let known = done == 0 && size.ws_col > 0 && size.ws_row > 0;
        known.then(|| (usize::from(size.ws_row), usize::from(size.ws_col)))
    })
}

/// The command starts in a session of its own, away from the terminal.
pub(super) fn leave_session(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    #[expect(unsafe_code, reason = "only a plain system call is made between fork and exec")]
    // SAFETY: setsid is async-signal-safe and touches no memory.
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(std::io::Error::from));
    }
}
