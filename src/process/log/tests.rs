use super::*;
use crate::process::layout;
use std::fs::{self, File};
use std::path::Path;

/// All bytes of the log with the gaps between them.
fn read(dir: &Path) -> Vec<(Option<Stream>, Vec<u8>, u64)> {
    let mut runs: Vec<(Option<Stream>, Vec<u8>, u64)> = Vec::new();
    for entry in LogReader::open(dir) {
        match entry.unwrap() {
            Entry::Dropped(count) => runs.push((None, Vec::new(), count)),
            Entry::Output { stream, mut bytes, .. } => match runs.last_mut() {
                Some((Some(last), all, _)) if *last == stream => all.append(&mut bytes),
                _ => runs.push((Some(stream), bytes, 0)),
            },
        }
    }
    runs
}

#[test]
fn a_log_cut_off_anywhere_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogWriter::create(dir.path(), 1 << 20).unwrap();
    log.write(Stream::Stdout, b"hello ", 1000);
    log.write(Stream::Stderr, b"oh", 1001);
    log.write(Stream::Stdout, b"world", 1002);
    let path = layout::log(dir.path());
    let index = layout::index(&path);
    let (data, records) = (fs::read(&path).unwrap(), fs::read(&index).unwrap());
    assert_eq!(data, b"hello ohworld");
    for cut in 0..=records.len() {
        fs::write(&index, &records[..cut]).unwrap();
        let all: Vec<u8> = read(dir.path()).into_iter().flat_map(|run| run.1).collect();
        let whole = [0, 0, 6, 8, 13][cut / 16];
        assert_eq!(all, &data[..whole], "an index of {cut} bytes");
    }
    fs::write(&index, &records).unwrap();
    for cut in 0..=data.len() {
        fs::write(&path, &data[..cut]).unwrap();
        let all: Vec<u8> = read(dir.path()).into_iter().flat_map(|run| run.1).collect();
        assert_eq!(all, &data[..cut], "a log of {cut} bytes");
    }
}

#[test]
fn single_characters_share_records_and_a_reader_sees_them_grow() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogWriter::create(dir.path(), 1 << 20).unwrap();
    let mut reader = LogReader::open(dir.path());
    let mut seen = Vec::new();
    for at in 0..1000 {
        log.write(Stream::Stdout, b"x", at);
        for entry in reader.by_ref() {
            let Entry::Output { bytes, .. } = entry.unwrap() else { panic!("nothing is dropped") };
            seen.extend(bytes);
        }
        assert_eq!(i64::try_from(seen.len()), Ok(at + 1));
    }
    let index = fs::metadata(layout::index(&layout::log(dir.path()))).unwrap().len();
    assert_eq!(index, 16 + 10 * 16, "one record for 100 ms");
}

#[test]
fn streams_that_alternate_do_not_get_round_the_cap() {
    let dir = tempfile::tempdir().unwrap();
    let cap = 1 << 20;
    let mut log = LogWriter::create(dir.path(), cap).unwrap();
    for at in 0..1_000_000 {
        let stream = if at % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
        log.write(stream, b"x", at);
    }
    let size: u64 =
        fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(size <= 2 * cap, "{size} bytes on disk");
    let runs = read(dir.path());
    let kept: u64 = runs.iter().map(|run| run.1.len() as u64 + run.2).sum();
    assert_eq!(kept, 1_000_000);
    assert_eq!(log.received() - log.dropped(), runs.iter().map(|r| r.1.len() as u64).sum::<u64>());
}

#[test]
fn a_reader_survives_the_removal_of_what_it_reads() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogWriter::create(dir.path(), 8192).unwrap();
    let mut reader = LogReader::open(dir.path());
    let (mut kept, mut gaps) = (0, 0);
    for round in 0..200 {
        log.write(Stream::Stdout, &[b'x'; 700], round * 1000);
        // Every now and then it catches up.
        if round % 17 == 0 || round == 199 {
            for entry in reader.by_ref() {
                match entry.unwrap() {
                    Entry::Output { bytes, .. } => kept += bytes.len(),
                    Entry::Dropped(count) => gaps += usize::try_from(count).unwrap(),
                }
            }
        }
    }
    assert_eq!(kept + gaps, 200 * 700);
    assert!(kept > 8192, "it read more than is kept at the end");
}

#[test]
fn no_log_is_an_empty_log_and_another_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(LogReader::open(dir.path()).count(), 0);
    assert_eq!(LogReader::stat(dir.path()).unwrap(), LogStat::default());
    File::create(layout::log(dir.path())).unwrap();
    fs::write(layout::index(&layout::log(dir.path())), [7; 64]).unwrap();
    assert!(LogReader::open(dir.path()).next().unwrap().is_err());
}

proptest::proptest! {
    #[test]
    fn what_is_kept_is_what_was_written(
        chunks in proptest::collection::vec((proptest::bool::ANY, 1_usize..3000, 0_i64..200), 0..60),
        cap in 4096_u64..40_000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::create(dir.path(), cap).unwrap();
        let mut all: Vec<(Stream, u8)> = Vec::new();
        let mut clock = 0;
        for (number, (out, len, later)) in chunks.into_iter().enumerate() {
            let stream = if out { Stream::Stdout } else { Stream::Stderr };
            let bytes: Vec<u8> = (0..len).map(|i| u8::try_from((number * 31 + i) % 251).unwrap()).collect();
            clock += later;
            log.write(stream, &bytes, clock);
            all.extend(bytes.iter().map(|byte| (stream, *byte)));
        }
        let (mut position, mut dropped) = (0, 0);
        for (stream, bytes, gap) in read(dir.path()) {
            if let Some(stream) = stream {
                let expected = &all[position..position + bytes.len()];
                proptest::prop_assert!(bytes.iter().map(|b| (stream, *b)).eq(expected.iter().copied()));
            }
            position += bytes.len() + usize::try_from(gap).unwrap();
            dropped += gap;
        }
        proptest::prop_assert_eq!(position, all.len());
        proptest::prop_assert_eq!((log.received(), log.dropped()), (all.len() as u64, dropped));
        let kept = all.len() as u64 - dropped;
        proptest::prop_assert!(kept <= cap && kept >= (all.len() as u64).min(cap / 2));
    }
}
