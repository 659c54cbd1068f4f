//! `spotter`, the command line.

fn main() -> std::process::ExitCode {
    spotter::cli::main()
}
