//! What the journal costs: CPU of its thread and time per million records.
//!
//! ```text
//! cargo run --release -p broker --example journal_cost -- [DIRECTORY] [RECORDS] [PAYLOAD BYTES] [BATCH]
//! ```
//!
//! Append and remove a batch behind, append and keep, the restart with everything kept;
//! then the start on an empty directory and the restart with ten thousand logs. Eight
//! batches are in flight.

use std::collections::VecDeque;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use broker::storage::local::LocalStorage;
use broker::storage::{Epoch, LogId, LogRecord, Position};
use bytes::Bytes;

const IN_FLIGHT: usize = 8;
const LOGS: u64 = 10_000;
const RECORDS_PER_LOG: u64 = 10;
const LOG: LogId = LogId(1);
const EPOCH: Epoch = Epoch(1);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from).join("warren-journal-cost");
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (records, payload, batch) = (number(1_000_000)?, number(1024)?, number(1000)?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for keep in [false, true] {
        let _ = std::fs::remove_dir_all(&directory);
        runtime.block_on(append(&directory, records, payload as usize, batch, keep))?;
    }
    runtime.block_on(reopen(&directory))?;
    std::fs::remove_dir_all(&directory)?;
    runtime.block_on(many_logs(&directory))?;
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

async fn append(directory: &Path, records: u64, payload: usize, batch: u64, keep: bool) -> Result<(), Box<dyn Error>> {
    let storage = LocalStorage::open(directory)?;
    let body = Bytes::from(vec![b'x'; payload]);
    let begin = (Instant::now(), thread_seconds("journal")?);
    let mut flight = VecDeque::new();
    for first in (1..=records).step_by(batch as usize) {
        let records = (first..first + batch)
            .map(|position| LogRecord {
                position: Position(position),
                meta: [0; 16],
                weight: 0,
                shares: 1,
                payload: body.clone(),
            })
            .collect();
        flight.push_back((first, storage.log.append(LOG, EPOCH, records)));
        if flight.len() >= IN_FLIGHT
            && let Some((first, confirmed)) = flight.pop_front()
        {
            confirmed.await?;
            if !keep {
                storage.log.remove(LOG, EPOCH, vec![Position(first)..=Position(first + batch - 1)])?;
            }
        }
    }
    for (_, confirmed) in flight {
        confirmed.await?;
    }
    report(if keep { "append" } else { "append and remove" }, records, begin)?;
    storage.close().await?;
    Ok(())
}

async fn reopen(directory: &Path) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let storage = LocalStorage::open(directory)?;
    let recovered = begin.elapsed();
    let records = storage.log.open(LOG, EPOCH).await?;
    println!("restart: {:?} to recover, {:?} until {} records are known", recovered, begin.elapsed(), records.records);
    Ok(())
}

async fn many_logs(directory: &Path) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let storage = LocalStorage::open(directory)?;
    println!("start on an empty directory: {:?}", begin.elapsed());
    let body = Bytes::from(vec![b'x'; 100]);
    for position in 1..=RECORDS_PER_LOG {
        let records = || {
            vec![LogRecord { position: Position(position), meta: [0; 16], weight: 0, shares: 1, payload: body.clone() }]
        };
        let appends: Vec<_> = (1..=LOGS).map(|log| storage.log.append(LogId(log), EPOCH, records())).collect();
        for append in appends {
            append.await?;
        }
    }
    storage.close().await?;
    drop(storage);
    let begin = Instant::now();
    let storage = LocalStorage::open(directory)?;
    let recovered = begin.elapsed();
    let opening: Vec<_> = (1..=LOGS).map(|log| storage.log.open(LogId(log), EPOCH)).collect();
    let mut records = 0u64;
    for log in opening {
        records += log.await?.records;
    }
    println!(
        "restart with {LOGS} logs: {recovered:?} to recover, {:?} until {records} records are known",
        begin.elapsed()
    );
    Ok(())
}

fn report(what: &str, records: u64, begin: (Instant, f64)) -> Result<(), Box<dyn Error>> {
    let (wall, cpu) = (begin.0.elapsed().as_secs_f64(), thread_seconds("journal")? - begin.1);
    let millions = records as f64 / 1e6;
    println!(
        "{what}: {:.0} records/s, journal thread {:.3} CPU s per million, process {:.3}",
        records as f64 / wall,
        cpu / millions,
        thread_seconds("")? / millions
    );
    Ok(())
}

/// CPU seconds of the threads whose name starts so.
fn thread_seconds(name: &str) -> Result<f64, Box<dyn Error>> {
    let mut nanoseconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.starts_with(name) {
            let text = std::fs::read_to_string(task.join("schedstat"))?;
            nanoseconds += text.split(' ').next().unwrap_or_default().parse::<f64>()?;
        }
    }
    Ok(nanoseconds / 1e9)
}
