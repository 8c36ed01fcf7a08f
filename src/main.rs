//! The `orch` binary: parse, dispatch, exit code; nothing else.

fn main() -> std::process::ExitCode {
    orch::cli::main()
}
