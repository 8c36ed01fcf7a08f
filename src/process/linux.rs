//! Linux: /proc, pidfds, the subreaper and the parent-death signal.

mod cgroup;

pub(super) use cgroup::Group;

use super::identity::{Process, ProcessId};
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

/// The running executable, even after its file was replaced or removed.
pub(super) const SELF_EXE: &str = "/proc/self/exe";

/// Start times are counted in ticks since boot, so the same pid and tick can come again after a
/// reboot. 37 bits of ticks (43 years at 100 Hz) and 16 bits of the boot's identity make a number
/// that JSON readers keep exactly.
const TICK_BITS: u32 = 37;

/// The calling thread, with the threads and processes it starts, gives way to everybody else's.
pub fn lower_priority() {
    /// Half of the way down: it still goes on where agents keep every core busy.
    const NICE: libc::c_int = 10;
    #[expect(unsafe_code, reason = "there is no safe wrapper")]
    // SAFETY: a plain system call. Of nobody named it means the calling thread, here (setpriority(2), BUGS).
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// The row of one process.
pub(super) fn process(pid: u32) -> Option<Process> {
    parse_stat(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// All rows. Processes that come or go meanwhile may be missing.
pub(super) fn processes() -> Vec<Process> {
    pids().into_iter().filter_map(process).collect()
}

fn parse_stat(pid: u32, line: &[u8]) -> Option<Process> {
    // The command name is in parentheses and may contain any byte, so count from the last one.
    let after = line.iter().rposition(|&b| b == b')')? + 1;
    let text = std::str::from_utf8(&line[after..]).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // proc(5): the state is field 3, the parent 4, the start time 22.
    let ticks: u64 = fields.nth(17)?.parse().ok()?;
    let start = (boot() << TICK_BITS) | (ticks & ((1 << TICK_BITS) - 1));
    Some(Process { id: ProcessId { pid, start }, parent, zombie: matches!(state, "Z" | "X" | "x") })
}

/// Milliseconds of CPU time of a process and of those it has waited for. sysinfo leaves the latter
/// out, and with them most of what a build uses.
pub(super) fn cpu_ms(pid: u32) -> Option<u64> {
    cpu_ticks(&fs::read(format!("/proc/{pid}/stat")).ok()?).map(|ticks| ticks * 1000 / USER_HZ)
}

/// The kernel's unit towards programs, the same on every machine Rust runs on (sysconf(3) for it
/// would be unsafe code to read a constant).
const USER_HZ: u64 = 100;

fn cpu_ticks(line: &[u8]) -> Option<u64> {
    let after = line.iter().rposition(|&b| b == b')')? + 1;
    let text = std::str::from_utf8(&line[after..]).ok()?;
    // proc(5): fields 14 to 17 are its own user and system time and those of ended children.
    let times: Vec<u64> =
        text.split_ascii_whitespace().skip(11).take(4).filter_map(|t| t.parse().ok()).collect();
    (times.len() == 4).then(|| times.iter().sum())
}

/// Bytes of memory of a process, a page it shares with n others counted as its nth part.
pub(super) fn memory(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Sixteen bits of this boot's random id.
fn boot() -> u64 {
    static BOOT: OnceLock<u64> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        u64::from_str_radix(id.get(..4).unwrap_or("0"), 16).unwrap_or(0)
    })
}

/// The numbers of all processes.
pub(super) fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The children of a process, at a cost that does not grow with the machine's load. A child may be
/// missing while a sibling ends. `None` on a kernel that does not keep these lists.
pub(super) fn children(pid: u32) -> Option<Vec<u32>> {
    static KEPT: OnceLock<bool> = OnceLock::new();
    if !KEPT.get_or_init(|| fs::exists("/proc/thread-self/children").unwrap_or(false)) {
        return None;
    }
    let mut children = Vec::new();
    // A child is in the list of the thread that started it.
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    Some(children)
}

/// Whether the process has this variable with `needle` in its value, or bears the needle's mark. `None`: it
/// has no environment at this instant (it may be in the middle of an exec). A process whose environment we
/// may not read counts where it bears the mark and is ours to signal.
pub(super) fn carries(pid: u32, variable: &str, needle: &str) -> Option<bool> {
    if needle.is_empty() {
        return None;
    }
    let environ = fs::read(format!("/proc/{pid}/environ"));
    let said = environ.as_ref().is_ok_and(|environ| {
        environ.split(|&b| b == 0).any(|entry| {
            entry
                .strip_prefix(variable.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="))
                .is_some_and(|value| value.windows(needle.len()).any(|w| w == needle.as_bytes()))
        })
    });
    if said || mark(needle).is_some_and(|mark| bears(pid, mark)) {
        return Some(environ.is_ok() || is_ours(pid));
    }
    environ.map_or(Some(false), |environ| (!environ.is_empty()).then_some(false))
}

fn is_ours(pid: u32) -> bool {
    let pid = libc::pid_t::try_from(pid).map(Pid::from_raw);
    pid.is_ok_and(|pid| nix::sys::signal::kill(pid, None).is_ok())
}

/// The resource limit that carries an attempt's mark. What a process was given of it all its descendants
/// inherit, whatever they do to their environment, session or parents. It bounds the time of real-time
/// threads only, and a mark is as good as no bound: thousands of years.
const MARKED_LIMIT: Resource = Resource::RLIMIT_RTTIME;

/// How the kernel calls [`MARKED_LIMIT`] in /proc/PID/limits.
const MARKED_LINE: &str = "Max realtime timeout";

/// An attempt's mark: as much of its random key as is below any limit that means "none".
pub(super) fn mark(key: &str) -> Option<u64> {
    /// Sixty bits.
    const DIGITS: usize = 15;
    key.get(..DIGITS).and_then(|digits| u64::from_str_radix(digits, 16).ok())
}

fn bears(pid: u32, mark: u64) -> bool {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix(MARKED_LINE));
    let soft = line.and_then(|line| line.split_ascii_whitespace().next());
    soft.and_then(|soft| soft.parse().ok()) == Some(mark)
}

/// Sends a signal to exactly this process, never to a later one with its number. `false` when it
/// is gone or not ours to signal.
pub(super) fn signal(id: ProcessId, signal: Signal) -> bool {
    let Some(handle) = pidfd(id.pid) else {
        // A kernel without pidfds (before 5.3): the check and the signal are not one step.
        return id.is_alive()
            && i32::try_from(id.pid)
                .is_ok_and(|pid| nix::sys::signal::kill(Pid::from_raw(pid), signal).is_ok());
    };
    // The handle is held, so if the number means our process now, the handle does too.
    if !id.is_alive() {
        return false;
    }
    let none = std::ptr::null::<libc::siginfo_t>();
    #[expect(unsafe_code, reason = "there is no safe wrapper; the descriptor is open")]
    // SAFETY: no memory is passed but a null pointer, which the call allows.
    let sent = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, handle.as_raw_fd(), signal as i32, none, 0)
    };
    sent == 0
}

fn pidfd(pid: u32) -> Option<OwnedFd> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    #[expect(unsafe_code, reason = "there is no safe wrapper")]
    // SAFETY: the call takes no pointers; a descriptor it returns is new and ours (close-on-exec).
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        RawFd::try_from(fd).ok().filter(|fd| *fd >= 0).map(|fd| OwnedFd::from_raw_fd(fd))
    }
}

/// Makes this process the parent of every orphan below it.
pub(super) fn become_subreaper() -> io::Result<()> {
    prctl::set_child_subreaper(true)?;
    // Started through /proc/self/exe the kernel would call us `exe`.
    let _ = prctl::set_name(c"orch-shim");
    Ok(())
}

/// Orphans of our descendants become our children, so without children there are no descendants.
pub(super) const ADOPTS_ORPHANS: bool = true;

/// What waiting for children found.
pub(super) struct Reaped {
    /// `main` may have ended; it is left for its owner to wait for.
    pub ask_main: bool,
    /// No child is left at all.
    pub none_left: bool,
}

/// Waits for every orphan that has ended, and never for `main`.
pub(super) fn reap(main: Option<u32>) -> Reaped {
    let main = main.and_then(|main| libc::pid_t::try_from(main).ok());
    loop {
        let ended = match ended_child() {
            Ok(Some(pid)) => pid,
            Ok(None) => return Reaped { ask_main: false, none_left: false },
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => {
                let none_left = e.raw_os_error() == Some(libc::ECHILD);
                return Reaped { ask_main: false, none_left };
            }
        };
        if Some(ended) == main {
            return Reaped { ask_main: true, none_left: false };
        }
        // Its status is nobody's business; its resource use is added to ours.
        let _ = waitpid(Pid::from_raw(ended), Some(WaitPidFlag::WNOHANG));
    }
}

/// A child that has ended, left as it is. (nix's `waitid` fails on real-time signals.)
fn ended_child() -> io::Result<Option<libc::pid_t>> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    #[expect(unsafe_code, reason = "the safe wrapper cannot represent every ending")]
    // SAFETY: the structure is plain data, zeroed as waitid(2) asks; its pid is set or left zero.
    let (done, pid) = unsafe {
        let mut info = std::mem::zeroed::<libc::siginfo_t>();
        let done = libc::waitid(libc::P_ALL, 0, &raw mut info, flags);
        (done, info.si_pid())
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((pid != 0).then_some(pid))
}

/// What a new child does of its own before it becomes the agent. Runs between fork and exec: only
/// system calls, no allocation.
pub(super) fn prepare_agent(shim: u32, group: Option<RawFd>, mark: Option<u64>) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The shim may have died before the line above took effect.
    if i64::from(nix::unistd::getppid().as_raw()) != i64::from(shim) {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    if let Some(fd) = group {
        #[expect(unsafe_code, reason = "only plain system calls are allowed here")]
        // SAFETY: one byte of a static is read; a failure leaves us where we were, and the walk
        // over the process table does not depend on the group.
        unsafe {
            libc::write(fd, b"0".as_ptr().cast(), 1);
        }
    }
    // Where this user is bound more tightly, the key in the environment has to do.
    if let (Some(mark), Ok((_, hard))) = (mark, getrlimit(MARKED_LIMIT)) {
        let _ = setrlimit(MARKED_LIMIT, mark, hard);
    }
    super::unix::reset_signals();
    Ok(())
}

/// Marks every descriptor above standard error to be closed by the next exec.
pub(super) fn close_on_exec() {
    #[expect(unsafe_code, reason = "there is no safe wrapper")]
    // SAFETY: no memory is passed; nothing is closed now, and no descriptor is meant to survive.
    let done = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if done != 0 {
        super::unix::close_on_exec_one_by_one();
    }
}

/// The bytes of a path in /proc/self/mountinfo, where blanks are written in octal.
fn unescape(field: &[u8]) -> std::ffi::OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(byte) = octal {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    OsStr::from_bytes(&bytes).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_cannot_confuse_the_parser() {
        let stat = b"7 (a) Z 1 2) S 42 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let process = parse_stat(7, stat).unwrap();
        assert_eq!((process.parent, process.zombie), (42, false));
        assert_eq!(process.id.start & ((1 << TICK_BITS) - 1), 12345);
    }

    #[test]
    fn the_time_of_ended_children_counts() {
        let stat = b"7 (a) S 42 7 7 0 -1 0 0 0 0 0 1 20 300 4000 20 0 1 0 12345 0 0";
        assert_eq!(cpu_ticks(stat), Some(4321));
        assert_eq!(cpu_ticks(b"7 (a) S 42"), None);
    }

    #[test]
    fn mount_points_with_blanks_are_read() {
        assert_eq!(unescape(br"/a\040b\134"), OsStr::new(r"/a b\"));
    }
}
