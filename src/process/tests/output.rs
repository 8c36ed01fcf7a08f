//! What an agent writes is what the log holds.

use super::*;
use std::io::BufRead;

#[tokio::test]
async fn both_streams_are_kept_apart_and_in_order() {
    let trial = Trial::sh("for i in $(seq 200); do echo out$i; echo err$i >&2; done");
    let result = trial.run().await;
    assert_eq!((result.exit, result.stopped, result.killed), (exited(0), None, 0));
    let lines = |name: &str| (1..=200).fold(String::new(), |all, i| format!("{all}{name}{i}\n"));
    assert_eq!(String::from_utf8(trial.stdout()).unwrap(), lines("out"));
    assert_eq!(String::from_utf8(trial.stderr()).unwrap(), lines("err"));
    let all = std::fs::read(trial.dir().join("log")).unwrap();
    assert_eq!(all.len() as u64, result.log_bytes);
    assert_eq!(all.len(), lines("out").len() + lines("err").len());
}

#[tokio::test]
async fn a_pause_between_the_streams_is_kept_in_the_order_of_arrival() {
    let trial = Trial::sh("echo one; read x < go; echo two >&2; read x < go2; echo three");
    for pipe in ["go", "go2"] {
        nix::unistd::mkfifo(&trial.spec.cwd.join(pipe), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let running = trial.start().await;
    let log = trial.dir().join("log");
    for (seen, pipe) in [("one\n", "go"), ("one\ntwo\n", "go2")] {
        eventually(seen, || std::fs::read(&log).is_ok_and(|bytes| bytes == seen.as_bytes())).await;
        let pipe = trial.spec.cwd.join(pipe);
        tokio::task::spawn_blocking(|| std::fs::write(pipe, "\n")).await.unwrap().unwrap();
    }
    running.wait().await.unwrap();
    let entries: Vec<(Stream, Vec<u8>)> = LogReader::open(&trial.dir())
        .map(|entry| match entry.unwrap() {
            Entry::Output { stream, bytes, .. } => (stream, bytes),
            Entry::Dropped(count) => panic!("{count} dropped"),
        })
        .collect();
    let expected = [
        (Stream::Stdout, b"one\n".to_vec()),
        (Stream::Stderr, b"two\n".to_vec()),
        (Stream::Stdout, b"three\n".to_vec()),
    ];
    assert_eq!(entries, expected);
}

#[tokio::test]
async fn bytes_that_are_no_text_and_a_last_line_without_end() {
    let trial = Trial::sh(r"printf 'a\377\376\000b\r\nend'; printf '\200' >&2");
    trial.run().await;
    assert_eq!(trial.stdout(), b"a\xff\xfe\0b\r\nend");
    assert_eq!(trial.stderr(), b"\x80");
    let reader = LogReader::open(&trial.dir()).stream(Stream::Stdout);
    let lines: Vec<Vec<u8>> = reader.split(b'\n').map(Result::unwrap).collect();
    assert_eq!(lines, [b"a\xff\xfe\0b\r".to_vec(), b"end".to_vec()]);
}

#[tokio::test]
async fn a_line_of_ten_megabytes() {
    let trial = Trial::sh("head -c 10000000 /dev/zero | tr '\\0' x; echo; echo short >&2");
    let result = trial.run().await;
    let out = trial.stdout();
    assert_eq!(out.len(), 10_000_001);
    assert!(out[..10_000_000].iter().all(|b| *b == b'x'));
    assert_eq!(trial.stderr(), b"short\n");
    assert_eq!((result.log_bytes, result.dropped_bytes), (10_000_007, 0));
}

#[tokio::test]
async fn beyond_the_cap_head_and_tail_are_kept_exactly() {
    let mut trial = Trial::sh("seq 100000");
    trial.spec.log_cap = 64 << 10;
    let result = trial.run().await;
    let all: Vec<u8> = (1..=100_000).flat_map(|i| format!("{i}\n").into_bytes()).collect();
    assert_eq!(result.log_bytes, all.len() as u64);
    let head = std::fs::read(trial.dir().join("log")).unwrap();
    assert_eq!(head, all[..32 << 10]);
    let (mut position, mut dropped) = (0, 0);
    for entry in LogReader::open(&trial.dir()) {
        match entry.unwrap() {
            Entry::Output { bytes, .. } => {
                assert_eq!(bytes, all[position..position + bytes.len()]);
                position += bytes.len();
            }
            Entry::Dropped(count) => {
                assert_eq!(position, head.len(), "the gap is after the head");
                position += usize::try_from(count).unwrap();
                dropped += count;
            }
        }
    }
    assert_eq!((position, dropped), (all.len(), result.dropped_bytes));
    let kept = LogReader::stat(&trial.dir()).unwrap().len;
    assert_eq!(kept, result.log_bytes - result.dropped_bytes);
    assert!((48 << 10..=64 << 10).contains(&kept), "{kept} bytes are kept");
}

#[tokio::test]
async fn a_full_disk_costs_output_and_not_the_agent() {
    let mount = tempfile::tempdir().unwrap();
    let small = ["-t", "tmpfs", "-o", "size=256k", "tmpfs"];
    let mounted = std::process::Command::new("mount").args(small).arg(mount.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        // Said aloud; the log's own tests cover its arithmetic without a mount.
        eprintln!("skipped: this user may not mount a tmpfs");
        return;
    }
    let _unmount = Unmount(mount.path().to_owned());
    let trial = Trial::sh("seq 1000000; echo last >&2; exit 7");
    let dir = mount.path().join("attempt");
    let running = start_with(&launcher(), &dir, &trial.spec).await.unwrap();
    let result = done(running.wait().await.unwrap());
    assert_eq!((result.exit, result.log_bytes), (exited(7), 6_888_896 + 5));
    assert!(result.dropped_bytes > 6_000_000, "{result:?}");
    let out = bytes_of(&dir, Stream::Stdout);
    assert!(out.starts_with(b"1\n2\n3\n") && out.len() > 100_000);
    assert_eq!(ShimResult::read(&dir).unwrap(), Some(result));
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_follower_sees_everything_and_then_the_end() {
    let trial = Trial::sh("echo early; read x < go; echo late >&2");
    let pipe = trial.spec.cwd.join("go");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let running = trial.start().await;
    let mut follower = Follower::new(&trial.dir());
    let entry = follower.next().await.unwrap().expect("the attempt goes on");
    assert!(matches!(entry, Entry::Output { bytes, .. } if bytes == b"early\n"));
    tokio::task::spawn_blocking(|| std::fs::write(pipe, "\n")).await.unwrap().unwrap();
    let entry = follower.next().await.unwrap().expect("there is a second line");
    assert!(matches!(entry, Entry::Output { bytes, .. } if bytes == b"late\n"));
    assert_eq!(follower.next().await.unwrap(), None);
    running.wait().await.unwrap();
}
