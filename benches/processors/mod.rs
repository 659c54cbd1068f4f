//! What a process costs, for the programs beside this one.

use std::time::Duration;

/// What this process has had of the processors, to 10 ms; nothing where there is no /proc. proc(5): fields 14 and 15 of
/// `stat` are hundredths of a second, and the second is a name in parentheses.
pub(crate) fn processors() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10)
}
